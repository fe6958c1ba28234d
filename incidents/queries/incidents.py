"""Lists of incidents, and what is shown of one. All are rows of the house: its scope, or staff's."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from agentops.common.cursors import Cursor
from incidents.models import (
    Alert,
    Cause,
    Fix,
    Incident,
    IncidentAlert,
    IncidentRole,
    Page,
    Postmortem,
    SeverityChange,
    TimelineEntry,
    Watch,
)
from incidents.policies import grouping
from incidents.policies.grouping import Alike, Marks
from incidents.queries.comms import overdue_incidents
from incidents.states import NOT_OVER
from incidents.types import IncidentStatus, PostmortemState
from tenants.house import HOUSE_ID

SHOWN_MOST, TIMELINE_MOST = 100, 2_000
_REVIEWED = (PostmortemState.REVIEWED, PostmortemState.PUBLISHED)


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """`state`: open, over or all. `text` is looked for in the title; a number such as INC-2026-0042 is its own."""

    state: str = "open"
    severity: int | None = None
    tenant: uuid.UUID | None = None
    text: str = ""
    is_drill: bool | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the list. `late`: what is overdue, in words."""

    incident: Incident
    alerts: int
    late: list[str]


@dataclass(frozen=True, slots=True)
class Lines:
    rows: list[Line]
    next: Cursor | None


def incidents(*, wanted: IncidentFilter, at: datetime, cursor: Cursor | None = None, limit: int = 50) -> Lines:
    """The newest first."""
    rows = Incident.objects.filter(tenant_id=HOUSE_ID).select_related("commander").order_by("-declared_at", "-id")
    if wanted.state == "open":
        rows = rows.filter(status__in=NOT_OVER)
    elif wanted.state == "over":
        rows = rows.exclude(status__in=NOT_OVER)
    if wanted.severity is not None:
        rows = rows.filter(severity=wanted.severity)
    if wanted.tenant is not None:
        rows = rows.filter(tenants__contains=[wanted.tenant])
    if wanted.is_drill is not None:
        rows = rows.filter(is_drill=wanted.is_drill)
    text = wanted.text.replace("\0", "").strip()
    if text:
        rows = rows.filter(_named(text))
    if cursor is not None:
        rows = rows.filter(Q(declared_at__lt=cursor.at) | Q(declared_at=cursor.at, id__lt=cursor.id))
    found = list(rows[: limit + 1])
    last = found[limit - 1] if len(found) > limit else None
    next_ = None if last is None else Cursor(at=last.declared_at, id=last.id)
    return Lines(_lines(found[:limit], at), next_)


def _named(text: str) -> Q:
    number = text.upper().removeprefix("INC-")
    found = Q(title__icontains=text) | Q(agent__iexact=text)
    year, _, rest = number.partition("-")
    if year.isascii() and year.isdigit() and len(year) == 4 and rest.isascii() and rest.isdigit() and len(rest) < 10:
        found |= Q(year=int(year), number=int(rest)) if int(year) < 32_768 and int(rest) < 2**31 else Q()
    return found


def _lines(found: Sequence[Incident], at: datetime) -> list[Line]:
    ids = [each.id for each in found]
    counts: dict[uuid.UUID, int] = {}
    joined = IncidentAlert.objects.filter(tenant_id=HOUSE_ID, incident__in=ids, removed_at__isnull=True)
    for incident in joined.values_list("incident", flat=True):
        counts[incident] = counts.get(incident, 0) + 1
    late: dict[uuid.UUID, list[str]] = {each.id: [] for each in found}
    for incident in overdue_incidents(among=ids, at=at):
        late[incident].append("customer update")
    papers = Postmortem.objects.filter(tenant_id=HOUSE_ID, incident__in=ids, due_at__lt=at)
    for incident in papers.exclude(state__in=_REVIEWED).values_list("incident", flat=True):
        late[incident].append("postmortem")
    return [Line(each, counts.get(each.id, 0), late[each.id] if each.status in NOT_OVER else []) for each in found]


# -- one incident -----------------------------------------------------------------------------------------------------


def alerts_of(incident: uuid.UUID) -> list[tuple[IncidentAlert, Alert]]:
    """Those that belong to it now, the worst first, each with how it came here."""
    places = {
        place.alert_id: place
        for place in IncidentAlert.objects.filter(tenant_id=HOUSE_ID, incident=incident, removed_at__isnull=True)
    }
    rows = Alert.objects.filter(tenant_id=HOUSE_ID, id__in=list(places)).order_by("severity", "opened_at", "id")
    return [(places[alert.id], alert) for alert in rows[:SHOWN_MOST]]


def roles_of(incident: uuid.UUID) -> list[IncidentRole]:
    rows = IncidentRole.objects.filter(tenant_id=HOUSE_ID, incident=incident, renounced_at__isnull=True)
    return list(rows.select_related("user").order_by("assumed_at", "id"))


def pages_of(subjects: Iterable[uuid.UUID]) -> list[Page]:
    """Who was paged about it and its alerts, the newest first."""
    rows = Page.objects.filter(tenant_id=HOUSE_ID, subject_id__in=list(subjects)).select_related("target")
    return list(rows.order_by("-created_at", "-id")[:20])


def timeline_of(incident: uuid.UUID, *, only_customer: bool = False) -> list[TimelineEntry]:
    """As it happened."""
    rows = TimelineEntry.objects.filter(tenant_id=HOUSE_ID, incident_id=incident)
    if only_customer:
        rows = rows.filter(is_internal=False)
    return list(rows.order_by("occurred_at", "id")[:TIMELINE_MOST])


def severities_of(incident: uuid.UUID) -> list[SeverityChange]:
    return list(SeverityChange.objects.filter(tenant_id=HOUSE_ID, incident=incident).order_by("at", "id")[:SHOWN_MOST])


def causes_of(incident: uuid.UUID) -> list[Cause]:
    """The root cause that holds first, then what contributed, then what was said before."""
    rows = list(Cause.objects.filter(tenant_id=HOUSE_ID, incident=incident).order_by("-at", "-id")[:SHOWN_MOST])
    return sorted(rows, key=lambda cause: (cause.replaced_at is not None, not cause.is_root))


def fixes_of(incident: uuid.UUID) -> list[Fix]:
    return list(Fix.objects.filter(tenant_id=HOUSE_ID, incident=incident).order_by("-proposed_at", "-id")[:SHOWN_MOST])


def fix(fix_id: uuid.UUID) -> Fix | None:
    return Fix.objects.filter(tenant_id=HOUSE_ID, id=fix_id).first()


def watches_of(incident: uuid.UUID) -> list[Watch]:
    return list(Watch.objects.filter(tenant_id=HOUSE_ID, incident=incident).order_by("-starts_at", "-id")[:20])


def parts_of(incident: uuid.UUID) -> list[Incident]:
    """Its parts, and those that were merged into it."""
    rows = Incident.objects.filter(Q(parent=incident) | Q(merged_into=incident), tenant_id=HOUSE_ID)
    return list(rows.order_by("declared_at", "id")[:SHOWN_MOST])


def others_open(incident: uuid.UUID) -> list[Incident]:
    """Those it could be merged into, or be a part of."""
    rows = Incident.objects.filter(tenant_id=HOUSE_ID, status__in=NOT_OVER).exclude(id=incident)
    return list(rows.order_by("-declared_at", "-id")[:SHOWN_MOST])


def incident_of_alert(alert: uuid.UUID) -> Incident | None:
    """The incident that an alert belongs to."""
    place = IncidentAlert.objects.filter(tenant_id=HOUSE_ID, alert_id=alert, removed_at__isnull=True)
    found = place.select_related("incident").first()
    return found.incident if found else None


# -- grouping ---------------------------------------------------------------------------------------------------------


def alerts_called(ids: Iterable[uuid.UUID]) -> list[Alert]:
    return list(Alert.objects.filter(tenant_id=HOUSE_ID, id__in=list(ids)).order_by("severity", "opened_at", "id"))


def suggestions(alerts: Sequence[Alert], *, incident: uuid.UUID | None = None) -> list[tuple[Alert, Alike]]:
    """Alerts that belong to these by what they share, and to no incident; not those that people took out of this one."""
    if not alerts:
        return []
    since = min(alert.first_seen_at for alert in alerts) - grouping.WITHIN
    until = max(alert.last_seen_at for alert in alerts) + grouping.WITHIN
    rows = Alert.objects.filter(tenant_id=HOUSE_ID, last_seen_at__gte=since, first_seen_at__lte=until)
    taken = IncidentAlert.objects.filter(Q(removed_at__isnull=True) | Q(incident=incident), tenant_id=HOUSE_ID).values(
        "alert_id"
    )
    near = {
        alert.id: alert
        for alert in rows.exclude(id__in=taken)
        .exclude(id__in=[each.id for each in alerts])
        .order_by("severity", "id")[:500]
    }
    found = grouping.suggested([marks_of(alert) for alert in alerts], [marks_of(alert) for alert in near.values()])
    return [(near[alike.id], alike) for alike in found[:SHOWN_MOST]]


def marks_of(alert: Alert) -> Marks:
    return Marks(
        id=alert.id,
        tenant=alert.about_tenant,
        agent=alert.agent,
        agent_version=alert.agent_version,
        tool=alert.tool,
        model_route=alert.model_route,
        since=min(alert.first_seen_at, alert.opened_at),
        until=alert.last_seen_at,
    )


# -- what sweeps look for ---------------------------------------------------------------------------------------------


def watches_to_look_at() -> list[uuid.UUID]:
    """Those of incidents that are watched: running, or over and not closed yet."""
    rows = Watch.objects.filter(
        tenant_id=HOUSE_ID, state__in=("running", "over"), incident__status=IncidentStatus.WATCHING
    )
    return list(rows.order_by("looked_at", "id").values_list("id", flat=True)[:500])


def incidents_not_over() -> list[Incident]:
    return list(Incident.objects.filter(tenant_id=HOUSE_ID, status__in=NOT_OVER).order_by("-declared_at")[:500])


def reviewed_items(*, at: datetime, within: timedelta) -> list[tuple[Incident, dict[str, Any]]]:
    """Items of review queues that incidents were declared from lately: whether the item knows is looked at again."""
    rows = Incident.objects.filter(tenant_id=HOUSE_ID, declared_at__gt=at - within).order_by("declared_at")[:100]
    return [(each, run) for each in rows for run in each.runs if run.get("item")]
