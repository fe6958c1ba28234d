"""What every change of an incident does: lock it, leave its entry in the log and its line in the timeline, page."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Min

from audit import services as audit
from audit.types import Actor, Outcome, Target
from incidents.errors import Unknown, WrongState
from incidents.models import Incident
from incidents.services import paging
from incidents.services.timeline import note
from incidents.states import NOT_OVER
from incidents.types import IncidentStatus, PageAction, Severity, TimelineKind


def locked(tenant: uuid.UUID, incident_id: uuid.UUID, *, may_be_over: bool = False) -> Incident:
    """The incident, for a change in this transaction. Raises Unknown, and WrongState where it is closed."""
    found = (
        Incident.objects.select_for_update(of=("self",)).filter(tenant_id=tenant, id=incident_id).first()
        if incident_id
        else None
    )
    if found is None:
        raise Unknown("There is no such incident.")
    if not may_be_over and found.status not in NOT_OVER:
        raise WrongState(f"{found.ref} is {IncidentStatus(found.status).label.lower()}: it is not changed any more.")
    return found


def record(
    incident: Incident, action: str, data: Mapping[str, Any], by: Actor, at: datetime, *, reason: str = ""
) -> None:
    audit.record(
        tenant=incident.tenant_id,
        action=action,
        actor=by,
        target=Target(type="incident", id=incident.ref),
        outcome=Outcome.SUCCESS,
        data=data,
        at=at,
        reason=reason[:2_000],
    )


def tell(
    incident: Incident,
    kind: TimelineKind,
    text: str,
    by: Actor,
    at: datetime,
    *,
    occurred_at: datetime | None = None,
    data: Mapping[str, Any] | None = None,
    link: str = "",
) -> uuid.UUID:
    return note(
        tenant=incident.tenant_id,
        incident_id=incident.id,
        kind=kind,
        text=text,
        by=by,
        at=at,
        occurred_at=occurred_at,
        data=data,
        link=link,
    )


def page(incident: Incident, action: PageAction, because: str, at: datetime) -> None:
    """Tell the pagers of a change of SEV-1 and SEV-2, once for each state number.

    Whoever was paged hears of its end, too, when it was made less of meanwhile.
    """
    worst = incident.severity
    if action is not PageAction.TRIGGER:
        worst = incident.severities.aggregate(worst=Min("became"))["worst"] or worst
    if worst > Severity.SEV2:
        return
    paging.plan_pages(
        tenant=incident.tenant_id,
        subject_kind="incident",
        subject_id=incident.id,
        state_number=incident.status_number,
        action=action,
        severity=worst,
        because=because,
        at=at,
    )
