"""A named world of two organisations, made through the services as the application role.

Acme (pro): Ada owns it, Ben is admin, Audrey auditor, Pete approver, Uma end user. Globex (free): Cleo owns it.
Sam is our own on-call. Stella has an account and belongs nowhere. Each organisation has one API key per scope.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from agentops.common.scope import tenant_scope
from audit.models import Entry
from audit.types import Actor, operator
from tenants import services
from tenants.models import Membership, Tenant, User
from tenants.roles import KeyScope, Plan, Role, StaffRole

PASSWORD = "eleven otters juggling"
MADE_AT = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=7)
OPERATOR = operator("tests")


@dataclass
class Person:
    """Somebody with an account. Their password is PASSWORD."""

    user: User
    membership_id: uuid.UUID | None = None

    @property
    def email(self) -> str:
        return self.user.email

    @property
    def actor(self) -> Actor:
        """As whom services take them (`by=`)."""
        return Actor(type="user", id=f"user:{self.user.pk}", label=self.user.email)


@dataclass
class Organisation:
    """An organisation, with one API key's text per scope."""

    tenant: Tenant
    keys: dict[str, str] = field(default_factory=dict)
    before: set[uuid.UUID] = field(default_factory=set)  # entries nobody asks for any more

    @property
    def id(self) -> uuid.UUID:
        return self.tenant.id

    @property
    def slug(self) -> str:
        return self.tenant.slug

    def url(self, rest: str = "") -> str:
        return f"/t/{self.slug}/{rest}"

    def entries(self) -> list[Entry]:
        """The audit entries since the world was made, or since `skip_entries`, oldest first.

        By time before id: an entry that has the id of what it tells of may have one of any order.
        """
        with tenant_scope(self.id):
            found = Entry.objects.filter(tenant_id=self.id).exclude(id__in=self.before)
            return list(found.order_by("recorded_at", "id"))

    def skip_entries(self) -> None:
        """What was done up to now is the scene, not the act."""
        self.before |= {entry.id for entry in self.entries()}

    def actions(self) -> list[str]:
        """Their names, to assert the exact ordered list of what happened."""
        return [entry.action for entry in self.entries()]


@dataclass
class World:
    acme: Organisation
    globex: Organisation
    ada: Person
    ben: Person
    audrey: Person
    pete: Person
    uma: Person
    cleo: Person
    sam: Person
    stella: Person

    def person(self, name: str) -> Person:
        found: Person = getattr(self, name)
        return found


def make() -> World:
    """Make the world in an empty database."""
    acme = _organisation("acme", "Acme", Plan.PRO, "ada@acme.example", "Ada Lovell")
    globex = _organisation("globex", "Globex", Plan.FREE, "cleo@globex.example", "Cleo Park")
    world = World(
        acme=acme,
        globex=globex,
        ada=_owner(acme),
        ben=_member(acme, "ben@acme.example", "Ben Ortiz", Role.ADMIN),
        audrey=_member(acme, "audrey@acme.example", "Audrey Kim", Role.AUDITOR),
        pete=_member(acme, "pete@acme.example", "Pete Novak", Role.APPROVER),
        uma=_member(acme, "uma@acme.example", "Uma Rao", Role.END_USER),
        cleo=_owner(globex),
        sam=_staff("sam@agentops.example", "Sam Ito", StaffRole.ON_CALL),
        stella=Person(User.objects.create_user("stella@nowhere.example", PASSWORD, name="Stella Nord")),
    )
    for organisation in (acme, globex):
        organisation.skip_entries()
    return world


def _organisation(slug: str, name: str, plan: str, owner_email: str, owner_name: str) -> Organisation:
    tenant = services.create_tenant(
        slug=slug,
        name=name,
        plan=plan,
        owner_email=owner_email,
        owner_name=owner_name,
        password=PASSWORD,
        by=OPERATOR,
        at=MADE_AT,
    )
    organisation = Organisation(tenant)
    with tenant_scope(tenant.id):
        for scope in KeyScope.values:
            made = services.create_key(
                tenant=tenant.id, name=f"{slug} {scope}", scopes=[scope], by=OPERATOR, at=MADE_AT
            )
            organisation.keys[scope] = made.text
    return organisation


def _owner(organisation: Organisation) -> Person:
    with tenant_scope(organisation.id):
        membership = Membership.objects.select_related("user").get(tenant_id=organisation.id, role=Role.OWNER)
    return Person(membership.user, membership.id)


def _member(organisation: Organisation, email: str, name: str, role: str) -> Person:
    with tenant_scope(organisation.id):
        added = services.add_member(
            tenant=organisation.id, email=email, name=name, role=role, password=PASSWORD, by=OPERATOR, at=MADE_AT
        )
    return Person(added.user, added.membership.id)


def _staff(email: str, name: str, role: str) -> Person:
    return Person(
        services.create_staff(email=email, name=name, roles=[role], password=PASSWORD, by=OPERATOR, at=MADE_AT)
    )


def new_key(organisation: Organisation, *scopes: str) -> str:
    """The text of one more API key, with these scopes; it leaves its own audit entry."""
    with tenant_scope(organisation.id):
        made = services.create_key(
            tenant=organisation.id, name=" ".join(scopes), scopes=scopes, by=OPERATOR, at=MADE_AT
        )
    return made.text
