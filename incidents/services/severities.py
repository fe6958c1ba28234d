"""How bad it is: anybody who responds makes it worse, a commander makes it less; acknowledged by whoever comes first."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.common import scope
from audit.types import Actor
from incidents import inputs
from incidents.errors import WrongState
from incidents.models import Incident, SeverityChange
from incidents.services.keeping import locked, page, record, tell
from incidents.services.telling import tell_success_managers
from incidents.states import Who
from incidents.types import PageAction, Severity, TimelineKind


def set_severity(
    *,
    tenant: uuid.UUID,
    incident_id: uuid.UUID,
    severity: int,
    reason: str,
    by: Actor,
    at: datetime,
    who: Who = Who.RESPONDER,
) -> Incident:
    """Say how bad it is, and why. Worse pages again. Raises Unknown, WrongState, InvalidInput."""
    scope.require_tenant(tenant)
    incident = locked(tenant, incident_id)
    became = int(inputs.one_of("/severity", severity, Severity.values))
    reason = inputs.text("/reason", reason, most=2_000)
    was = incident.severity
    if became == was:
        return incident
    if became > was and who is not Who.COMMANDER:
        raise WrongState("Only an incident commander makes less of it. Unsure is the worse.")
    incident.severity = became
    if became < was:
        incident.status_number += 1
    incident.save(update_fields=["severity", "status_number"])
    SeverityChange.objects.create(
        tenant_id=tenant, incident=incident, was=was, became=became, reason=reason, at=at, by=by.label[:200]
    )
    record(incident, "incident.severity_changed", {"was": str(was), "became": str(became)}, by, at, reason=reason)
    tell(incident, TimelineKind.SEVERITY, f"SEV-{became} instead of SEV-{was}: {reason}", by, at)
    if became < was:
        page(incident, PageAction.TRIGGER, f"raised to SEV-{became}", at)
        tell_success_managers(incident)
    return incident


def acknowledge_incident(
    *, tenant: uuid.UUID, incident_id: uuid.UUID, by: Actor, at: datetime, via: str = "page"
) -> Incident:
    """Somebody has seen it; the first one counts. Raises Unknown."""
    scope.require_tenant(tenant)
    incident = locked(tenant, incident_id, may_be_over=True)
    if incident.acknowledged_at is not None:
        return incident
    incident.acknowledged_at = at
    incident.save(update_fields=["acknowledged_at"])
    record(incident, "incident.acknowledged", {"via": via[:40]}, by, at)
    tell(incident, TimelineKind.PAGE, f"Acknowledged ({via[:40]})", by, at)
    page(incident, PageAction.ACKNOWLEDGE, "acknowledged", at)
    return incident
