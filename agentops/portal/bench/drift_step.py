"""The second half of `bench drift`: a step at a version boundary among many cohorts, and what is named as its cause."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np

from evals.drifting import policy
from evals.drifting.policy import Boundary
from evals.drifting.sums import Sums
from evals.statistics.attribution import Attribution, Cell, attribute
from evals.statistics.moments import Moments
from evals.statistics.simulate import Noise, flat, scores
from evals.types import Dimension, Metric

COHORTS, RUNS = 20, 300  # runs on each side
BEFORE_DAYS = 7  # over which those before are spread; those after are of one day
TODAY = date(2026, 1, 1)
FACTORS = tuple(dimension.value for dimension in policy.HASHES)


def measure(random: np.random.Generator, histories: int, *, gap: float) -> dict[str, Any]:
    """Every cohort has a boundary; at one of them the score steps. Cohorts without a step share the noise and the family of tests."""
    found = right = elsewhere = falsely = 0
    for _ in range(histories):
        tests, cells, truth = [], [], ()
        for cohort in range(COHORTS):
            sides = _sides(random, gap if cohort == 0 else 0.0)
            tests += _tests(random, f"agent-{cohort}", sides)
            if cohort == 0:
                cells, truth = _cells(random, sides)
        kept = policy.found_among(tests)
        mine = any(one.test.agent == "agent-0" and one.test.metric == Metric.SCORE for one in kept)
        others = sum(one.test.agent != "agent-0" or one.test.metric != Metric.SCORE for one in kept)
        elsewhere += others
        falsely += others > 0
        if mine:
            found += 1
            right += _named(attribute(cells, FACTORS)) == truth
    return {
        "found": round(found / histories, 3),
        "attribution_right": round(right / found, 3) if found and gap else None,
        "other_findings_a_day": round(elsewhere / histories, 4),
        "days_with_others": round(falsely / histories, 4),
    }


def _sides(random: np.random.Generator, gap: float) -> tuple[np.ndarray, np.ndarray]:
    """Scores before, oldest first, and after; the weekday of each has its part in them."""
    noise = Noise()
    week = flat(noise, days=BEFORE_DAYS + 1, phase=random.uniform(0, 7))
    before = scores(random, noise, np.repeat(week[:-1], -(-RUNS // BEFORE_DAYS))[:RUNS])
    after = scores(random, noise, np.clip(np.full(RUNS, week[-1] - gap), 0.02, 0.98))
    return before, after


def _tests(random: np.random.Generator, agent: str, sides: tuple[np.ndarray, np.ndarray]) -> list[policy.Tested]:
    """The cohort's days as production adds them up, through the very function that compares them."""
    day = TODAY - timedelta(days=1)
    boundary = Boundary(Dimension.AGENT_VERSION, "1", "2", day)
    old: dict[date, Sums] = {}
    for back, part in enumerate(np.array_split(sides[0], BEFORE_DAYS)):
        old[day - timedelta(days=BEFORE_DAYS - back)] = _sums(random, part)
    days = {"1": old, "2": {day: _sums(random, sides[1])}}
    return policy.across_boundary(agent, boundary, days, today=TODAY)


def _sums(random: np.random.Generator, values: np.ndarray) -> Sums:
    n = len(values)
    calls = random.multinomial(2 * n, (0.5, 0.3, 0.2))
    return Sums(
        runs=n,
        errors=int(random.binomial(n, 0.03)),
        refusals=int(random.binomial(n, 0.05)),
        tokens=Moments.of(random.normal(7.0, 0.8, n)),
        cost=Moments.of(random.normal(8.0, 0.8, n)),
        score=Moments.of(values),
        ups=int(random.binomial(n // 5, 0.8)),
        downs=n // 25,
        tools=dict(zip(("search", "get_order", "send_mail"), map(int, calls), strict=True)),
    )


def _cells(random: np.random.Generator, sides: tuple[np.ndarray, np.ndarray]) -> tuple[list[Cell], tuple[str, ...]]:
    """Which hashes the runs had, and which of them made the step; by turns

    - one hash changed at the boundary (4 in 10);
    - another one changed a few days before, and made nothing (4 in 10);
    - two changed in the same runs: the right answer is that they cannot be told apart (2 in 10).
    """
    cause, other = random.choice(FACTORS, size=2, replace=False)
    scene = random.uniform()
    at_boundary = {cause} if scene < 0.8 else {cause, other}
    earlier = random.uniform(0.2, 0.8) if 0.4 <= scene < 0.8 else None
    cells: dict[tuple[bool, tuple[str, ...]], list[float]] = {}
    for is_after, values in zip((False, True), sides, strict=True):
        for index, value in enumerate(values):
            hashes = tuple(
                "new"
                if (is_after and factor in at_boundary)
                or (factor == other and earlier is not None and (is_after or index >= earlier * RUNS))
                else "old"
                for factor in FACTORS
            )
            cells.setdefault((is_after, hashes), []).append(float(value))
    return [
        Cell(dict(zip(FACTORS, hashes, strict=True)), is_after, len(values), Moments.of(values))
        for (is_after, hashes), values in cells.items()
    ], tuple(sorted(at_boundary))


def _named(attribution: Attribution) -> tuple[str, ...]:
    return tuple(sorted(change.factor for change in attribution.causes))
