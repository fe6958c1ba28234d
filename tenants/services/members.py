"""Who belongs to an organisation, and as what.

Changes of one organisation's members go one at a time, under a lock on its row: two owners who remove each other at
the same instant would otherwise leave an organisation that nobody can open.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.common import scope
from agentops.common.errors import Forbidden, NotFound
from audit import services as audit
from audit.types import Actor, Outcome, Target
from tenants.errors import AlreadyMember, LastOwner, OwnersOnly, invalid
from tenants.house import refuse_house
from tenants.models import Membership, Tenant
from tenants.roles import ROLE_PERMISSIONS, Permission, Role
from tenants.services.accounts import find_or_create
from tenants.services.end_users import forget_links
from tenants.services.groups import leave_groups
from tenants.types import AddedMember


def add_member(
    *,
    tenant: uuid.UUID,
    email: str,
    role: str,
    name: str = "",
    password: str | None = None,
    by: Actor,
    at: datetime,
) -> AddedMember:
    """Add a person; their account is made where there is none, and otherwise left as it is.

    Raises AlreadyMember, OwnersOnly, Forbidden, AccountDeactivated, and InvalidInput.
    """
    scope.require_tenant(tenant)
    refuse_house(tenant)
    wanted = _role(role)
    _begin(tenant, by, touches_owners=wanted == Role.OWNER)
    user, is_new = find_or_create(email=email, name=name, password=password)
    existing = Membership.objects.filter(tenant_id=tenant, user=user).first()
    if existing is not None:
        raise AlreadyMember(f"{user.email} is a member already, as {Role(existing.role).label.lower()}.")
    membership = Membership.objects.create(tenant_id=tenant, user=user, role=wanted, created_at=at, created_by=by.id)
    _record(membership, "member.added", {"role": wanted.value}, by, at)
    return AddedMember(membership=membership, user=user, is_new_account=is_new)


def change_role(*, tenant: uuid.UUID, member: uuid.UUID, role: str, by: Actor, at: datetime) -> Membership:
    """Give a member another role; the same role again changes nothing and leaves no entry.

    Raises NotFound, OwnersOnly, Forbidden and LastOwner.
    """
    scope.require_tenant(tenant)
    wanted = _role(role)
    membership = _begin_with(tenant, member, by, touches_owners=wanted == Role.OWNER)
    old = Role(membership.role)
    if old == wanted:
        return membership
    if old == Role.OWNER:
        _another_owner_stays(membership)
    membership.role = wanted
    membership.save(update_fields=["role"])
    _record(membership, "member.role_changed", {"old": old.value, "new": wanted.value}, by, at)
    return membership


def remove_member(*, tenant: uuid.UUID, member: uuid.UUID, by: Actor, at: datetime) -> None:
    """Take a person out of the organisation, of its groups and of end users' names; their account and what they did stay.

    Raises NotFound, OwnersOnly, Forbidden and LastOwner.
    """
    scope.require_tenant(tenant)
    membership = _begin_with(tenant, member, by)
    if membership.role == Role.OWNER:
        _another_owner_stays(membership)
    forget_links(tenant=tenant, membership=membership, by=by, at=at)
    leave_groups(tenant=tenant, user=membership.user, by=by, at=at)
    _record(membership, "member.removed", {"role": membership.role}, by, at)
    membership.delete()


def _begin_with(tenant: uuid.UUID, member: uuid.UUID, by: Actor, *, touches_owners: bool = False) -> Membership:
    _begin(tenant, by, touches_owners=touches_owners)
    membership = Membership.objects.select_related("user").filter(tenant_id=tenant, id=member).first()
    if membership is None:
        raise NotFound("There is no such member; perhaps somebody removed them a moment ago.")
    if membership.role == Role.OWNER and not touches_owners:
        _require_owner(tenant, by)
    return membership


def _begin(tenant: uuid.UUID, by: Actor, *, touches_owners: bool) -> None:
    """Take the lock, then look again whether this actor may: they may have lost their role while we waited."""
    Tenant.objects.select_for_update(no_key=True).get(id=tenant)
    role = _role_of(tenant, by)
    if role is not None and Permission.MEMBERS_MANAGE not in ROLE_PERMISSIONS[role]:
        raise Forbidden("Only owners and admins change who is a member.")
    if touches_owners:
        _require_owner(tenant, by)


def _require_owner(tenant: uuid.UUID, by: Actor) -> None:
    if _role_of(tenant, by) not in (None, Role.OWNER):
        raise OwnersOnly("Only an owner makes, changes or removes owners.")


def _role_of(tenant: uuid.UUID, by: Actor) -> Role | None:
    """The actor's role now; None for the operator at the command line, who stands above the roles."""
    if by.type == "system":
        return None
    mine = Membership.objects.filter(tenant_id=tenant, user_id=by.user_id or 0)
    role = mine.values_list("role", flat=True).first()
    if role is None or by.type != "user":
        raise Forbidden("Only owners and admins change who is a member.")
    return Role(role)


def _another_owner_stays(membership: Membership) -> None:
    others = Membership.objects.filter(tenant_id=membership.tenant_id, role=Role.OWNER, user__is_active=True)
    if not others.exclude(id=membership.id).exists():
        raise LastOwner(f"{membership.user.email} is the only owner. Make somebody else an owner first.")


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise invalid("/role", f"{text!r} is no role; choose one of {', '.join(Role.values)}.") from None


def _record(membership: Membership, action: str, data: dict[str, str], by: Actor, at: datetime) -> None:
    audit.record(
        tenant=membership.tenant_id,
        action=action,
        actor=by,
        target=Target(type="user", id=f"user:{membership.user_id}"),
        outcome=Outcome.SUCCESS,
        data={"member": membership.user.email, **data},
        at=at,
    )
