"""Rates over a sliding minute, from counts of whole minutes."""

from __future__ import annotations

from datetime import datetime

BASELINE_RUNS = 200  # fewer make no baseline
TIMES_BASELINE = 5
WITHOUT_BASELINE = 300


def sliding(*, present: int, previous: int, at: datetime) -> int:
    """How many fell into the last sixty seconds, taking the previous minute as spread evenly; rounded down."""
    left = 60_000_000 - (at.second * 1_000_000 + at.microsecond)
    return present + previous * left // 60_000_000


def model_calls_per_minute(*, p99: int | None, runs: int) -> int:
    """How many model calls one user's runs of an agent may make in a minute."""
    if not p99 or runs < BASELINE_RUNS:  # an agent that has called no model yet has no baseline of it either
        return WITHOUT_BASELINE
    return TIMES_BASELINE * p99


def seconds_left(at: datetime) -> int:
    """When to come back: at the latest when this minute is over."""
    return max(1, 60 - at.second)
