"""What machines keep true of incidents: clocks that follow from rows, switches that were set and not noted."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db.models import Max

from agentops.common import scope
from incidents.models import Alert, Incident, IncidentAlert, Reversal, SideEffect
from incidents.types import REVERSAL_OVER


def follow_clocks(*, tenant: uuid.UUID, incident_id: uuid.UUID) -> bool:
    """Recompute the last harmful step and when the last reversal was over; answers whether anything changed.

    A person's correction that is later than what the rows tell stays.
    """
    scope.require_tenant(tenant)
    incident = Incident.objects.select_for_update(of=("self",)).filter(tenant_id=tenant, id=incident_id).first()
    if incident is None:
        return False
    harms = [each for each in (incident.last_harm_at, last_harm_seen(incident)) if each is not None]
    reversals = Reversal.objects.filter(tenant_id=tenant, incident_id=incident.id)
    is_reversed = reversals.exists() and not reversals.exclude(state__in=REVERSAL_OVER).exists()
    reversed_at = reversals.aggregate(at=Max("ended_at"))["at"] if is_reversed else None
    new: tuple[datetime | None, datetime | None] = (max(harms, default=None), reversed_at)
    if new == (incident.last_harm_at, incident.reversed_at):
        return False
    incident.last_harm_at, incident.reversed_at = new
    incident.save(update_fields=["last_harm_at", "reversed_at"])
    return True


def last_harm_seen(incident: Incident) -> datetime | None:
    """The last harmful step that rows tell of: what its alerts saw, and what was done outside."""
    joined = IncidentAlert.objects.filter(tenant_id=incident.tenant_id, incident=incident, removed_at__isnull=True)
    alerts = Alert.objects.filter(tenant_id=incident.tenant_id, id__in=joined.values("alert_id"))
    done = SideEffect.objects.filter(tenant_id=incident.tenant_id, incident=incident)
    found = (alerts.aggregate(at=Max("last_seen_at"))["at"], done.aggregate(at=Max("occurred_at"))["at"])
    return max((each for each in found if each is not None), default=None)
