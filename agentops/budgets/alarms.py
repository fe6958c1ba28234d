"""When spend is more than what is usual, or than what was planned. Values in, a verdict out; amounts are nano-dollars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from agentops.common.money import NANO

SPIKE_TIMES = 5  # a minute above so many times that of the hour before
SPIKE_FLOOR = 1 * NANO  # a minute below this is no spike, however quiet the hour was
NEW_FLOOR = 10 * NANO  # the same where too little is known of what is usual
HISTORY = timedelta(minutes=10)  # from here on something is known
HOUR_MINUTES = 60
CALM_MINUTES = 3  # a spike is over when so many whole minutes in a row were below its bound
NEW_USUAL = timedelta(hours=6)  # what has gone on so long is the level now, and is measured anew

DAY_PERCENT = 150  # of the mean of the days before
BASELINE_DAYS = 7
BASELINE_LEAST = 3  # days of them with spend, or nothing is known
# Before today: whether anything was spent before the baseline's days tells a new product from a pause.
DAYS_LOOKED_AT = 13
DAY_FLOOR = 10 * NANO

NEAR_PERCENT = 80  # of what the plan gives for the month
FORECAST_FROM_DAY = 3  # of the month: before, a forecast says little


@dataclass(frozen=True, slots=True)
class Excess:
    """More than it should be: how much was spent, the bound it passed, and what the bound was made of."""

    amount_nano_usd: int
    bound_nano_usd: int
    baseline_nano_usd: int


def spike_bound(hour_nano_usd: int, *, known_for: timedelta, times: int = SPIKE_TIMES) -> int:
    """What a minute may cost after an hour that cost so much, `known_for` after the first call that is known of."""
    if known_for < HISTORY:
        return NEW_FLOOR
    return max(SPIKE_FLOOR, hour_nano_usd * times // HOUR_MINUTES)


def spike(minutes: Sequence[int], *, bound: int, hour_nano_usd: int) -> Excess | None:
    """Is one of these minutes (the present and those just before, whose spans may have come late) above the bound?"""
    worst = max(minutes, default=0)
    return Excess(worst, bound, hour_nano_usd // HOUR_MINUTES) if worst > bound else None


def day_above_baseline(today: int, before: Sequence[int]) -> Excess | None:
    """Is a day (as far as it has come) above 1.5 times the mean of the seven before?

    `before` are DAYS_LOOKED_AT days, the latest first, 0 where nothing.
    """
    if sum(1 for amount in before[:BASELINE_DAYS] if amount) < BASELINE_LEAST:
        return None
    baseline = usual_day(before)
    bound = max(DAY_FLOOR, baseline * DAY_PERCENT // 100)
    return Excess(today, bound, baseline) if today > bound else None


def baseline_days(before: Sequence[int]) -> int:
    """How many of the seven days before count: those before the first spend do not, as nobody was there yet."""
    known = max((place for place, amount in enumerate(before, start=1) if amount), default=0)
    return min(known, BASELINE_DAYS)


def usual_day(before: Sequence[int]) -> int:
    """The mean of the days of the baseline."""
    days = baseline_days(before)
    return sum(before[:days]) // days if days else 0


def week_above_plan(week: int, planned: int | None) -> Excess | None:
    """Is a week above what was planned for it? None where nobody planned."""
    return Excess(week, planned, planned) if planned is not None and week > planned else None


def plan_is_near(month: int, tier: int) -> Excess | None:
    """Has a month used most of what its plan gives?"""
    bound = tier * NEAR_PERCENT // 100
    return Excess(month, bound, tier) if month >= bound else None


def plan_will_pass(month: int, tier: int, *, before: Sequence[int], day_of_month: int, days_left: int) -> Excess | None:
    """Would a month pass what its plan gives, if each day left were a `usual_day`? `before` as for `day_above_baseline`."""
    known = sum(1 for amount in before[:BASELINE_DAYS] if amount)
    if day_of_month < FORECAST_FROM_DAY or known < BASELINE_LEAST:
        return None
    foreseen = month + usual_day(before) * days_left
    return Excess(foreseen, tier, tier) if foreseen > tier else None
