"""Which day, week, month or quarter is to be looked through: the last one that is over. By UTC. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from incidents.types import Cadence

_DAY = timedelta(days=1)
MINUTES = {Cadence.DAILY: 15, Cadence.WEEKLY: 30, Cadence.MONTHLY: 60, Cadence.QUARTERLY: 120}


def period_containing(cadence: Cadence, day: date) -> tuple[date, date]:
    """The first and the last day of the period that a day is in; weeks begin on Monday."""
    if cadence == Cadence.DAILY:
        return day, day
    if cadence == Cadence.WEEKLY:
        monday = day - timedelta(days=day.weekday())
        return monday, monday + 6 * _DAY
    months = 1 if cadence == Cadence.MONTHLY else 3
    first = day.replace(day=1, month=(day.month - 1) // months * months + 1)
    after = (first + months * 31 * _DAY).replace(day=1)
    return first, after - _DAY


def period_due(cadence: Cadence, today: date) -> tuple[date, date]:
    """The period that is to be looked through today."""
    first, _ = period_containing(cadence, today)
    return period_containing(cadence, first - _DAY)


def periods_before(cadence: Cadence, first: date, count: int) -> list[tuple[date, date]]:
    """So many periods before the one that begins on a day, the latest first."""
    found = []
    for _ in range(count):
        period = period_containing(cadence, first - _DAY)
        found.append(period)
        first = period[0]
    return found


def moments(first: date, last: date) -> tuple[datetime, datetime]:
    """From the beginning of its first day until the end of its last."""
    return datetime.combine(first, time(0), UTC), datetime.combine(last + _DAY, time(0), UTC)


def words(cadence: Cadence, first: date) -> str:
    """What people call a period: 25 November 2026, the week of 16 November 2026, November 2026, Q4 2026."""
    if cadence == Cadence.DAILY:
        return f"{first:%-d %B %Y}"
    if cadence == Cadence.WEEKLY:
        return f"the week of {first:%-d %B %Y}"
    if cadence == Cadence.MONTHLY:
        return f"{first:%B %Y}"
    return f"Q{(first.month - 1) // 3 + 1} {first.year}"
