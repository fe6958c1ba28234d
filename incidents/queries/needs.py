"""What needs our own people now: rows of the house that wait for somebody. Needs the house's scope, or staff's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from django.db.models import Q

from incidents.models import (
    ActionItem,
    Alert,
    CadenceReview,
    CustomerComm,
    Handover,
    Incident,
    Postmortem,
    Watch,
)
from incidents.types import (
    OPEN_ALERT,
    ActionState,
    AlertStatus,
    Cadence,
    CommState,
    IncidentStatus,
    PostmortemState,
    WatchState,
)
from tenants.house import HOUSE_ID
from tenants.types import User

MOST = 12  # of each kind; the lists have them all
_OVER = (IncidentStatus.CLOSED, IncidentStatus.CANCELLED, IncidentStatus.MERGED)
_UNREVIEWED = (PostmortemState.DRAFT, PostmortemState.IN_REVIEW)
_SENT = (CommState.SENT, CommState.DELIVERED, CommState.FAILED)
_WORDS = {
    "incident": "Incident",
    "alert": "Alert",
    "update": "Update",
    "watch": "Watch",
    "handover": "Hand-over",
    "postmortem": "Postmortem",
    "action": "Action item",
    "cadence": "Review",
}
_HANDOVER_LOOK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that waits. `page` and `place` say where it is dealt with; `people` whose it is, nobody: everybody's."""

    kind: str  # incident, alert, update, watch, handover, postmortem, action, cadence
    text: str
    detail: str
    since: datetime
    page: str
    place: list[str] = field(default_factory=list)
    severity: int = 0
    is_taken: bool = False  # somebody has it in hand
    people: list[int] = field(default_factory=list)

    @property
    def word(self) -> str:
        return _WORDS[self.kind]


@dataclass(frozen=True, slots=True)
class Needs:
    """`alerts` and `incidents` count what is open, by severity; `taken` how many alerts somebody acknowledged."""

    alerts: dict[int, int]
    taken: int
    incidents: dict[int, int]
    needs: list[Need]


def needs(*, at: datetime) -> Needs:
    """The worst first: incidents, alerts that nobody has, and then what is late."""
    alerts = list(
        Alert.objects.filter(tenant_id=HOUSE_ID, status__in=OPEN_ALERT)
        .only(
            "severity", "status", "summary", "opened_at", "acknowledged_by"
        )  # not its samples: in a storm there are many
        .order_by("severity", "opened_at", "id")
    )
    incidents = list(
        Incident.objects.filter(tenant_id=HOUSE_ID)
        .exclude(status__in=_OVER)
        .select_related("commander")
        .order_by("severity", "-declared_at", "-id")
    )
    found = [
        *(_of_incident(each) for each in incidents[:MOST]),
        *(_of_alert(each) for each in sorted(alerts, key=lambda each: each.status != AlertStatus.OPEN)[:MOST]),
        *_updates(at),
        *_watches(),
        *_handovers(at),
        *_postmortems(at),
        *_actions(at),
        *_daily_review(at),
    ]
    return Needs(
        alerts=_by_severity(each.severity for each in alerts),
        taken=sum(each.status == AlertStatus.ACKNOWLEDGED for each in alerts),
        incidents=_by_severity(each.severity for each in incidents),
        needs=found,
    )


def _by_severity(severities: Iterator[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for severity in severities:
        found[severity] = found.get(severity, 0) + 1
    return dict(sorted(found.items()))


def _of_incident(incident: Incident) -> Need:
    status = incident.get_status_display()
    who = f"{incident.commander.name or incident.commander.email} commands" if incident.commander else "no commander"
    return Need(
        kind="incident",
        text=f"{incident.ref}: {incident.title}",
        detail=f"{status}, {who}{', a drill' if incident.is_drill else ''}",
        since=incident.declared_at,
        page="incident",
        place=[incident.ref],
        severity=incident.severity,
        is_taken=incident.status not in (IncidentStatus.TRIAGE, IncidentStatus.ACTIVE),
    )


def _of_alert(alert: Alert) -> Need:
    return Need(
        kind="alert",
        text=alert.summary,
        detail=f"acknowledged by {alert.acknowledged_by}" if alert.acknowledged_by else "nobody has acknowledged it",
        since=alert.opened_at,
        page="staff-alert",
        place=[str(alert.id)],
        severity=alert.severity,
        is_taken=alert.status == AlertStatus.ACKNOWLEDGED,
    )


def _updates(at: datetime) -> Iterator[Need]:
    """The newest message of each organisation said when the next one comes."""
    rows = (
        CustomerComm.objects.filter(tenant_id=HOUSE_ID, state__in=_SENT, next_update_due_at__isnull=False)
        .exclude(incident__status__in=_OVER)
        .select_related("incident")
        .order_by("incident", "about_tenant", "audience", "-sent_at")
        .distinct("incident", "about_tenant", "audience")
    )
    late = [each for each in rows if each.next_update_due_at is not None and each.next_update_due_at < at]
    for each in late[:MOST]:
        assert each.next_update_due_at is not None
        yield Need(
            kind="update",
            text=f"{each.incident.ref}: an update for {each.get_audience_display().lower()} is overdue",
            detail="it was promised in the last message",
            since=each.next_update_due_at,
            page="incident-comms",
            place=[each.incident.ref],
        )


def _watches() -> Iterator[Need]:
    rows = Watch.objects.filter(tenant_id=HOUSE_ID, state=WatchState.OVER).select_related("incident")
    for each in rows.order_by("ends_at", "id")[:MOST]:
        yield Need(
            kind="watch",
            text=f"{each.incident.ref}: the watch is over without a breach",
            detail="a person resolves it",
            since=each.ends_at,
            page="incident",
            place=[each.incident.ref],
        )


def _handovers(at: datetime) -> Iterator[Need]:
    unsigned = Q(signed_out_at=None, outgoing__isnull=False) | Q(signed_in_at=None, incoming__isnull=False)
    rows = Handover.objects.filter(unsigned, tenant_id=HOUSE_ID, at__lte=at, at__gte=at - _HANDOVER_LOOK)
    for each in rows.select_related("rotation", "outgoing", "incoming").order_by("at", "id")[:MOST]:
        late = [
            person
            for person, signed in ((each.outgoing, each.signed_out_at), (each.incoming, each.signed_in_at))
            if person is not None and signed is None
        ]
        yield Need(
            kind="handover",
            text=f"The hand-over of {each.rotation.name} is not signed",
            detail="by " + " and ".join(_name(person) for person in late),
            since=each.at,
            page="staff-on-call",
            people=[person.pk for person in late],
        )


def _postmortems(at: datetime) -> Iterator[Need]:
    rows = Postmortem.objects.filter(tenant_id=HOUSE_ID, state__in=_UNREVIEWED, due_at__lt=at).select_related(
        "incident"
    )
    for each in rows.exclude(incident__status__in=_OVER).order_by("due_at", "id")[:MOST]:
        assert each.due_at is not None
        yield Need(
            kind="postmortem",
            text=f"{each.incident.ref}: the postmortem is overdue",
            detail=each.get_state_display().lower(),
            since=each.due_at,
            page="incident-postmortem",
            place=[each.incident.ref],
        )


def _actions(at: datetime) -> Iterator[Need]:
    rows = ActionItem.objects.filter(tenant_id=HOUSE_ID, state=ActionState.OPEN, due_on__lt=at.date())
    for each in rows.select_related("incident", "owner").order_by("due_on", "id")[:MOST]:
        assert each.due_on is not None
        yield Need(
            kind="action",
            text=f"{each.incident.ref}: {each.title}",
            detail=f"overdue, {_name(each.owner)}'s" if each.owner else "overdue, nobody's",
            since=datetime.combine(each.due_on, time.min, UTC),
            page="incident-postmortem",
            place=[each.incident.ref],
            people=[each.owner.pk] if each.owner else [],
        )


def _daily_review(at: datetime) -> Iterator[Need]:
    rows = CadenceReview.objects.filter(tenant_id=HOUSE_ID, cadence=Cadence.DAILY, signed_at__isnull=False)
    last = rows.order_by("-signed_at").values_list("signed_at", flat=True).first()
    if last is None or last < at - timedelta(hours=36):
        yield Need(
            kind="cadence",
            text="The daily review is not signed",
            detail="aborted runs, sampled runs and cost spikes: 15 minutes",
            since=last or at - timedelta(hours=36),
            page="staff-cadences",
        )


def _name(person: User) -> str:
    return person.name or person.email
