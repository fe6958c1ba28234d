"""Whose turn it is: turns of a rotation, at a wall-clock time of a time zone, and who takes over for a while. Pure.

A turn begins at the same wall-clock time all year, so one that spans a change of clocks is an hour shorter or longer. Where
that wall-clock time does not exist (clocks go forward over it) the turn begins as much later as the clocks jump; where it
exists twice, at the first: as RFC 5545, section 3.3.5, reads such times.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MOST_CUTS = 4_000  # of one look: a year of daily turns and as many overrides


@dataclass(frozen=True, slots=True)
class Turns:
    """Who takes turns, in this order, by user id; from which day on, how long a turn is, and when it changes."""

    time_zone: str
    starts_on: date
    turn_days: int
    handover_at: time
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cover:
    """Somebody takes over from `starts_at` until (not including) `ends_at`. Where two overlap, the one made last holds."""

    user: int
    starts_at: datetime
    ends_at: datetime
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Shift:
    """A stretch of time with one person on call; None where nobody is."""

    user: int | None
    starts_at: datetime
    ends_at: datetime
    is_cover: bool = False


def turn_begin(turns: Turns, number: int) -> datetime:
    """When a turn begins, in UTC; the first is number 0."""
    day = turns.starts_on + timedelta(days=number * turns.turn_days)
    return datetime.combine(day, turns.handover_at, ZoneInfo(turns.time_zone)).astimezone(UTC)


def turn_of(turns: Turns, at: datetime) -> int:
    """The number of the turn that a moment falls into; negative before the first."""
    local = at.astimezone(ZoneInfo(turns.time_zone))
    number = (local.date() - turns.starts_on).days // turns.turn_days
    # Clocks, and the time of day at which turns change, move the answer by one at most.
    while turn_begin(turns, number) > at:
        number -= 1
    while turn_begin(turns, number + 1) <= at:
        number += 1
    return number


def who(turns: Turns, covers: Sequence[Cover], able: frozenset[int], at: datetime) -> tuple[int | None, bool]:
    """The user on call at a moment, and whether they took over from somebody.

    Whoever is not able (has left, or holds the role no longer) is passed over: their turn falls to the next who is, so that
    a page finds somebody.
    """
    holding = [cover for cover in covers if cover.starts_at <= at < cover.ends_at and cover.user in able]
    if holding:
        return max(holding, key=lambda cover: cover.made_at).user, True
    number = turn_of(turns, at)
    return (None, False) if number < 0 else (_in_turn(turns, able, number), False)


def _in_turn(turns: Turns, able: frozenset[int], number: int) -> int | None:
    count = len(turns.members)
    following = (turns.members[(number + step) % count] for step in range(count))
    return next((user for user in following if user in able), None)


def next_in_line(turns: Turns, able: frozenset[int], at: datetime, *, besides: int | None) -> int | None:
    """Who would come after the person on call, for an escalation: the next able member who is not that person."""
    number = max(turn_of(turns, at), -1)
    for step in range(1, len(turns.members) + 1):
        user = turns.members[(number + step) % len(turns.members)]
        if user in able and user != besides:
            return user
    return None


def shifts(
    turns: Turns,
    covers: Sequence[Cover],
    able: frozenset[int],
    *,
    since: datetime,
    until: datetime,
    is_by_turn: bool = False,
) -> list[Shift]:
    """Who is on call between two moments, in order and without gaps.

    Neighbours of the same person are one, unless `is_by_turn`: then every turn and every override begins a new one.
    """
    found: list[Shift] = []
    cuts = sorted({since, until, *_cuts(turns, covers, since, until)})
    for begin, end in itertools.pairwise(cuts):
        user, is_cover = who(turns, covers, able, begin)
        last = found[-1] if found else None
        if last and not is_by_turn and (last.user, last.is_cover) == (user, is_cover):
            found[-1] = Shift(user, last.starts_at, end, is_cover)
        else:
            found.append(Shift(user, begin, end, is_cover))
    return found


def _cuts(turns: Turns, covers: Sequence[Cover], since: datetime, until: datetime) -> Iterator[datetime]:
    for cover in covers:
        yield from (moment for moment in (cover.starts_at, cover.ends_at) if since < moment < until)
    first = turn_of(turns, since)
    for number in range(max(first, 0), max(first, 0) + MOST_CUTS):
        begin = turn_begin(turns, number)
        if begin >= until:
            return
        if begin > since:
            yield begin
