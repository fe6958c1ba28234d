"""What was learnt before, and whether it was enough."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db.models import Q

from agentops.common import scope
from incidents.models import ActionItem, Cause, Incident
from incidents.types import ActionState, CauseKind


def note_recurrence(*, tenant: uuid.UUID, incident_id: uuid.UUID, at: datetime) -> int:
    """Mark the action items of earlier incidents with the same root cause and the same agent or tool: it came back.

    Answers how many are marked now and were not before.
    """
    scope.require_tenant(tenant)
    incident = Incident.objects.get(tenant_id=tenant, id=incident_id)
    cause = Cause.objects.filter(tenant_id=tenant, incident=incident, is_root=True, replaced_at__isnull=True).first()
    same = Q()
    if incident.agent:
        same |= Q(incident__agent=incident.agent)
    if incident.tool:
        same |= Q(incident__tool=incident.tool)
    if cause is None or cause.kind == CauseKind.UNKNOWN or not same:
        return 0
    alike = Cause.objects.filter(
        same, tenant_id=tenant, is_root=True, replaced_at__isnull=True, kind=cause.kind, detail_kind=cause.detail_kind,
        incident__declared_at__lt=incident.declared_at,
    ).exclude(incident=incident)  # fmt: skip
    items = ActionItem.objects.filter(
        tenant_id=tenant, incident__in=list(alike.values_list("incident", flat=True)), recurred_at__isnull=True
    ).exclude(state=ActionState.DROPPED)
    return items.update(recurred_at=at, recurred_in=incident)
