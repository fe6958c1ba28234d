"""The demo's organisations, people and keys, made through the services."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from agentops.budgets import booking, revenue
from agentops.budgets import services as budgets
from agentops.catalog import services as catalog
from agentops.catalog.manifest import read
from agentops.common.errors import NotFound
from agentops.common.scope import tenant_scope
from agentops.portal.demo import authenticators, cast, keyfile
from agentops.portal.demo.guard import manifests
from agentops.portal.demo.keyfile import DemoKeys
from audit.types import operator
from tenants import keys as key_texts
from tenants import queries, services
from tenants.errors import AlreadyMember, AlreadyStaff
from tenants.types import Tenant

_BY = operator("demo")


@dataclass(frozen=True, slots=True)
class Credential:
    """A line of the table that is shown: who signs in, and as what."""

    place: str
    role: str
    email: str


def make(*, at: datetime) -> list[Credential]:
    """Make the world where it is missing, and answer who may sign in. Every password is `cast.PASSWORD`.

    The keys are stored last, so stored keys that this database knows mean that all is there: then nothing is touched,
    whatever people changed since.
    """
    if not _is_made():
        _make(at)
    return list(_credentials())


def _is_made() -> bool:
    kept = keyfile.read()
    return kept is not None and all(
        _knows(organisation.slug, kept.keys.get(organisation.slug, {})) for organisation in cast.ORGANISATIONS
    )


def _knows(slug: str, texts: dict[str, str]) -> bool:
    """Whether the database holds these keys. One that somebody revoked counts: they meant it."""
    try:
        tenant = queries.tenant_called(slug)
    except NotFound:
        return False
    with tenant_scope(tenant.id):
        held = {key.prefix for key in queries.keys(tenant.id)}
    wanted = {scope for key in cast.KEYS for scope in key.scopes}
    return wanted <= texts.keys() and all(
        key_texts.tenant_of(text) == tenant.id and key_texts.prefix(text) in held for text in texts.values()
    )


def _make(at: datetime) -> None:
    texts = {}
    for organisation in cast.ORGANISATIONS:
        tenant = _tenant(organisation, at)
        _add_members(tenant, organisation.members[1:], at)
        texts[organisation.slug] = _new_keys(tenant, at)
        _apply_manifests(tenant, at)
    for staff in cast.STAFF:
        with contextlib.suppress(AlreadyStaff):
            services.create_staff(
                email=staff.email, name=staff.name, roles=[staff.role], password=cast.PASSWORD, by=_BY, at=at
            )
    booking.book(_revenue(at), by=_BY, at=at)
    keyfile.write(DemoKeys(begun_at=at, keys=texts))


def _revenue(at: datetime) -> Iterator[revenue.Said]:
    """What each organisation paid for its agents, this month and the three before; more from month to month."""
    for organisation in cast.ORGANISATIONS:
        month = at.date().replace(day=1)
        for back in range(4):
            paid = {"month": f"{month:%Y-%m}", "amount_usd": f"{organisation.monthly_usd * (10 - back) / 10:.2f}"}
            yield revenue.Said(
                f"/{organisation.slug}/{back}", {"organisation": organisation.slug, "source": "billing", **paid}
            )
            month = (month - timedelta(days=1)).replace(day=1)


def _tenant(wanted: cast.Organisation, at: datetime) -> Tenant:
    with contextlib.suppress(NotFound):
        return queries.tenant_called(wanted.slug)
    owner = wanted.members[0]
    tenant = services.create_tenant(
        slug=wanted.slug,
        name=wanted.name,
        plan=wanted.plan,
        owner_email=owner.email,
        owner_name=owner.name,
        password=cast.PASSWORD,
        by=_BY,
        at=at,
    )
    with tenant_scope(tenant.id):
        services.change_settings(
            tenant=tenant.id,
            masking=wanted.masking,
            pseudonymise_users=False,
            retention_days=None,
            time_zone=wanted.time_zone,
            idle_minutes=15,
            by=_BY,
            at=at,
        )
        budgets.adopt_calendar(tenant=tenant.id, time_zone=wanted.time_zone, at=at)
        budgets.apply_plan(tenant=tenant.id, plan=wanted.plan, at=at)
    return tenant


def _add_members(tenant: Tenant, members: Iterable[cast.Member], at: datetime) -> None:
    for member in members:
        with contextlib.suppress(AlreadyMember), tenant_scope(tenant.id):
            added = services.add_member(
                tenant=tenant.id,
                email=member.email,
                name=member.name,
                role=member.role,
                password=cast.PASSWORD,
                by=_BY,
                at=at,
            )
            if member.end_user:
                services.link_end_user(
                    tenant=tenant.id, member=added.membership.id, external_id=member.end_user, by=_BY, at=at
                )
            if member.has_authenticator:
                authenticators.enrol(added.user, member)


def _new_keys(tenant: Tenant, at: datetime) -> dict[str, str]:
    texts: dict[str, str] = {}
    with tenant_scope(tenant.id):
        for key in cast.KEYS:
            made = services.create_key(tenant=tenant.id, name=key.name, scopes=key.scopes, by=_BY, at=at)
            texts.update({scope.value: made.text for scope in key.scopes})
    return texts


def _apply_manifests(tenant: Tenant, at: datetime) -> None:
    """The guarded agents; what is proposed only waits for a reviewer. And a budget, so that the guard has one to keep."""
    with tenant_scope(tenant.id):
        for manifest in manifests.MANIFESTS[tenant.slug]:
            catalog.apply_manifest(tenant=tenant.id, manifest=read(manifest), by=_BY, at=at, approve_tools=True)
        if tenant.slug in manifests.PROPOSALS:
            catalog.apply_manifest(tenant=tenant.id, manifest=read(manifests.PROPOSALS[tenant.slug]), by=_BY, at=at)


def _credentials() -> Iterator[Credential]:
    for organisation in cast.ORGANISATIONS:
        for member in organisation.members:
            yield Credential(f"{organisation.name} ({organisation.plan.label})", member.role.label, member.email)
    for staff in cast.STAFF:
        yield Credential("Staff", staff.role.label, staff.email)
