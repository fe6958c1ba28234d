"""When runs begin: a rhythm of day and week, and at fixed distances the scenarios, the mishaps and the nightly run.

Everything follows from the seed and the clock on the wall: asked twice for the same time, the timetable answers the
same, so that a demo that is started again goes on where it was, and never tells another past.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

SEED = 20_261_123
NIGHTLY_SECONDS = 2.25 * 3600  # after midnight, UTC
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Pace:
    """`runs` per second on average; one scenario, one mishap in so many seconds; planned in slots of so many.

    `swing` is how much of the rhythm of day and week is heard: 0 is even, 1 all of it.
    """

    runs: float
    swing: float
    scenario_seconds: float
    mishap_seconds: float
    slot_seconds: float


PAST = Pace(runs=1_150 / (48 * 3600), swing=1.0, scenario_seconds=1_500, mishap_seconds=7_200, slot_seconds=1_800)
LIVE = Pace(runs=1.25, swing=0.3, scenario_seconds=30, mishap_seconds=120, slot_seconds=10)


@dataclass(frozen=True, slots=True)
class Booking:
    """Something begins at a time, in seconds since the epoch. `number` counts scenarios and mishaps."""

    at: float
    what: str  # run | scenario | mishap | nightly
    seed: str
    number: int = 0


def between(since: float, until: float, pace: Pace) -> list[Booking]:
    """What begins from `since` (inclusive) to `until`, in order of time."""
    found = [
        *_runs(since, until, pace),
        *_every(since, until, pace.scenario_seconds, "scenario"),
        *_every(since, until, pace.mishap_seconds, "mishap"),
        *_every(since - NIGHTLY_SECONDS, until - NIGHTLY_SECONDS, _DAY, "nightly", NIGHTLY_SECONDS),
    ]
    return sorted((booking for booking in found if since <= booking.at < until), key=lambda booking: booking.at)


def rhythm(at: float) -> float:
    """How busy a moment is: about 1 on average, low at night and on Sundays, highest in the afternoon."""
    moment = datetime.fromtimestamp(at, UTC)
    hour = moment.hour + moment.minute / 60
    by_day = 1 + 0.75 * math.cos((hour - 14.5) / 24 * 2 * math.pi)
    by_week = (1.1, 1.05, 1.0, 1.05, 1.1, 0.85, 0.7)[moment.weekday()]
    return by_day * by_week


def _runs(since: float, until: float, pace: Pace) -> Iterator[Booking]:
    length = pace.slot_seconds
    for slot in range(math.floor(since / length), math.ceil(until / length)):
        rng = Random(f"{SEED}/{length}/{slot}")
        wanted = pace.runs * length * (1 + pace.swing * (rhythm(slot * length) - 1))
        count = int(wanted) + (rng.random() < wanted % 1)
        for index in range(count):
            yield Booking((slot + rng.random()) * length, "run", f"{SEED}/run/{length}/{slot}/{index}")


def _every(since: float, until: float, seconds: float, what: str, shift: float = 0.0) -> Iterator[Booking]:
    for number in range(math.ceil(since / seconds), math.ceil(until / seconds)):
        yield Booking(number * seconds + shift, what, f"{SEED}/{what}/{seconds}/{number}", number)
