"""What holds where people decided nothing: each class's severity, rhythm, hysteresis and parameters, with their bounds.

A period is what one look covers: `every_seconds`. An alert ends after `calm_periods` of them without being seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from incidents.types import AlertClass, Severity


@dataclass(frozen=True, slots=True)
class Param:
    """One number that a rule may set. `meaning` is what the page says of it."""

    default: float
    low: float
    high: float
    meaning: str
    unit: str = ""
    is_whole: bool = False

    def words(self, value: float) -> str:
        """An amount of it as people read it: `1 run`, `1,000,000 USD`."""
        unit = self.unit[:-1] if value == 1 and self.unit.endswith("s") else self.unit
        return f"{value:,.10g} {unit}".strip()

    @property
    def default_words(self) -> str:
        return self.words(self.default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    severity: Severity
    every_seconds: int
    calm_periods: int
    meaning: str  # what is watched, and when it becomes an alert
    severity_meaning: str = ""  # where the detector itself makes it worse
    cooldown_seconds: int = 300  # what had ended and comes back pages again only so long after its last page
    params: Mapping[str, Param] = field(default_factory=dict)


_MINUTES = "minutes"
DEFAULTS: Mapping[AlertClass, Defaults] = {
    AlertClass.COST_SPIKE: Defaults(
        severity=Severity.SEV2,
        every_seconds=5,
        calm_periods=24,
        meaning="A minute of an agent, or of all, costs far more than the minutes of the hour before it.",
        severity_meaning="SEV-1 while it rises.",
        params={
            "least_usd": Param(3, 0, 1_000_000, "Minutes that cost less wake nobody", "USD"),
            "alone_times": Param(2, 1, 1000, "One minute alone must be so many times its bound; two need not", "×"),
            "rising_times": Param(10, 1.5, 1000, "So many times the bound in one minute is rising at once", "×"),
        },
    ),
    AlertClass.RUNAWAY: Defaults(
        severity=Severity.SEV2,
        every_seconds=2,
        calm_periods=450,
        meaning="The guard ended a run at a cap, or because it repeated itself; or a run that was only observed made far more steps than its agent's do.",
        severity_meaning="SEV-1 where the run had side effects of tier 3 and above.",
        params={
            "runs": Param(1, 1, 10_000, "So many runs of an agent that the guard ended", "runs", is_whole=True),
            "steps_times": Param(5, 1.5, 1000, "An observed run above so many times its agent's p99 of steps", "×"),
            "steps_least": Param(50, 5, 100_000, "Observed runs of fewer steps are none", "steps", is_whole=True),
        },
    ),
    AlertClass.TOKEN_P99: Defaults(
        severity=Severity.SEV3,
        every_seconds=60,
        calm_periods=30,
        meaning="A run used far more tokens than the p99 of its agent's runs. An investigation is opened: it goes to the review queue.",
        params={
            "times": Param(3, 1, 1000, "So many times the p99 of the days before", "×"),
            "spread": Param(1.3, 0, 10, "And beyond the p99 by so many times the way from the median to it, in orders of size"),
            "least_runs": Param(100, 20, 1_000_000, "With fewer runs in those days nothing is known", "runs", is_whole=True),
            "least_tokens": Param(20_000, 100, 1e9, "Runs of fewer tokens are none", "tokens", is_whole=True),
        },
    ),
    AlertClass.REFUSAL_SPIKE: Defaults(
        severity=Severity.SEV3,
        every_seconds=300,
        calm_periods=6,
        meaning="An agent refuses far more often in the last hour than in the same hour last week.",
        params={
            "times": Param(3, 1.2, 100, "So many times the share of last week", "×"),
            "points": Param(10, 1, 100, "And at least so many percentage points above it", "points"),
            "least_runs": Param(50, 10, 1_000_000, "With fewer runs in either hour nothing is said", "runs", is_whole=True),
        },
    ),
    AlertClass.ERROR_RATE: Defaults(
        severity=Severity.SEV2,
        every_seconds=60,
        calm_periods=10,
        meaning="An agent's runs fail so fast that its error budget of 30 days burns down, over the last hour and the last five minutes both.",
        params={
            "budget_percent": Param(2, 0.1, 50, "Runs that may fail", "%"),
            "burn": Param(14.4, 1, 1000, "So many times as fast as the budget allows (14.4: all of it in two days)", "×"),
            "least_runs": Param(30, 5, 1_000_000, "With fewer runs in the hour nothing is said", "runs", is_whole=True),
            "least_recent": Param(5, 1, 1_000_000, "And with fewer failed runs in five minutes", "runs", is_whole=True),
        },
    ),
    AlertClass.DRIFT: Defaults(
        severity=Severity.SEV3,
        every_seconds=60,
        calm_periods=2,
        cooldown_seconds=86_400,
        meaning="What an agent does or how it is judged is not what it was: a finding of the daily tests.",
    ),
    AlertClass.INTEGRITY: Defaults(
        severity=Severity.SEV1,
        every_seconds=30,
        calm_periods=2,
        meaning="A check of an organisation's audit log failed.",
    ),
    AlertClass.SEAL_LAG: Defaults(
        severity=Severity.SEV1,
        every_seconds=30,
        calm_periods=2,
        meaning="Entries of an audit log wait for their seal for more than five minutes.",
        params={"seconds": Param(300, 60, 86_400, "The oldest entry waits so long", "seconds", is_whole=True)},
    ),
    AlertClass.KILL_SWITCH_LAG: Defaults(
        severity=Severity.SEV1,
        every_seconds=5,
        calm_periods=60,
        meaning="A step was seen after the kill switch that should have stopped it.",
        params={"seconds": Param(1, 0, 3600, "So long after the switch was set", "seconds")},
    ),
    AlertClass.BUDGET: Defaults(
        severity=Severity.SEV3,
        every_seconds=30,
        calm_periods=2,
        cooldown_seconds=86_400,
        meaning="A budget is used up, or spend is above what was planned or is usual.",
        severity_meaning="SEV-2 where it is the whole product's.",
    ),
    AlertClass.QUEUE_LAG: Defaults(
        severity=Severity.SEV2,
        every_seconds=15,
        calm_periods=4,
        meaning="Messages that are due are not sent, judgements that are planned are not asked for, or tasks pile up.",
        params={
            "outbox_seconds": Param(300, 30, 86_400, "A message is due for so long", "seconds", is_whole=True),
            "judging_seconds": Param(1800, 60, 604_800, "A judgement is planned for so long", "seconds", is_whole=True),
            "tasks": Param(2000, 50, 1_000_000, "So many tasks wait in one queue", "tasks", is_whole=True),
        },
    ),
    AlertClass.INGEST_LAG: Defaults(
        severity=Severity.SEV2,
        every_seconds=15,
        calm_periods=4,
        meaning="Runs that are over for long are not finished, or what an organisation sends cannot be taken.",
        severity_meaning="SEV-3 where it is what one organisation sends.",
        params={
            "seconds": Param(300, 30, 86_400, "A run is idle and not finished for so long beyond its time", "seconds", is_whole=True),
            "dead_letters": Param(20, 1, 1_000_000, "So many messages of an organisation could not be taken in an hour", "messages", is_whole=True),
        },
    ),
    AlertClass.TEST_PAGE: Defaults(
        severity=Severity.SEV3,
        every_seconds=60,
        calm_periods=10,
        meaning="A page that somebody sends to see that pages arrive.",
    ),
}  # fmt: skip
