"""How the review queue is shown: lines, the run at hand, the form's choices. No reads here."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentops.traces.links import TraceLinks, plain_name
from agentops.traces.queries import Run
from agentops.traces.spanview import Content, SpanView, view_of
from agentops.traces.types import SpanKind
from evals.models import HumanLabel, ReviewItem
from evals.queries.queue import Counts
from evals.reviewing.criteria import Criterion, Rubric
from evals.types import QueueReason, Verdict

if TYPE_CHECKING:
    from agentops.traces.models import SpanRow

VERDICT_KEYS = {Verdict.GOOD: "g", Verdict.BAD: "b", Verdict.UNCLEAR: "u"}
_QUIET = (SpanKind.RUN, SpanKind.OTHER)


@dataclass(frozen=True, slots=True)
class Line:
    """One item of the list."""

    item: ReviewItem
    url: str

    @property
    def reasons(self) -> list[str]:
        return reason_words(self.item.reasons)

    @property
    def agent(self) -> str:
        return plain_name(self.item.agent) or "(agent not known)"

    @property
    def weight(self) -> str:
        return weight_words(self.item)

    @property
    def verdict(self) -> str:
        return Verdict(self.item.verdict).label if self.item.verdict else ""


def reason_words(reasons: Sequence[str]) -> list[str]:
    return [QueueReason(reason).label for reason in reasons]


def weight_words(item: ReviewItem) -> str:
    """For how many runs one that chance drew stands."""
    if QueueReason.RANDOM not in item.reasons or item.probability <= 0:
        return ""
    return f"stands for {1 / item.probability:,.0f}"


def reason_options(counts: Counts) -> list[tuple[str, str]]:
    return [(each.value, f"{each.label} ({counts.by_reason.get(each.value, 0):,})") for each in QueueReason]


def agent_options(counts: Counts, chosen: str) -> list[tuple[str, str]]:
    names = {name: f"{plain_name(name)} ({count:,})" for name, count in counts.by_agent.items() if name}
    if chosen:
        names.setdefault(chosen, plain_name(chosen))
    return list(names.items())


# -- the run at hand --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trace:
    """What a reviewer reads of a run: what was asked, what came of it, and the steps between."""

    run: Run
    asked: Content | None
    answered: Content | None
    steps: list[SpanView]
    has_more: bool


def trace_of(run: Run, spans: Sequence[SpanRow], links: TraceLinks, *, has_more: bool) -> Trace:
    views = [view_of(span, (), links) for span in spans]
    root = next((view for view in views if view.span.parent_id is None), None)
    models = [view for view in views if view.span.kind == SpanKind.LLM]
    asked = _content(root, "Input") or next((found for view in models if (found := _content(view, "Input"))), None)
    answered = _content(root, "Output") or next(
        (found for view in reversed(models) if (found := _content(view, "Output"))), None
    )
    if asked is None and run.input_preview:
        asked = Content("Input", run.input_preview)
    if answered is None and run.output_preview:
        answered = Content("Output", run.output_preview)
    steps = [view for view in views if view.span.kind not in _QUIET or view.failure]
    return Trace(run=run, asked=asked, answered=answered, steps=steps, has_more=has_more)


def _content(view: SpanView | None, label: str) -> Content | None:
    if view is None:
        return None
    return next((content for content in view.contents if content.label == label), None)


# -- the form ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """One criterion of the form: its name there, what this person gave, and what others did."""

    name: str
    criterion: Criterion
    mine: str
    others: list[HumanLabel]

    @property
    def choices(self) -> list[tuple[int, str, str]]:
        """The key, the value and the words of each."""
        return [(number, choice.value, choice.title) for number, choice in enumerate(self.criterion.choices, start=1)]


@dataclass(frozen=True, slots=True)
class AskedRubric:
    rubric: Rubric
    criteria: list[Asked]


def field_name(version: uuid.UUID, key: str) -> str:
    return f"label.{version.hex}.{key}"


def asked_rubrics(
    rubrics: Sequence[Rubric], labels: Sequence[HumanLabel], user: int, given: Mapping[str, str]
) -> list[AskedRubric]:
    """The rubrics of the form, filled with what was just given, else with what this person gave before."""
    found = []
    for rubric in rubrics:
        criteria = []
        for criterion in rubric.criteria:
            said = [
                label
                for label in labels
                if label.rubric_version_id == rubric.version and label.criterion == criterion.key
            ]
            name = field_name(rubric.version, criterion.key)
            mine = given.get(name) or next((label.value for label in said if label.user_id == user), "")
            criteria.append(Asked(name, criterion, mine, [label for label in said if label.user_id != user]))
        found.append(AskedRubric(rubric, criteria))
    return found


def verdict_choices(chosen: str) -> list[tuple[str, str, str, bool]]:
    """Value, words, key, and whether it is chosen."""
    return [(each.value, each.label, key, each.value == chosen) for each, key in VERDICT_KEYS.items()]
