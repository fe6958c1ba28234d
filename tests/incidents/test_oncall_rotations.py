"""Whose turn it is: turns where clocks change, who takes over, who is passed over."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from incidents.policies.rotations import Cover, Shift, Turns, next_in_line, shifts, turn_begin, turn_of, who

ANN, BEN, CAL = 1, 2, 3
ALL = frozenset({ANN, BEN, CAL})
BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)


def turns(**changes: object) -> Turns:
    terms = {"time_zone": "Europe/Berlin", "starts_on": date(2026, 3, 2), "turn_days": 7, "handover_at": time(9), "members": (ANN, BEN, CAL)}  # fmt: skip
    return Turns(**{**terms, **changes})  # type: ignore[arg-type]


def test_a_turn_changes_at_the_same_time_of_day_also_where_clocks_change() -> None:
    weekly = turns()
    lengths = {number: turn_begin(weekly, number + 1) - turn_begin(weekly, number) for number in range(45)}
    assert {number: length for number, length in lengths.items() if length != 7 * DAY} == {
        3: 7 * DAY - timedelta(hours=1),  # 23 to 30 March: clocks go forward on the 29th
        33: 7 * DAY + timedelta(hours=1),  # 19 to 26 October: back on the 25th
    }
    for number in range(45):
        begin = turn_begin(weekly, number)
        assert begin.astimezone(BERLIN).time() == time(9)
        assert [turn_of(weekly, begin + timedelta(microseconds=by)) for by in (-1, 0)] == [number - 1, number]


def test_a_time_that_does_not_exist_is_as_much_later_and_one_that_exists_twice_is_the_first() -> None:
    gap = turns(starts_on=date(2026, 3, 29), handover_at=time(2, 30), turn_days=1)
    assert turn_begin(gap, 0) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 03:30 by the clock
    fold = turns(starts_on=date(2026, 10, 25), handover_at=time(2, 30), turn_days=1)
    assert turn_begin(fold, 0) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    # Samoa had no 30 December 2011: two turns begin at once, and nobody's is lost.
    skipped = turns(time_zone="Pacific/Apia", starts_on=date(2011, 12, 29), turn_days=1)
    begins = [turn_begin(skipped, number) for number in range(4)]
    assert begins == sorted(begins)
    assert [turn_of(skipped, begin) for begin in begins] == [0, 2, 2, 3]


def test_the_last_override_holds_and_whoever_is_not_able_is_passed_over() -> None:
    weekly, begin = turns(), turn_begin(turns(), 0)
    made = [begin - 3 * DAY, begin - 2 * DAY, begin - DAY]
    covers = [
        Cover(BEN, begin + DAY, begin + 3 * DAY, made[0]),
        Cover(CAL, begin + 2 * DAY, begin + 4 * DAY, made[1]),
        Cover(99, begin, begin + 7 * DAY, made[2]),  # has left
    ]
    days = [who(weekly, covers, ALL, begin + number * DAY) for number in range(5)]
    assert days == [(ANN, False), (BEN, True), (CAL, True), (CAL, True), (ANN, False)]
    assert who(weekly, [], ALL, begin - timedelta(microseconds=1)) == (None, False)
    assert who(weekly, [], frozenset({CAL}), begin) == (CAL, False)
    assert who(weekly, [], frozenset(), begin) == (None, False)
    assert next_in_line(weekly, ALL, begin, besides=ANN) == BEN
    assert next_in_line(weekly, ALL, begin, besides=BEN) == CAL  # Ben took over: the next is not asked twice
    assert next_in_line(weekly, frozenset({ANN}), begin, besides=ANN) is None


def test_shifts_leave_no_gap_and_say_what_who_says_at_every_moment() -> None:
    weekly, begin = turns(), turn_begin(turns(), 0)
    covers = [
        Cover(BEN, begin + DAY, begin + 9 * DAY, begin),
        Cover(CAL, begin + 5 * DAY, begin + 6 * DAY, begin + DAY),
    ]
    since, until = begin - 2 * DAY, begin + 30 * DAY
    for is_by_turn in (False, True):
        found = shifts(weekly, covers, ALL, since=since, until=until, is_by_turn=is_by_turn)
        assert (found[0].starts_at, found[-1].ends_at) == (since, until)
        assert all(before.ends_at == after.starts_at for before, after in itertools.pairwise(found))
        for step in range(32 * 24):
            at = since + timedelta(hours=step)
            [shift] = [shift for shift in found if shift.starts_at <= at < shift.ends_at]
            assert (shift.user, shift.is_cover) == who(weekly, covers, ALL, at)
    alone = turns(members=(ANN,))
    assert shifts(alone, [], ALL, since=begin, until=until) == [Shift(ANN, begin, until)]
    assert len(shifts(alone, [], ALL, since=begin, until=until, is_by_turn=True)) == 5
