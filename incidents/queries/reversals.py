"""Reversals as people and jobs read them. In our own organisation's scope."""

from __future__ import annotations

import uuid

from django.db.models import Count, F, Q

from agentops.common.errors import NotFound
from incidents.models import Incident, Reversal
from incidents.types import REVERSAL_OVER, ReversalState


def reversals(incident: Incident, *, state: str = "", most: int = 200) -> list[Reversal]:
    """What is not over first, by how long it can still be undone, then in order; with its effect."""
    rows = Reversal.objects.filter(tenant_id=incident.tenant_id, incident_id=incident.id).select_related("effect")
    if state:
        rows = rows.filter(state=state)
    open_first = rows.annotate(is_open=~_over()).order_by(
        F("is_open").desc(), F("effect__deadline_at").asc(nulls_last=True), "position", "id"
    )
    return list(open_first[:most])


def reversal(incident: Incident, *, reversal: uuid.UUID) -> Reversal:
    """Raises NotFound."""
    rows = Reversal.objects.filter(tenant_id=incident.tenant_id, incident_id=incident.id).select_related("effect")
    found = rows.filter(id=reversal).first()
    if found is None:
        raise NotFound("There is no such reversal.")
    return found


def counts(incident: Incident) -> dict[ReversalState, int]:
    """How many are where; states without any are left out."""
    rows = Reversal.objects.filter(tenant_id=incident.tenant_id, incident_id=incident.id).values("state")
    found = {row["state"]: row["count"] for row in rows.annotate(count=Count("id"))}
    return {state: found[state.value] for state in ReversalState if state.value in found}


def untold(*, tenant: uuid.UUID, most: int = 500) -> list[tuple[Reversal, str]]:
    """Those that are over and not in their organisation's log yet, with the incident's name."""
    rows = Reversal.objects.filter(
        tenant_id=tenant, state__in=REVERSAL_OVER, told_at__isnull=True, ended_at__isnull=False
    )
    found = list(rows.select_related("effect").order_by("ended_at", "id")[:most])
    incidents = Incident.objects.filter(tenant_id=tenant, id__in={one.incident_id for one in found})
    refs = {incident.id: incident.ref for incident in incidents}
    return [(one, refs[one.incident_id]) for one in found if one.incident_id in refs]


def _over() -> Q:
    return Q(state__in=REVERSAL_OVER)
