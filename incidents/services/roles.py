"""Who does what in an incident: one person at a time for each role, and who gave one up stays written."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.common import scope
from audit.types import Actor
from incidents import inputs
from incidents.errors import Unknown, WrongState, invalid
from incidents.models import Incident, IncidentRole
from incidents.services.keeping import locked, record, tell
from incidents.types import IncidentRoleName, TimelineKind
from tenants import queries as tenants
from tenants.roles import StaffRole
from tenants.types import User

_R, _S = IncidentRoleName, StaffRole
# What somebody has to be, to take a role; any of ours may write down what happens.
ABLE: dict[IncidentRoleName, frozenset[StaffRole]] = {
    _R.COMMANDER: frozenset({_S.INCIDENT_COMMANDER}),
    _R.ON_CALL: frozenset({_S.ON_CALL, _S.INCIDENT_COMMANDER}),
    _R.SCRIBE: frozenset(_S),
    _R.LIAISON: frozenset({_S.SUCCESS_MANAGER, _S.INCIDENT_COMMANDER}),
    _R.EVAL_OWNER: frozenset({_S.EVAL_OWNER}),
    _R.COST_OWNER: frozenset({_S.COST_OWNER}),
    _R.QUALITY_OWNER: frozenset({_S.QUALITY_OWNER}),
}


def assume_role(
    *, tenant: uuid.UUID, incident_id: uuid.UUID, role: str, user: int, by: Actor, at: datetime
) -> IncidentRole:
    """Give a role to a person, in the place of whoever has it. Raises Unknown, WrongState, InvalidInput."""
    scope.require_tenant(tenant)
    incident = locked(tenant, incident_id)
    role = IncidentRoleName(inputs.one_of("/role", role, IncidentRoleName.values))
    able = ABLE[role]
    if not tenants.staff_roles_of(user) & able:
        wanted = " or ".join(sorted(each.label.lower() for each in able)) if len(able) < len(_S) else "one of ours"
        raise invalid("/user", f"{role.label} is somebody with the staff role {wanted}.", "unable")
    now = _holder(incident, role)
    if now is not None and now.user_id == user:
        return now
    if now is not None:
        _give_up(incident, now, by, at)
    person = User.objects.get(pk=user)
    made = IncidentRole.objects.create(tenant_id=tenant, incident=incident, user=person, role=role, assumed_at=at)
    if role is _R.COMMANDER:
        incident.commander = person
        incident.save(update_fields=["commander"])
    record(incident, "incident.role_assumed", {"member": person.email, "role": role.value}, by, at)
    tell(incident, TimelineKind.ROLE, f"{person.name or person.email}: {role.label}", by, at)
    return made


def renounce_role(*, tenant: uuid.UUID, incident_id: uuid.UUID, role: str, by: Actor, at: datetime) -> None:
    """Take a role back; nobody has it then. A SEV-1 that is past triage keeps a commander: hand the role over instead."""
    scope.require_tenant(tenant)
    incident = locked(tenant, incident_id)
    role = IncidentRoleName(inputs.one_of("/role", role, IncidentRoleName.values))
    now = _holder(incident, role)
    if now is None:
        raise Unknown(f"Nobody is {role.label.lower()} of {incident.ref}.")
    if role is _R.COMMANDER and incident.severity == 1 and incident.status != "triage":
        raise WrongState("A SEV-1 has a commander: give the role to another instead.")
    _give_up(incident, now, by, at)
    if role is _R.COMMANDER:
        incident.commander = None
        incident.save(update_fields=["commander"])


def _holder(incident: Incident, role: IncidentRoleName) -> IncidentRole | None:
    return (
        IncidentRole.objects.filter(
            tenant_id=incident.tenant_id, incident=incident, role=role, renounced_at__isnull=True
        )
        .select_related("user")
        .first()
    )


def _give_up(incident: Incident, held: IncidentRole, by: Actor, at: datetime) -> None:
    held.renounced_at = at
    held.save(update_fields=["renounced_at"])
    data = {"member": held.user.email, "role": held.role}
    record(incident, "incident.role_renounced", data, by, at)
    tell(
        incident, TimelineKind.ROLE,
        f"{held.user.name or held.user.email}: {held.get_role_display()} no more", by, at,
    )  # fmt: skip
