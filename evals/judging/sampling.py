"""Which runs a judge sees. Pure, and the same for the same run whenever it is asked.

Each run has one number per judge, by a hash of tenant, run and judge; it is chosen where that is below its probability. The
probability is the assignment's rate, but higher in a stratum (version and cohort) of which few runs come, so that each gets
LEAST_A_DAY. It depends on what came before the run, never on the run itself, and is kept with the draw: one over it is the
run's weight. What is always judged has the probability 1.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_A_DAY = 10  # of a stratum, so that a new version or a small cohort is seen within a day
OUTLIER_TIMES = 3.0  # above the agent's p99
OUTLIER_LEAST = 100  # runs, before a p99 means anything
ERROR, REFUSAL, ABORTED, CONFIRMATION, OUTLIER, CHECK = (
    "error",
    "refusal",
    "aborted",
    "confirmation",
    "outlier",
    "check",
)
TITLES = {
    ERROR: "it failed",
    REFUSAL: "it refused",
    ABORTED: "it was aborted",
    CONFIRMATION: "it asked for a confirmation",
    OUTLIER: "it is an outlier in cost, tokens or steps",
    CHECK: "a check failed",
}


@dataclass(frozen=True, slots=True)
class Draw:
    """What came of the lot for one judge."""

    probability: float
    is_chosen: bool
    is_kept: bool


@dataclass(frozen=True, slots=True)
class Usual:
    """The p99 of an agent's recent runs, and how many these are."""

    runs: int
    cost_nano_usd: float
    tokens: float
    steps: float


def lot(tenant: uuid.UUID, run: uuid.UUID, judge: str) -> float:
    """From 0 to 1, evenly spread."""
    digest = hashlib.sha256(tenant.bytes + run.bytes + judge.encode()).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)


def probability(rate: float, seen_today: int) -> float:
    """Of the next run of a stratum of which so many came within the last day. A rate of 0 is meant: nothing then, however few."""
    if rate <= 0:
        return 0.0
    return min(1.0, max(rate, LEAST_A_DAY / max(seen_today + 1, LEAST_A_DAY)))


def draw(*, tenant: uuid.UUID, run: uuid.UUID, judge: str, rate: float, seen_today: int, kept: Sequence[str]) -> Draw:
    if kept:
        return Draw(1.0, is_chosen=True, is_kept=True)
    chance = probability(rate, seen_today)
    return Draw(chance, is_chosen=lot(tenant, run, judge) < chance, is_kept=False)


def is_outlier(usual: Usual | None, *, cost_nano_usd: int, tokens: int, steps: int) -> bool:
    """Far beyond what its agent usually takes."""
    if usual is None or usual.runs < OUTLIER_LEAST:
        return False
    pairs = ((cost_nano_usd, usual.cost_nano_usd), (tokens, usual.tokens), (steps, usual.steps))
    return any(limit > 0 and value > OUTLIER_TIMES * limit for value, limit in pairs)
