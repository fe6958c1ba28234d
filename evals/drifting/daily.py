"""A day's tests of one organisation, and which of what they find is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from evals.drifting import policy
from evals.drifting.policy import VERSIONED, Boundary, Found, Tested
from evals.drifting.sums import Sums
from evals.types import Dimension, DriftKind, Metric

COHORTS = (Dimension.ALL, Dimension.PLAN, Dimension.LANGUAGE, Dimension.REGION, Dimension.USER_AGE)
_MOST_WORST = 5

Days = dict[date, Sums]


@dataclass(frozen=True, slots=True)
class Told:
    """A finding, and the cohorts in which the same was found, the worst first."""

    found: Found
    worst: tuple[tuple[Dimension, str, float], ...] = ()


def tests_of_day(days: Mapping[tuple[str, Dimension, str], Days], *, today: date) -> list[Tested]:
    """All that is tested once the day before `today` is complete."""
    by_agent: dict[str, dict[Dimension, dict[str, Days]]] = defaultdict(lambda: defaultdict(dict))
    for (agent, dimension, value), by_day in days.items():
        by_agent[agent][dimension][value] = by_day
    tests: list[Tested] = []
    for agent, dimensions in sorted(by_agent.items()):
        seen = [b for d in VERSIONED if d in dimensions for b in policy.boundaries(d, dimensions[d], today=today)]
        for boundary in deploys(seen):
            tests += policy.across_boundary(agent, boundary, dimensions[boundary.dimension], today=today)
        for dimension in COHORTS:
            for value, by_day in sorted(dimensions.get(dimension, {}).items()):
                tests += policy.newest_day(agent, dimension, value, by_day, today=today)
    return tests


def deploys(boundaries: Sequence[Boundary]) -> list[Boundary]:
    """What appeared on the same day came together: the version stands for all of it, else the first hash. What of it made
    a difference is asked afterwards."""
    by_day: dict[date, Boundary] = {}
    kept = [boundary for boundary in boundaries if boundary.dimension == Dimension.AGENT_VERSION]
    taken = {boundary.day for boundary in kept}
    for boundary in boundaries:
        if boundary.dimension != Dimension.AGENT_VERSION and boundary.day not in taken:
            by_day.setdefault(boundary.day, boundary)
    return kept + list(by_day.values())


def told(found: Sequence[Found]) -> list[Told]:
    """One finding for one thing: a boundary says what its days say, and all runs say what their cohorts say."""
    stepped = {(one.test.agent, one.test.metric) for one in found if one.test.boundary}
    whole = {(one.test.agent, one.test.metric) for one in found if one.test.dimension == Dimension.ALL}
    worst: dict[tuple[str, Metric], list[tuple[Dimension, str, float]]] = defaultdict(list)
    for one in found:
        if one.test.kind in (DriftKind.SHIFT, DriftKind.MIX) and one.test.dimension != Dimension.ALL:
            key = one.test.agent, one.test.metric
            worst[key].append((one.test.dimension, one.test.value, one.test.result.effect))
    answer = []
    for one in found:
        key = one.test.agent, one.test.metric
        is_day = one.test.boundary is None
        if is_day and (key in stepped or (key in whole and one.test.dimension != Dimension.ALL)):
            continue
        by_effect = sorted(worst[key], key=lambda row: -abs(row[2]))
        answer.append(
            Told(one, tuple(by_effect[:_MOST_WORST]) if one.test.dimension == Dimension.ALL or not is_day else ())
        )
    return answer
