"""How a period will end: right for steady spend, aware of weekdays, honest about how sure it is."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest

from agentops.budgets.forecast import HISTORY_DAYS, LEAST_DAYS, WHOLE_DAY, Forecast, forecast
from agentops.common.money import NANO

MONDAY = date(2026, 11, 2)
DAY = timedelta(days=1)


def days(amounts: list[int], first: date = MONDAY) -> list[tuple[date, int]]:
    return [(first + place * DAY, amount) for place, amount in enumerate(amounts)]


def ahead(count: int, first: date) -> list[tuple[date, int]]:
    return [(first + place * DAY, WHOLE_DAY) for place in range(count)]


def of(amounts: list[int], *, spent: int = 0, count: int = 7) -> Forecast | None:
    history = days(amounts)
    return forecast(history=history, spent_nano_usd=spent, ahead=ahead(count, history[-1][0] + DAY))


def test_what_is_spent_evenly_goes_on_so_and_is_sure() -> None:
    found = of([5 * NANO] * 28, spent=11 * NANO, count=10)
    assert found
    assert found.expected_nano_usd == found.low_nano_usd == found.high_nano_usd == 61 * NANO
    assert found.from_days == 28


def test_weekdays_are_told_apart() -> None:
    week = [10 * NANO] * 5 + [0, 0]
    found = of(week * 4)
    assert found
    by_day = [one.expected_nano_usd for one in found.days]
    monday, saturday = by_day[0], by_day[5] - by_day[4]
    assert monday > 3 * saturday
    assert abs(found.expected_nano_usd - 50 * NANO) < NANO, "a week is a week, whatever its days are drawn to"


def test_a_part_of_today_counts_in_part() -> None:
    history = days([8 * NANO] * 14)
    found = forecast(history=history, spent_nano_usd=NANO, ahead=[(history[-1][0] + DAY, WHOLE_DAY // 4)])
    assert found and found.expected_nano_usd == 3 * NANO


@pytest.mark.parametrize("count", range(LEAST_DAYS))
def test_too_little_history_forecasts_nothing(count: int) -> None:
    assert of([0] * (HISTORY_DAYS - count) + [NANO] * count) is None


def test_days_before_the_first_spend_are_no_history() -> None:
    found = of([0] * 18 + [4 * NANO] * 10)
    assert found and found.from_days == 10
    assert found.expected_nano_usd == 28 * NANO


def test_an_old_history_is_forgotten() -> None:
    found = of([900 * NANO] * 40 + [NANO] * HISTORY_DAYS)
    assert found and found.expected_nano_usd == 7 * NANO


def test_never_less_than_what_is_spent() -> None:
    wild = random.Random(1)
    found = of([wild.choice((0, 0, 0, 100 * NANO)) for _ in range(27)] + [NANO], spent=3 * NANO, count=1)
    assert found and found.low_nano_usd == 3 * NANO < found.expected_nano_usd < found.high_nano_usd


def test_the_interval_widens_with_the_days_to_come_and_with_few_days_of_history() -> None:
    wild = random.Random(2)
    amounts = [wild.randrange(5, 15) * NANO for _ in range(28)]
    many, few = of(amounts), of(amounts[-8:])
    assert many and few
    widths = [one.high_nano_usd - one.low_nano_usd for one in many.days]
    assert widths == sorted(widths) and widths[0] < widths[-1]
    assert few.from_days == 8


def test_four_of_five_futures_lie_within() -> None:
    """Four hundred made-up organisations, each with its own level, weekdays and noise: coverage is what is said."""
    wild, within = random.Random(20261126), 0
    for _ in range(400):
        level, noise = wild.uniform(1, 500), wild.uniform(0.05, 0.5)
        weekdays = [wild.uniform(0.7, 1.3) for _ in range(7)]
        amounts = [int(level * weekdays[place % 7] * max(0.0, wild.gauss(1, noise)) * NANO) for place in range(28 + 14)]
        found = of(amounts[:28], count=14)
        assert found
        within += found.low_nano_usd <= sum(amounts[28:]) <= found.high_nano_usd
    assert 0.72 <= within / 400 <= 0.9


def test_the_day_on_which_a_limit_is_reached() -> None:
    found = of([10 * NANO] * 28, spent=5 * NANO)
    assert found
    assert found.reaches(25 * NANO) == MONDAY + 29 * DAY
    assert found.reaches(76 * NANO) is None
