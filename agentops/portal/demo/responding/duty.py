"""Who is on call in the demo, and how they are reached: by mail, since a demo has no pager."""

from __future__ import annotations

import uuid
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from agentops.common.scope import tenant_scope
from agentops.portal.demo import cast
from agentops.portal.demo.responding.people import actor, person
from incidents.queries import rotas, targets
from incidents.services import rotations
from incidents.services import targets as targeting
from incidents.types import Severity, TargetKind
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
    manager = person(StaffRole.SUCCESS_MANAGER).pk
    for organisation in cast.ORGANISATIONS:
        tenant = tenants.tenant_called(organisation.slug)
        if tenant.success_manager_id is None:
            with tenant_scope(tenant.id):
                services.assign_success_manager(tenant=tenant.id, manager=manager, by=by, at=at)


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
