"""Alerts, as lists and one by one, and how often each detector was right."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q

from agentops.common.cursors import Cursor
from agentops.common.errors import NotFound
from incidents.models import Alert, AlertOccurrence
from incidents.types import OPEN_ALERT, AlertClass, AlertVerdict
from tenants.house import HOUSE_ID

MOST_OPEN = 500


@dataclass(frozen=True, slots=True)
class AlertPage:
    rows: list[Alert]
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class Precision:
    """How often a detector was right: of the alerts that people judged, those that were worth it.

    Duplicates and what was expected count for neither side.
    """

    alert_class: AlertClass
    alerts: int
    actionable: int
    noise: int
    duplicate: int
    expected: int

    @property
    def unjudged(self) -> int:
        return self.alerts - self.actionable - self.noise - self.duplicate - self.expected

    @property
    def share(self) -> float | None:
        judged = self.actionable + self.noise
        return self.actionable / judged if judged else None


def open_alerts() -> list[Alert]:
    """The worst first, then the newest."""
    rows = Alert.objects.filter(tenant_id=HOUSE_ID, status__in=OPEN_ALERT)
    return list(rows.order_by("severity", "-opened_at", "-id")[:MOST_OPEN])


def alert_of(alert_id: uuid.UUID) -> Alert:
    """Raises NotFound."""
    found = Alert.objects.filter(tenant_id=HOUSE_ID, id=alert_id).first()
    if found is None:
        raise NotFound("There is no such alert.")
    return found


def alerts(
    *,
    is_open: bool | None = None,
    alert_class: str = "",
    severity: int | None = None,
    about: uuid.UUID | None = None,
    is_judged: bool | None = None,
    after: Cursor | None = None,
    most: int = 50,
) -> AlertPage:
    """The newest first."""
    wanted = Q(tenant_id=HOUSE_ID)
    if is_open is not None:
        wanted &= Q(status__in=OPEN_ALERT) if is_open else ~Q(status__in=OPEN_ALERT)
    if alert_class:
        wanted &= Q(alert_class=alert_class)
    if severity is not None:
        wanted &= Q(severity=severity)
    if about is not None:
        wanted &= Q(tenants__contains=[about])
    if is_judged is not None:
        wanted &= ~Q(verdict="") if is_judged else Q(verdict="")
    if after is not None:
        wanted &= Q(opened_at__lt=after.at) | Q(opened_at=after.at, id__lt=after.id)
    rows = list(Alert.objects.filter(wanted).order_by("-opened_at", "-id")[: most + 1])
    kept = rows[:most]
    return AlertPage(kept, Cursor(kept[-1].opened_at, kept[-1].id) if len(rows) > most else None)


def occurrences(alert: Alert, *, most: int = 500) -> list[AlertOccurrence]:
    """The latest looks that found it, oldest first."""
    rows = AlertOccurrence.objects.filter(tenant_id=HOUSE_ID, alert=alert).order_by("-at", "-id")[:most]
    return list(rows)[::-1]


def precision(*, since: datetime, until: datetime) -> list[Precision]:
    """By detector, of the alerts that opened in a time; those that saw nothing are left out."""
    counts: dict[str, Any] = {
        name: Count("id", filter=Q(verdict=verdict))
        for name, verdict in (
            ("actionable", AlertVerdict.ACTIONABLE),
            ("noise", AlertVerdict.NOISE),
            ("duplicate", AlertVerdict.DUPLICATE),
            ("expected", AlertVerdict.EXPECTED),
        )
    }
    rows = Alert.objects.filter(tenant_id=HOUSE_ID, opened_at__gte=since, opened_at__lt=until)
    found = rows.values("alert_class").annotate(alerts=Count("id"), **counts).order_by("alert_class")
    return [Precision(**{**row, "alert_class": AlertClass(row["alert_class"])}) for row in found]
