"""What is tested each day, and which of it is a finding. The page to read for "why did it tell me, or not"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from evals.drifting.sums import MEASURED, Sums, compare, compare_tools
from evals.statistics import fdr
from evals.statistics.sampletests import Compared, MixCompared, between_days
from evals.types import Dimension, DriftKind, Metric

ACCEPTED = 0.05  # of a day's findings, the share that may be noise
BASELINE_DAYS = 28  # before
BASELINE_LEAST_DAYS = 7  # with runs, of them
BOUNDARY_DAYS = 14  # after a version or hash appeared, it is compared with what it came after
QUIET_DAYS = 7  # back within noise for so long, and a finding is over
SLIDE_QUIET_DAYS = 28  # of a slide
SETTLED_DAYS = 56  # or it has become how things are
VERSIONED = (Dimension.AGENT_VERSION, Dimension.PROMPT_HASH, Dimension.MODEL, Dimension.TOOLS_HASH)
HASHES = VERSIONED[1:]
SAID = {  # the least effect that is told, however certain it is
    Metric.SCORE: 0.2,
    Metric.PASS_RATE: 0.2,
    Metric.FEEDBACK: 0.2,
    Metric.REFUSALS: 0.2,
    Metric.ERRORS: 0.2,
    Metric.TOKENS: 0.3,
    Metric.COST: 0.3,
    Metric.TOOL_MIX: 0.2,
}
# Before anything is seen: what judges and people say matters most, and rests on the smallest samples; and a difference is
# likelier where something was changed than where nothing was.
METRIC_WEIGHT = {Metric.SCORE: 8.0, Metric.PASS_RATE: 4.0, Metric.FEEDBACK: 4.0}  # others 1
BOUNDARY_WEIGHT = 4.0  # others 1


@dataclass(frozen=True, slots=True)
class Boundary:
    """A value appears in (or takes over) an agent's runs on a day, after another."""

    dimension: Dimension
    old: str
    new: str
    day: date


@dataclass(frozen=True, slots=True)
class Tested:
    """One comparison of one cohort. `result` holds the p-value and the effect."""

    kind: DriftKind
    agent: str
    dimension: Dimension
    value: str
    metric: Metric
    before: Sums
    after: Sums
    before_days: tuple[date, date]  # first, last
    after_days: tuple[date, date]
    result: Compared | MixCompared
    boundary: Boundary | None = None


@dataclass(frozen=True, slots=True)
class Found:
    test: Tested
    q: float


def found_among(tests: Sequence[Tested]) -> list[Found]:
    """Those of one day's tests, over all cohorts and metrics together, that are neither chance nor too small to matter."""
    q_values = fdr.adjusted([test.result.p for test in tests], [_weight(test) for test in tests])
    return [
        Found(test, q)
        for test, q in zip(tests, q_values, strict=True)
        if q <= ACCEPTED and abs(test.result.effect) >= SAID[test.metric]
    ]


def boundaries(dimension: Dimension, days: dict[str, dict[date, Sums]], *, today: date) -> list[Boundary]:
    """Where in the last `BOUNDARY_DAYS` complete days a value appeared, or took over; `days` by value.

    What came before it is the value with most runs in the days before.
    """
    found = []
    since = today - timedelta(days=BOUNDARY_DAYS)
    for value, by_day in days.items():
        if not value:
            continue  # runs that say nothing of it are no version
        starts = sorted(day for day, sums in by_day.items() if sums.runs and since <= day < today)
        for day in starts:
            earlier = _runs_between(by_day, day - timedelta(days=BASELINE_DAYS), day)
            others = {
                other: _runs_between(sums, day - timedelta(days=BASELINE_DAYS), day)
                for other, sums in days.items()
                if other != value and other
            }
            old = max(others, key=others.__getitem__, default="")
            if not old or not others[old]:
                break
            if not earlier or (_leads(days, value, day) and _lead_before(days, day) not in (value, "")):
                found.append(Boundary(dimension, _lead_before(days, day) or old, value, day))
                break
    return found


def across_boundary(agent: str, boundary: Boundary, days: dict[str, dict[date, Sums]], *, today: date) -> list[Tested]:
    """The new value's runs since it appeared, against the old value's; also those that went on beside it."""
    first = boundary.day - timedelta(days=BASELINE_DAYS)
    last = today - timedelta(days=1)
    before = _between(days[boundary.old], first, today)
    after = _between(days[boundary.new], boundary.day, today)
    before_last = max((day for day, sums in days[boundary.old].items() if sums.runs and day < today), default=first)
    frame = (first, before_last), (boundary.day, last)
    return _compared(DriftKind.STEP, agent, boundary.dimension, boundary.new, before, after, frame, boundary=boundary)


def newest_day(agent: str, dimension: Dimension, value: str, days: dict[date, Sums], *, today: date) -> list[Tested]:
    """Yesterday's runs of a cohort against the four weeks before; that days differ from each other anyway is noise, too."""
    day = today - timedelta(days=1)
    first = day - timedelta(days=BASELINE_DAYS)
    baseline = [sums for at, sums in days.items() if first <= at < day and sums.runs]
    if day not in days or len(baseline) < BASELINE_LEAST_DAYS:
        return []
    before = _between(days, first, day)
    frame = (first, day - timedelta(days=1)), (day, day)
    return _compared(DriftKind.SHIFT, agent, dimension, value, before, days[day], frame, baseline=baseline)


def _compared(
    kind: DriftKind,
    agent: str,
    dimension: Dimension,
    value: str,
    before: Sums,
    after: Sums,
    frame: tuple[tuple[date, date], tuple[date, date]],
    *,
    boundary: Boundary | None = None,
    baseline: Sequence[Sums] = (),
) -> list[Tested]:
    tests = []
    for metric in MEASURED:
        between = between_days([day.moments(metric) for day in baseline]) if baseline else 0.0
        result = compare(metric, before, after, between=between)
        if result is not None:
            tests.append(Tested(kind, agent, dimension, value, metric, before, after, *frame, result, boundary))
    mix = compare_tools(before, after)
    if mix is not None:
        kind = DriftKind.STEP if boundary else DriftKind.MIX
        tests.append(Tested(kind, agent, dimension, value, Metric.TOOL_MIX, before, after, *frame, mix, boundary))
    return tests


def _weight(test: Tested) -> float:
    return METRIC_WEIGHT.get(test.metric, 1.0) * (BOUNDARY_WEIGHT if test.boundary else 1.0)


def _between(days: dict[date, Sums], first: date, end: date) -> Sums:
    return sum((sums for day, sums in days.items() if first <= day < end), Sums())


def _runs_between(days: dict[date, Sums], first: date, end: date) -> int:
    return sum(sums.runs for day, sums in days.items() if first <= day < end)


def _leads(days: dict[str, dict[date, Sums]], value: str, day: date) -> bool:
    return _leader(days, [day]) == value


def _lead_before(days: dict[str, dict[date, Sums]], day: date) -> str:
    return _leader(days, [day - timedelta(days=back) for back in range(1, 4)])


def _leader(days: dict[str, dict[date, Sums]], among: Iterable[date]) -> str:
    wanted = list(among)
    runs = {value: sum(by_day[day].runs for day in wanted if day in by_day) for value, by_day in days.items() if value}
    best = max(runs, key=runs.__getitem__, default="")
    return best if best and runs[best] else ""
