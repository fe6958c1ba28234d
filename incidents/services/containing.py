"""What stops the harm: kill switches that were set because of an incident, or the written decision to use none."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.common import scope
from audit.types import Actor
from incidents import inputs
from incidents.errors import WrongState
from incidents.models import Incident, IncidentSwitch
from incidents.services.keeping import locked, record, tell
from incidents.states import Who
from incidents.types import Severity, TimelineKind

SCOPES = ("product", "tenant", "agent", "user")


def note_switch(
    *,
    tenant: uuid.UUID,
    incident_id: uuid.UUID,
    switch_id: uuid.UUID,
    about_tenant: uuid.UUID | None,
    kind: str,
    scope_id: str,
    mode: str,
    set_at: datetime,
    by: Actor,
    at: datetime,
) -> IncidentSwitch:
    """Note that a kill switch is on because of this incident; noted again, it is known to be still on.

    The switch itself is the customer's row, or the product's: `agentops.runtime.services` sets it. Raises Unknown.
    """
    scope.require_tenant(tenant)
    incident = locked(tenant, incident_id)
    kind = inputs.one_of("/kind", kind, list(SCOPES))
    made, is_new = IncidentSwitch.objects.get_or_create(
        tenant_id=tenant,
        incident=incident,
        switch_id=switch_id,
        defaults={
            "about_tenant": about_tenant, "scope": kind, "scope_id": scope_id, "mode": mode, "at": at, "by": by.label[:200],
        },
    )  # fmt: skip
    if not is_new:
        IncidentSwitch.objects.filter(tenant_id=tenant, id=made.id).update(at=at)
        return made
    data = {"switch": str(switch_id), "scope": kind, "id": scope_id, "mode": mode}
    record(incident, "incident.switch_noted", data, by, at)
    tell(
        incident, TimelineKind.SWITCH, f"Set on {_words(kind, scope_id)} ({mode.replace('_', ' ')})", by, at,
        occurred_at=min(set_at, at), data={**data, "tenant": str(about_tenant or "")},
    )  # fmt: skip
    return made


def decide_not_to_stop(
    *,
    tenant: uuid.UUID,
    incident_id: uuid.UUID,
    reason: str,
    by: Actor,
    at: datetime,
    who: Who = Who.COMMANDER,
) -> Incident:
    """Write down, with a name, why a SEV-1 is contained without a kill switch. Raises Unknown, WrongState, InvalidInput."""
    scope.require_tenant(tenant)
    incident = locked(tenant, incident_id)
    reason = inputs.text("/reason", reason, most=2_000)
    if who is not Who.COMMANDER:
        raise WrongState("Only an incident commander decides to use no kill switch.")
    if incident.severity != Severity.SEV1:
        raise WrongState(f"A SEV-{incident.severity} is contained without a kill switch anyway.")
    incident.not_stopped_because, incident.not_stopped_by = reason, by.label[:200]
    incident.save(update_fields=["not_stopped_because", "not_stopped_by"])
    record(incident, "incident.not_stopped", {}, by, at, reason=reason)
    tell(incident, TimelineKind.SWITCH, f"Decided to use no kill switch: {reason}", by, at)
    return incident


def _words(kind: str, scope_id: str) -> str:
    return {"product": "all agents of all organisations", "tenant": "the whole organisation"}.get(
        kind, f"{kind} {scope_id}"
    )
