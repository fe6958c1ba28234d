"""A month in which nothing is wrong: runs of agents that come by chance, busier by day and in the week, of which one in a
hundred fails, some refuse, and few cost or say much more than the others."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DAY, WARM_UP_DAYS, DAYS = 24 * 60, 8, 30  # minutes of a day; days that are known before the month
ERRORS, REFUSALS = 0.01, 0.02
ORGANISATIONS, AGENTS = 4, 5  # agents of each
RAREST, BUSIEST = 0.05, 8.0  # runs a minute
COST_USD, COST_SPREAD = 0.02, 1.0  # the median of a run, and the deviation of its logarithm
TOKENS, TOKEN_SPREAD = 4_000, 0.8
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent's runs, in the order of their minutes."""

    tenant: uuid.UUID
    name: str
    minute: Ints
    cost: Ints  # nano-dollars
    tokens: Ints
    steps: Ints
    failed: NDArray[np.bool_]
    refused: NDArray[np.bool_]

    def by_minute(self, weights: NDArray[np.generic] | None = None) -> Ints:
        """So many runs in each minute, or the sum of something over them."""
        return np.bincount(self.minute, weights=weights, minlength=minutes()).astype(np.int64)


def minutes() -> int:
    return (WARM_UP_DAYS + DAYS) * DAY


def month(random: np.random.Generator, *, busiest: float = BUSIEST) -> list[Agent]:
    """All agents of all organisations: from one run in twenty minutes to so many a minute."""
    rates = (np.log(RAREST), np.log(busiest))
    return [
        _agent(random, uuid.UUID(int=number + 1), f"agent-{which}", per_minute=float(np.exp(random.uniform(*rates))))
        for number in range(ORGANISATIONS)
        for which in range(AGENTS)
    ]


def rhythm(random: np.random.Generator) -> Floats:
    """How busy each minute is beside the mean: a wave of the day, less on two days of seven."""
    minute = np.arange(minutes())
    day = 1 + 0.8 * np.sin(2 * np.pi * (minute / DAY + random.uniform()))
    week = np.where((minute // DAY + random.integers(7)) % 7 < 2, 0.4, 1.24)
    return np.asarray(day * week, dtype=np.float64)


def _agent(random: np.random.Generator, tenant: uuid.UUID, name: str, *, per_minute: float) -> Agent:
    came = random.poisson(per_minute * rhythm(random))
    minute = np.repeat(np.arange(minutes()), came)
    runs = len(minute)
    size = random.lognormal(0.0, 1.0, runs)  # a long run costs more, says more and takes more steps
    return Agent(
        tenant=tenant,
        name=name,
        minute=minute,
        cost=(COST_USD * size**COST_SPREAD * 1e9).astype(np.int64),
        tokens=(TOKENS * size**TOKEN_SPREAD).astype(np.int64),
        steps=1 + random.poisson(4 * np.minimum(size, 20) ** 0.5),
        failed=random.random(runs) < ERRORS,
        refused=random.random(runs) < REFUSALS,
    )


def total(agents: Sequence[Agent]) -> Ints:
    """What all of them cost in each minute."""
    return np.asarray(np.sum([agent.by_minute(agent.cost) for agent in agents], axis=0), dtype=np.int64)
