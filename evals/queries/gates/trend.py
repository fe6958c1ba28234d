"""The pass rate of an agent's suites over time, and what changed where it moved."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from evals.models import SuiteRun
from evals.statistics import estimates
from evals.statistics.estimates import Estimate
from evals.types import SuiteMode, SuiteState

_MOST = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One suite that ran to its end. `changed` is what is other than in the one before it of its line:
    of `the prompt`, `the model`, `the tools`, `the version` and `the cases`."""

    at: datetime
    suite_run: uuid.UUID
    version: str
    rate: Estimate
    changed: Sequence[str]

    @property
    def because(self) -> str:
        """What a change of the rate can come from, as far as the hashes tell."""
        inner = [what for what in self.changed if what not in ("the version", "the cases")]
        if not self.changed:
            return ""
        if "the cases" in self.changed:
            return f"{_listed([*inner, 'the cases'])} changed: the rates are not of the same cases"
        if not inner:
            return "another version with the same prompt, model and tools"
        if len(inner) == 1:
            return f"{inner[0]} changed"
        return f"{_listed(inner)} changed at once, and cannot be told apart"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The suites of one set in one mode, the oldest first."""

    eval_set: str
    mode: SuiteMode
    points: Sequence[Point]


def trend(*, tenant: uuid.UUID, agent: str, since: datetime, is_scheduled: bool = False) -> list[Line]:
    """By set and mode; with `is_scheduled`, only those that the schedule ran."""
    found = SuiteRun.objects.filter(
        tenant_id=tenant, agent=agent, state=SuiteState.DONE, tags=[], begun_at__gte=since, cases__gt=0
    )
    if is_scheduled:
        found = found.filter(trigger="schedule")
    newest = found.select_related("revision__eval_set").order_by("-begun_at", "-id")[:_MOST]
    lines: dict[tuple[str, str], list[SuiteRun]] = defaultdict(list)
    for run in reversed(newest):
        lines[run.revision.eval_set.name, run.mode].append(run)
    return [
        Line(eval_set=name, mode=SuiteMode(mode), points=_points(runs)) for (name, mode), runs in sorted(lines.items())
    ]


def _points(runs: Sequence[SuiteRun]) -> list[Point]:
    points = []
    before: SuiteRun | None = None
    for run in runs:
        rate = estimates.share(run.passed, run.cases)
        assert rate is not None
        points.append(
            Point(
                at=run.ended_at or run.begun_at,
                suite_run=run.id,
                version=run.agent_version,
                rate=rate,
                changed=_changed(before, run) if before else [],
            )
        )
        before = run
    return points


def _changed(before: SuiteRun, after: SuiteRun) -> list[str]:
    pairs = (
        ("the prompt", before.prompt_hash, after.prompt_hash),
        ("the model", before.model, after.model),
        ("the tools", before.tool_definitions_hash, after.tool_definitions_hash),
        ("the version", before.agent_version, after.agent_version),
        ("the cases", before.revision_id, after.revision_id),
    )
    return [what for what, old, new in pairs if old != new]


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
