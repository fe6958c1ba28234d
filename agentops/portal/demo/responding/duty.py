"""Who is on call in the demo, how they are reached (by mail, since a demo has no pager), and which rules they set."""

from __future__ import annotations

import uuid
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from agentops.common.scope import tenant_scope
from agentops.portal.demo import cast
from agentops.portal.demo.responding.people import actor, person
from incidents.queries import rotas, targets
from incidents.queries import rules as alert_rules
from incidents.services import rotations, rules
from incidents.services import targets as targeting
from incidents.types import AlertClass, Severity, TargetKind
from tenants import queries as tenants
from tenants import services
from tenants.house import house_scope
from tenants.roles import StaffRole

if TYPE_CHECKING:
    from incidents.models import Rotation

ON_CALL, COMMANDERS, MAILBOX = "Agents", "Commanders", "On-call mailbox"


def begin(*, at: datetime) -> None:
    """Rotations, a target and success managers, each where it is not there yet."""
    by = actor(StaffRole.INCIDENT_COMMANDER)
    with house_scope() as house:
        known = {rota.rotation.name: rota.rotation for rota in rotas.rotas(at=at)}
        above = known.get(COMMANDERS) or _rotation(house, COMMANDERS, StaffRole.INCIDENT_COMMANDER, None, at)
        if ON_CALL not in known:
            _rotation(house, ON_CALL, StaffRole.ON_CALL, above.id, at)
        if all(target.name != MAILBOX for target in targets.targets()):
            terms = targeting.Terms(
                name=MAILBOX,
                kind=TargetKind.MAIL.value,
                address=person(StaffRole.ON_CALL).email,
                severities=(Severity.SEV1.value, Severity.SEV2.value),
            )
            targeting.set_target(tenant=house, terms=terms, by=by, at=at)
        _watch_dollars(house, at)
    manager = person(StaffRole.SUCCESS_MANAGER).pk
    for organisation in cast.ORGANISATIONS:
        tenant = tenants.tenant_called(organisation.slug)
        if tenant.success_manager_id is None:
            with tenant_scope(tenant.id):
                services.assign_success_manager(tenant=tenant.id, manager=manager, by=by, at=at)


def _watch_dollars(house: uuid.UUID, at: datetime) -> None:
    """Northwind pays cents for a run: there, a minute of some dollars is news, which wakes nobody by default."""
    northwind = tenants.tenant_called(cast.NORTHWIND).id
    if all(rule.about_tenant != northwind for rule in alert_rules.rules(alert_class=AlertClass.COST_SPIKE)):
        rules.set_rule(
            tenant=house, alert_class=AlertClass.COST_SPIKE, about_tenant=northwind, agent="", is_on=True, severity=None,
            params={"least_usd": 1}, cooldown_seconds=None, by=actor(StaffRole.ON_CALL), at=at,
        )  # fmt: skip


def _rotation(house: uuid.UUID, name: str, role: StaffRole, above: uuid.UUID | None, at: datetime) -> Rotation:
    """Turns of a week since the Monday before last, of those who hold the role."""
    terms = rotations.RotationTerms(
        name=name,
        role=role,
        time_zone="Europe/Berlin",
        starts_on=at.date() - timedelta(days=at.weekday() + 14),
        turn_days=7,
        handover_at=time(10),
        members=[user.pk for user in tenants.staff_by_role()[role]],
        escalates_to=above,
    )
    return rotations.set_rotation(tenant=house, terms=terms, by=actor(StaffRole.INCIDENT_COMMANDER), at=at)
