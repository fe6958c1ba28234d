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
from evals.statistics.slide import Floats
from evals.types import Dimension, Metric

COHORTS, RUNS = 20, 300  # watched; and runs on each side of the boundary
BEFORE_DAYS = 7  # over which those before it are spread; those after it are of one day
WATCHED_DAYS = 14  # of the cohorts, with `RUNS` runs each day
TODAY = date(2026, 1, 1)
YESTERDAY = TODAY - timedelta(days=1)
FACTORS = tuple(dimension.value for dimension in policy.HASHES)
TOOLS = ("search", "get_order", "send_mail")


def measure(random: np.random.Generator, histories: int, *, gap: float, noise: Noise) -> dict[str, Any]:
    """One agent gets a new version yesterday, and `COHORTS` cohorts in which nothing changes are tested with it."""
    found = right = elsewhere = falsely = 0
    for _ in range(histories):
        sides = _sides(random, gap, noise)
        tests = _boundary_tests(random, sides)
        for cohort in range(COHORTS):
            tests += _cohort_tests(random, f"cohort-{cohort}", noise)
        kept = [one.test for one in policy.found_among(tests)]
        mine = [test for test in kept if test.boundary and test.metric == Metric.SCORE]
        elsewhere += len(kept) - len(mine)
        falsely += len(kept) > len(mine)
        if mine:
            found += 1
            cells, truth = _cells(random, sides)
            right += _named(attribute(cells, FACTORS)) == truth
    return {
        "found": round(found / histories, 3),
        "attribution_right": round(right / found, 3) if found and gap else None,
        "other_findings_a_day": round(elsewhere / histories, 4),
        "days_with_others": round(falsely / histories, 4),
    }


def _sides(random: np.random.Generator, gap: float, noise: Noise) -> tuple[Floats, Floats]:
    """Scores before, oldest first, and after; the weekday of each has its part in them."""
    week = flat(noise, days=BEFORE_DAYS + 1, phase=random.uniform(0, 7))
    before = scores(random, noise, np.repeat(week[:-1], -(-RUNS // BEFORE_DAYS))[:RUNS])
    after = scores(random, noise, np.clip(np.full(RUNS, week[-1] - gap), 0.02, 0.98))
    return before, after


def _boundary_tests(random: np.random.Generator, sides: tuple[Floats, Floats]) -> list[policy.Tested]:
    """The two versions' days as production adds them up, through the very function that compares them."""
    old: dict[date, Sums] = {}
    for back, part in enumerate(np.array_split(sides[0], BEFORE_DAYS)):
        old[YESTERDAY - timedelta(days=BEFORE_DAYS - back)] = _sums(random, part)
    days = {"1": old, "2": {YESTERDAY: _sums(random, sides[1])}}
    boundary = Boundary(Dimension.AGENT_VERSION, "1", "2", YESTERDAY)
    return policy.across_boundary("agent", boundary, days, today=TODAY)


def _cohort_tests(random: np.random.Generator, name: str, noise: Noise) -> list[policy.Tested]:
    means = flat(noise, days=WATCHED_DAYS + 1, phase=random.uniform(0, 7))
    values = scores(random, noise, np.repeat(means, RUNS)).reshape(-1, RUNS)
    days = {YESTERDAY - timedelta(days=WATCHED_DAYS - i): _sums(random, day) for i, day in enumerate(values)}
    return policy.newest_day("agent", Dimension.LANGUAGE, name, days, today=TODAY)


def _sums(random: np.random.Generator, values: Floats) -> Sums:
    n = len(values)
    ups = int(random.binomial(n // 4, 0.8))
    return Sums(
        runs=n,
        errors=int(random.binomial(n, 0.03)),
        refusals=int(random.binomial(n, 0.05)),
        tokens=_moments(random.normal(7.0, 0.8, n)),
        cost=_moments(random.normal(8.0, 0.8, n)),
        score=_moments(values),
        ups=ups,
        downs=n // 4 - ups,
        tools=dict(zip(TOOLS, map(int, random.multinomial(2 * n, (0.5, 0.3, 0.2))), strict=True)),
    )


def _moments(values: Floats) -> Moments:
    n = len(values)
    return Moments(n, n, n, float(values.sum()), float((values**2).sum()))


def _cells(random: np.random.Generator, sides: tuple[Floats, Floats]) -> tuple[list[Cell], tuple[str, ...]]:
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
        Cell(dict(zip(FACTORS, hashes, strict=True)), is_after, len(values), _moments(np.array(values)))
        for (is_after, hashes), values in cells.items()
    ], tuple(sorted(at_boundary))


def _named(attribution: Attribution) -> tuple[str, ...]:
    return tuple(sorted(change.factor for change in attribution.causes))
