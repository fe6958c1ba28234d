"""The archive of postmortems, what new on-calls read first, and action items over all incidents. In the house's scope."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from agentops.common.cursors import Cursor
from agentops.common.errors import NotFound
from incidents.models import ActionItem, Cause, Postmortem
from incidents.policies import causes as taxonomy
from incidents.policies import reading
from incidents.types import ActionState, IncidentStatus, PostmortemState
from tenants.house import HOUSE_ID

PAGE, WORDS_MOST, READING_FROM = 50, 8, 300
_ENDED = (IncidentStatus.CANCELLED, IncidentStatus.MERGED)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the archive is asked for; empty values ask for all."""

    text: str = ""
    severity: int | None = None
    cause: str = ""
    state: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    postmortem: Postmortem
    root: Cause | None
    actions: int
    undone: int  # open, or said to be done and not verified
    recurred: int

    @property
    def cause(self) -> str:
        return taxonomy.words(self.root.kind, self.root.detail_kind) if self.root else ""


@dataclass(frozen=True, slots=True)
class ArchivePage:
    lines: list[Line]
    next: Cursor | None


def archive(*, wanted: Wanted, after: Cursor | None = None) -> ArchivePage:
    """Postmortems, those of the latest incidents first; every word of a search is in what is found."""
    rows = Postmortem.objects.filter(tenant_id=HOUSE_ID).select_related("incident")
    for word in wanted.text.replace("\0", " ").split()[:WORDS_MOST]:
        rows = rows.filter(text__icontains=word)
    if wanted.severity is not None:
        rows = rows.filter(incident__severity=wanted.severity)
    if wanted.cause:
        of = _roots().filter(incident_id=OuterRef("incident_id"), kind=wanted.cause)
        rows = rows.filter(Exists(of))
    if wanted.state:
        rows = rows.filter(state=wanted.state)
    if wanted.agent:
        rows = rows.filter(incident__agent=wanted.agent.replace("\0", ""))
    if after is not None:
        rows = rows.filter(
            Q(incident__declared_at__lt=after.at) | Q(incident__declared_at=after.at, incident_id__lt=after.id)
        )
    found = list(rows.order_by("-incident__declared_at", "-incident_id")[: PAGE + 1])
    kept = found[:PAGE]
    more = Cursor(kept[-1].incident.declared_at, kept[-1].incident_id) if len(found) > PAGE else None
    return ArchivePage(_lines(kept), more)


def reading_list() -> list[tuple[Line, str]]:
    """What new on-calls read first, each with the reason (policies/reading.py)."""
    rows = Postmortem.objects.filter(
        tenant_id=HOUSE_ID, state=PostmortemState.PUBLISHED, incident__is_drill=False
    ).select_related("incident")
    lines = _lines(list(rows.order_by("-incident__declared_at", "-incident_id")[:READING_FROM]))
    chosen = reading.chosen(
        [
            reading.Candidate(
                key=str(line.postmortem.id),
                severity=line.postmortem.incident.severity,
                cause=line.root.kind if line.root else "",
                recurred=line.recurred,
                declared_at=line.postmortem.incident.declared_at,
            )
            for line in lines
        ]
    )
    by_key = {str(line.postmortem.id): line for line in lines}
    return [(by_key[key], why) for key, why in chosen]


def overdue_postmortems(*, at: datetime) -> list[Postmortem]:
    """Due, and not reviewed; the longest overdue first."""
    rows = Postmortem.objects.filter(tenant_id=HOUSE_ID, reviewed_at=None, due_at__lt=at).exclude(
        incident__status__in=_ENDED
    )
    return list(rows.select_related("incident").order_by("due_at", "id"))


# -- action items -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ActionPage:
    actions: list[ActionItem]
    open: int
    overdue: int
    unverified: int
    recurred: int


def action_of(*, incident_id: uuid.UUID, action_id: uuid.UUID) -> ActionItem:
    """Raises NotFound."""
    rows = ActionItem.objects.filter(tenant_id=HOUSE_ID, incident_id=incident_id, id=action_id)
    found = rows.select_related("incident", "owner").first()
    if found is None:
        raise NotFound("There is no such action item.")
    return found


def actions(*, state: str, kind: str = "", owner: int | None = None, at: datetime, most: int = 200) -> ActionPage:
    """Action items of incidents that were not called off, the longest overdue first, those without a date last.

    `state`: open, overdue, unverified, recurred, or anything else for all.
    """
    rows = _standing()
    if kind:
        rows = rows.filter(kind=kind)
    if owner is not None:
        rows = rows.filter(owner_id=owner)
    states = {
        "open": Q(state=ActionState.OPEN),
        "overdue": Q(state=ActionState.OPEN, due_on__lt=at.date()),
        "unverified": Q(state=ActionState.DONE),
        "recurred": Q(recurred_at__isnull=False),
    }
    counts = rows.aggregate(**{name: Count("id", filter=which) for name, which in states.items()})
    found = rows.filter(states.get(state, Q())).select_related("incident", "owner", "recurred_in")
    return ActionPage(list(found.order_by("due_on", "made_at", "id")[:most]), **counts)


def overdue_actions(*, at: datetime) -> list[ActionItem]:
    """For the weekly page and the dashboard: open after their day, the longest first."""
    rows = _standing().filter(state=ActionState.OPEN, due_on__lt=at.date())
    return list(rows.select_related("incident", "owner").order_by("due_on", "made_at", "id"))


def shown_state(action: ActionItem, at: datetime) -> str:
    """Its state for people: open after its day is overdue."""
    is_late = action.state == ActionState.OPEN and action.due_on is not None and action.due_on < at.date()
    return "overdue" if is_late else action.state


def _standing() -> QuerySet[ActionItem]:
    return ActionItem.objects.filter(tenant_id=HOUSE_ID).exclude(incident__status__in=_ENDED)


def _roots() -> QuerySet[Cause]:
    return Cause.objects.filter(tenant_id=HOUSE_ID, is_root=True, replaced_at=None)


def _lines(found: list[Postmortem]) -> list[Line]:
    ids = [one.incident_id for one in found]
    roots = {one.incident_id: one for one in _roots().filter(incident_id__in=ids)}
    counts = {
        row["incident_id"]: row
        for row in ActionItem.objects.filter(tenant_id=HOUSE_ID, incident_id__in=ids)
        .exclude(state=ActionState.DROPPED)
        .values("incident_id")
        .annotate(
            actions=Count("id"),
            undone=Count("id", filter=~Q(state=ActionState.VERIFIED)),
            recurred=Count("id", filter=Q(recurred_at__isnull=False)),
        )
        .order_by()
    }
    none = {"actions": 0, "undone": 0, "recurred": 0}
    return [
        Line(
            postmortem=one,
            root=roots.get(one.incident_id),
            **{name: counts.get(one.incident_id, none)[name] for name in none},
        )
        for one in found
    ]
