"""A finding as a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from evals.drifting.policy import Tested
from evals.statistics.estimates import Estimate
from evals.statistics.sampletests import MixCompared
from evals.types import Dimension, Metric

NOUNS = {
    Metric.SCORE: "judge score",
    Metric.PASS_RATE: "share of passed eval cases",
    Metric.REFUSALS: "share of refusals",
    Metric.ERRORS: "share of failed runs",
    Metric.TOKENS: "tokens of a typical run",
    Metric.COST: "cost of a typical run",
    Metric.FEEDBACK: "share of positive feedback",
    Metric.TOOL_MIX: "mix of tools",
}
_CUT = 24


def figure(metric: Metric, value: float) -> str:
    """A value of a metric as people read it."""
    if metric == Metric.SCORE:
        return f"{value:.2f}"
    if metric == Metric.TOKENS:
        return f"{value:,.0f}"
    if metric == Metric.COST:
        return f"${value:.4f}" if value < 0.1 else f"${value:.2f}"
    return f"{value * 100:.1f} %"


def moved(test: Tested, before: Estimate | None, after: Estimate | None) -> str:
    """What happened, and where; not why."""
    where = (
        ""
        if test.dimension == Dimension.ALL or test.boundary
        else f" for {test.dimension.label.lower()} {short(test.value)}"
    )
    noun = f"{test.agent or 'An agent without a name'}: {NOUNS[test.metric]}{where}"
    if isinstance(test.result, MixCompared):
        tools = ", ".join(f"{short(name)} {a:.0%} → {b:.0%}" for name, a, b in test.result.moved[:2])
        return f"{noun} changed ({tools}){when(test)}"
    word = "rose" if test.result.difference > 0 else "fell"
    if before is None or after is None:
        return f"{noun} {word}{when(test)}"
    return f"{noun} {word} from {figure(test.metric, before.mean)} to {figure(test.metric, after.mean)}{when(test)}"


def when(test: Tested) -> str:
    if test.boundary:
        what = test.boundary.dimension.label.lower()
        return (
            f" with {what} {short(test.boundary.new)} after {short(test.boundary.old)}, since {day(test.boundary.day)}"
        )
    return f" on {day(test.after_days[0])}"


def why(causes: Sequence[tuple[Dimension, str, str]], *, is_told: bool, others: bool) -> str:
    """`causes`: what changed, from, to; `others`: something else did, too. Tells a change of the model from one of the prompt,
    or says that nobody can."""
    names = [dimension.label.lower() for dimension, _, _ in causes]
    if not names:
        return "Prompt, model and tool definitions stayed the same."
    if is_told and len(names) == 1:
        _, old, new = causes[0]
        rest = "what else changed does not explain it" if others else "no other hash did"
        return f"The {names[0]} changed ({short(old)} → {short(new)}); {rest}."
    return f"{_and(names).capitalize()} changed in the same runs: they cannot be told apart."


def slid(agent: str, metric: Metric, *, level: float, now: float, weeks: int) -> str:
    return (
        f"{agent or 'An agent without a name'}: {NOUNS[metric]} slides, from {figure(metric, level)} to {figure(metric, now)}"
        f" in about {weeks} weeks"
    )


def short(value: str) -> str:
    """A value in a sentence. Of a digest the first eight digits, as everywhere."""
    digest = value.removeprefix("sha256:")
    if digest != value and len(digest) > _CUT:
        return digest[:8]
    return value if len(value) <= _CUT else f"{value[: _CUT - 1]}…"


def day(value: date) -> str:
    return f"{value.day} {value:%b}"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
