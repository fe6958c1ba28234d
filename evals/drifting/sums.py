"""What is added up of runs that share a cohort, and two such sums compared, metric by metric."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from evals.statistics import estimates, sampletests
from evals.statistics.estimates import Estimate
from evals.statistics.moments import Moments
from evals.statistics.sampletests import Compared, MixCompared
from evals.types import Metric

SHARES = (Metric.PASS_RATE, Metric.REFUSALS, Metric.ERRORS, Metric.FEEDBACK)
LOGS = (Metric.TOKENS, Metric.COST)
MEASURED = tuple(metric for metric in Metric if metric != Metric.TOOL_MIX)
WORSE_IS_MORE = (Metric.REFUSALS, Metric.ERRORS, Metric.TOKENS, Metric.COST)
LEAST = {  # on either side, before anything is said
    Metric.SCORE: 30,
    Metric.PASS_RATE: 20,
    Metric.FEEDBACK: 20,
    Metric.REFUSALS: 50,
    Metric.ERRORS: 50,
    Metric.TOKENS: 50,
    Metric.COST: 50,
    Metric.TOOL_MIX: 50,
}


@dataclass(frozen=True, slots=True)
class Sums:
    """Of some runs. `tokens` and `cost` are of logarithms (of 1 + tokens, and of 1 + millionths of a dollar)."""

    runs: int = 0
    errors: int = 0
    refusals: int = 0
    tokens: Moments = field(default_factory=Moments)
    cost: Moments = field(default_factory=Moments)
    score: Moments = field(default_factory=Moments)
    ups: int = 0
    downs: int = 0
    passed_cases: int = 0
    cases: int = 0
    tools: Mapping[str, int] = field(default_factory=dict)
    total_tokens: int = 0
    total_cost_nano_usd: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.runs + other.runs,
            self.errors + other.errors,
            self.refusals + other.refusals,
            self.tokens + other.tokens,
            self.cost + other.cost,
            self.score + other.score,
            self.ups + other.ups,
            self.downs + other.downs,
            self.passed_cases + other.passed_cases,
            self.cases + other.cases,
            Counter(self.tools) + Counter(other.tools) if self.tools or other.tools else {},
            self.total_tokens + other.total_tokens,
            self.total_cost_nano_usd + other.total_cost_nano_usd,
        )

    def of_share(self, metric: Metric) -> tuple[int, int]:
        """How many of how many."""
        return {
            Metric.PASS_RATE: (self.passed_cases, self.cases),
            Metric.REFUSALS: (self.refusals, self.runs),
            Metric.ERRORS: (self.errors, self.runs),
            Metric.FEEDBACK: (self.ups, self.ups + self.downs),
        }[metric]

    def moments(self, metric: Metric) -> Moments:
        if metric in SHARES:
            return Moments.of_share(*self.of_share(metric))
        return {Metric.SCORE: self.score, Metric.TOKENS: self.tokens, Metric.COST: self.cost}[metric]

    def size(self, metric: Metric) -> int:
        return self.runs if metric == Metric.TOOL_MIX else self.moments(metric).n

    def estimate(self, metric: Metric) -> Estimate | None:
        """The figure as people read it: a mean score, a share, the typical (geometric mean) tokens or dollars of a run."""
        if metric in SHARES:
            return estimates.share(*self.of_share(metric))
        if metric == Metric.SCORE:
            return self.score.estimate(low=0.0, high=1.0)
        found = self.moments(metric).estimate()
        return found and Estimate(found.n, *(_back(metric, value) for value in (found.mean, found.low, found.high)))


def total(parts: Iterable[Sums]) -> Sums:
    return sum(parts, Sums())


def compare(metric: Metric, before: Sums, after: Sums, *, between: float = 0.0) -> Compared | None:
    """One metric before and after; None where a side is too small to say anything. Tokens and cost differ by a factor's logarithm."""
    if min(before.size(metric), after.size(metric)) < LEAST[metric]:
        return None
    if metric in SHARES:
        return sampletests.shares(*before.of_share(metric), *after.of_share(metric), between=between)
    return sampletests.means(before.moments(metric), after.moments(metric), between=between)


def compare_tools(before: Sums, after: Sums) -> MixCompared | None:
    if min(before.runs, after.runs) < LEAST[Metric.TOOL_MIX]:
        return None
    return sampletests.mixes(before.tools, after.tools, runs=(before.runs, after.runs))


def is_worse(metric: Metric, difference: float) -> bool:
    return difference > 0 if metric in WORSE_IS_MORE else difference < 0


def log_tokens(tokens: int) -> float:
    return math.log1p(max(0, tokens))


def log_cost(nano_usd: int) -> float:
    return math.log1p(max(0, nano_usd) / 1000)


def _back(metric: Metric, value: float) -> float:
    """From the logarithm to tokens, or to dollars."""
    plain = math.expm1(min(value, 60.0))
    return plain / 1_000_000 if metric == Metric.COST else plain
