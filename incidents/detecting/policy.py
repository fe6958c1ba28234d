"""What a look does to an alert: a value in, a value out. The service and the bench of a quiet month decide by these.

One alert is open per fingerprint. It pages when it opens, and again only when its severity rises, an organisation joins or
its value is ten times that of the last page. It closes after so many periods below the threshold; what comes back within
half an hour is the same alert, what comes later is another that names the one before.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

FIRST, WORST, LAST = 5, 10, 5
TIMES_WORSE = 10.0
COMES_BACK = timedelta(minutes=30)
MOST_OCCURRENCES = 500  # of one alert; its count goes on


class Because(StrEnum):
    """Why people are paged: words of `Page.because`."""

    OPENED = "opened"
    REOPENED = "reopened"
    SEVERITY = "severity"
    TENANT = "tenant"
    RATE = "rate"
    RESOLVED = "resolved"
    ACKNOWLEDGED = "acknowledged"


class Joins(StrEnum):
    """What a look becomes beside the latest alert of its fingerprint."""

    SAME = "same"
    REOPENS = "reopens"
    NEW = "new"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paged:
    """What people were told last while it was open; severity is None where nothing stands that they were told."""

    severity: int | None = None
    value: float | None = None
    tenants: int = 0
    at: datetime | None = None


def joins(*, is_open: bool | None, resolved_at: datetime | None, at: datetime) -> Joins:
    """`is_open` is None where there was no alert of this fingerprint."""
    if is_open:
        return Joins.SAME
    if is_open is None or resolved_at is None or at - resolved_at > COMES_BACK:
        return Joins.NEW
    return Joins.REOPENS


def worth_a_page(
    paged: Paged, *, severity: int, value: float, tenants: int, reopened: int, cooldown_seconds: int, at: datetime
) -> Because | None:
    """Why this look is told to people, or None. Only what had ended and comes back waits for the cooldown."""
    if paged.severity is None:
        is_cool = paged.at is None or at - paged.at >= timedelta(seconds=cooldown_seconds)
        return None if not is_cool else Because.REOPENED if reopened else Because.OPENED
    if severity < paged.severity:
        return Because.SEVERITY
    if tenants > paged.tenants:
        return Because.TENANT
    if paged.value and value >= TIMES_WORSE * paged.value:
        return Because.RATE
    return None


def is_over(calm_periods: int, *, needed: int) -> bool:
    """Hysteresis: below the threshold for that many periods, one after the other."""
    return calm_periods >= needed


def with_samples(kept: Iterable[dict[str, Any]], new: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first 5, the worst 10 and the last 5 of all runs that were ever seen, oldest first.

    `{"tenant", "run", "step", "value", "at"}`, `at` as text that sorts as the times do. Exact where each run comes once:
    what is among the first, worst or last of all was among them at every look before.
    """
    known = {(each["tenant"], each["run"]): each for each in kept}
    for each in new:
        key = (each["tenant"], each["run"])
        if key not in known or each["value"] > known[key]["value"]:
            known[key] = {**each, "at": min(each["at"], known[key]["at"]) if key in known else each["at"]}
    by_time = sorted(known, key=lambda key: (known[key]["at"], key))
    by_value = sorted(by_time, key=lambda key: -known[key]["value"])
    wanted = {*by_time[:FIRST], *by_value[:WORST], *by_time[-LAST:]}
    return [known[key] for key in by_time if key in wanted]


def joined(known: Collection[uuid.UUID], more: Iterable[uuid.UUID]) -> list[uuid.UUID]:
    """The organisations of an alert, in the order in which they joined."""
    return list(dict.fromkeys((*known, *more)))
