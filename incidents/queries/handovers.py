"""What one turn leaves to the next. In the house's scope."""

from __future__ import annotations

import itertools
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from agentops.common.errors import NotFound
from incidents.models import Alert, Handover, Incident, Watch
from incidents.queries.rotas import Rota
from incidents.types import OPEN_ALERT, AlertClass, AlertVerdict, IncidentStatus, WatchState
from tenants.house import HOUSE_ID

if TYPE_CHECKING:
    from tenants.models import User

LEAD = timedelta(hours=12)  # before the change it can be written and signed
BACK = timedelta(days=130)  # two of the longest turns
NOISY_REPEATS, NOISY_OPENED = 20, 3
_ITEMS_MOST = 100
_OVER = (IncidentStatus.CLOSED, IncidentStatus.CANCELLED, IncidentStatus.MERGED)


@dataclass(frozen=True, slots=True)
class Change:
    """One person hands over to another at a moment; since when the first was on call."""

    at: datetime
    since: datetime
    outgoing: User | None
    incoming: User | None


def present_change(rota: Rota, *, at: datetime) -> Change | None:
    """The change that is to come within 12 hours, else the last that was; None where nobody has handed over yet."""
    found = [shift for shift in rota.shifts(at - BACK, at + LEAD + timedelta(seconds=1)) if shift.user is not None]
    for before, after in reversed(list(itertools.pairwise(found))):
        if before.user != after.user and after.starts_at <= at + LEAD:
            return Change(after.starts_at, before.starts_at, rota.person(before.user), rota.person(after.user))
    return None


def handover_at(rotation_id: uuid.UUID, changes_at: datetime) -> Handover | None:
    """What was signed of a change already."""
    rows = Handover.objects.filter(tenant_id=HOUSE_ID, rotation_id=rotation_id, at=changes_at)
    return rows.select_related("outgoing", "incoming").first()


def handover_of(handover: uuid.UUID) -> Handover:
    """Raises NotFound."""
    rows = Handover.objects.filter(tenant_id=HOUSE_ID, id=handover)
    found = rows.select_related("rotation", "outgoing", "incoming").first()
    if found is None:
        raise NotFound("There is no such hand-over.")
    return found


def handovers_of(rotation_id: uuid.UUID, *, most: int = 12) -> list[Handover]:
    """The latest first."""
    rows = Handover.objects.filter(tenant_id=HOUSE_ID, rotation_id=rotation_id)
    return list(rows.select_related("outgoing", "incoming").order_by("-at")[:most])


def waiting_handovers(rotas: list[Rota], *, at: datetime) -> list[tuple[Rota, Change, Handover | None]]:
    """Changes of rotations that are on which are not signed by both."""
    changes = [(rota, change) for rota in rotas if rota.rotation.is_on and (change := present_change(rota, at=at))]
    rows = Handover.objects.filter(tenant_id=HOUSE_ID, rotation__in=[rota.rotation.id for rota, _ in changes])
    signed = {(one.rotation_id, one.at): one for one in rows.filter(at__gt=at - BACK)}
    found = [(rota, change, signed.get((rota.rotation.id, change.at))) for rota, change in changes]
    return [one for one in found if one[2] is None or one[2].signed_in_at is None]


def items_to_hand_over(*, since: datetime) -> list[dict[str, Any]]:
    """Open incidents, watches that run or wait, open alerts, and the alerts of a turn that were noise."""
    incidents = Incident.objects.filter(tenant_id=HOUSE_ID).exclude(status__in=_OVER)
    watches = Watch.objects.filter(tenant_id=HOUSE_ID, state__in=(WatchState.RUNNING, WatchState.OVER))
    alerts = Alert.objects.filter(tenant_id=HOUSE_ID, status__in=OPEN_ALERT)
    return [
        *(
            _item("incident", one.ref, f"{one.ref}: {one.title}", f"SEV-{one.severity}, {one.get_status_display()}")
            for one in incidents.order_by("severity", "-declared_at")[:_ITEMS_MOST]
        ),
        *(
            _item(
                "watch",
                one.incident.ref,
                f"Watch of {one.incident.ref}: {one.incident.title}",
                f"{one.get_state_display()}, ends {one.ends_at:%-d %b %H:%M} UTC",
            )
            for one in watches.select_related("incident").order_by("ends_at")[:_ITEMS_MOST]
        ),
        *(
            _item("alert", one.id.hex, one.summary, f"SEV-{one.severity}, {one.get_status_display()}")
            for one in alerts.order_by("severity", "-opened_at")[:_ITEMS_MOST]
        ),
        *_noisy(since),
    ]


def _noisy(since: datetime) -> list[dict[str, Any]]:
    """Classes of alerts that opened again and again in this turn, repeated endlessly, or that people called noise."""
    rows = Alert.objects.filter(tenant_id=HOUSE_ID, opened_at__gte=since).values_list(
        "alert_class", "repeats", "verdict"
    )
    opened, repeats, noise = Counter[str](), Counter[str](), Counter[str]()
    for alert_class, repeated, verdict in rows[:10_000]:
        opened[alert_class] += 1
        repeats[alert_class] = max(repeats[alert_class], repeated)
        noise[alert_class] += verdict == AlertVerdict.NOISE
    return [
        _item(
            "noisy",
            one,
            f"{AlertClass(one).label}: noisy",
            f"opened {count} times, repeated up to {repeats[one]} times, {noise[one]} called noise",
        )
        for one, count in opened.most_common()
        if count >= NOISY_OPENED or repeats[one] >= NOISY_REPEATS or noise[one]
    ]


def _item(kind: str, key: str, label: str, detail: str) -> dict[str, Any]:
    return {"kind": kind, "key": key, "label": label, "detail": detail}
