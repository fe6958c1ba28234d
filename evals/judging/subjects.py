"""Reading what is judged: a run with its spans, or what an agent did with one case."""

from __future__ import annotations

import uuid
from typing import Any

import orjson

from agentops.common.errors import NotFound
from agentops.common.ids import span_hex
from agentops.traces import queries as traces
from agentops.traces.types import SpanKind, SpanStatus
from evals.judging import texts
from evals.judging.prompts import STEPS_MOST, Material, Step
from evals.models import CaseRun, Judgement
from evals.types import Subject

_SHOWN = frozenset(
    {SpanKind.LLM, SpanKind.TOOL, SpanKind.SIDE_EFFECT, SpanKind.RETRIEVAL, SpanKind.GUARDRAIL, SpanKind.REASONING}
)


class Gone(Exception):
    """What was to be judged is not kept any more."""


class NoContent(Exception):
    """It is there, and what was asked and answered was not captured."""


def material_of(judgement: Judgement) -> Material:
    """Inside the tenant's scope. Raises Gone, NoContent."""
    if judgement.subject == Subject.CASE_RUN:
        return _of_case_run(judgement)
    return _of_run(judgement.tenant_id, judgement.subject_id)


def _of_run(tenant: uuid.UUID, run_id: uuid.UUID) -> Material:
    try:
        run = traces.get_run(tenant=tenant, run_id=run_id)
    except NotFound as error:
        raise Gone from error
    rows = traces.span_page(run=run, cursor=None, limit=2 * STEPS_MOST).spans
    details = {row.span_id: orjson.loads(row.details) for row in rows}
    basis = orjson.loads(run.basis)
    asked = _content(details, basis, "input")
    answer = _content(details, basis, "output")
    if asked is None and answer is None:
        raise NoContent
    steps = []
    for row in rows:
        if row.span_id == run.root_span_id or row.kind not in _SHOWN or not row.is_counted:
            continue
        found = details[row.span_id]
        is_call = row.kind == SpanKind.LLM
        failed = row.status == SpanStatus.ERROR
        steps.append(
            Step(
                span=span_hex(row.span_id),
                kind=SpanKind(row.kind).name.lower(),
                name=row.tool or row.model or row.name,
                said=found.get("output") if is_call else found.get("arguments", found.get("input")),
                result=None if is_call else found.get("result", found.get("documents", found.get("output"))),
                error=(found.get("status_message") or row.error_type or "error") if failed else "",
            )
        )
    return Material(
        agent=run.agent,
        models=tuple(run.model_names),
        asked=texts.asked_text(asked) or "",
        answer=texts.answer_text(answer) or "",
        steps=steps,
    )


def _content(details: dict[int, dict[str, Any]], basis: dict[str, Any], name: str) -> Any:
    place = basis.get(name)
    return details.get(place[2], {}).get(name) if place else None


def _of_case_run(judgement: Judgement) -> Material:
    row = (
        CaseRun.objects.filter(tenant_id=judgement.tenant_id, id=judgement.subject_id)
        .select_related("case", "suite_run")
        .first()
    )
    if row is None:
        raise Gone
    if row.output is None and not row.steps:
        raise NoContent
    case = orjson.loads(row.case.content) if isinstance(row.case.content, str) else row.case.content
    steps = [_case_step(place, step) for place, step in enumerate(row.steps, start=1) if isinstance(step, dict)]
    models = {step.name for step in steps if step.kind == "llm" and step.name} | {row.suite_run.model}
    return Material(
        agent=row.suite_run.agent,
        models=tuple(sorted(filter(None, models))),
        asked=texts.asked_text(case.get("input")) or "",
        answer=texts.answer_text(row.output) or "",
        steps=steps,
        expected=str(case.get("title", "")),
    )


def _case_step(place: int, step: dict[str, Any]) -> Step:
    """A step as the client tells it: a model call or a tool call, under a number instead of a span's id."""
    kind = str(step.get("kind", step.get("type", "step")))
    return Step(
        span=f"{place:016x}",
        kind="llm" if kind in ("model", "model_call", "llm") else kind,
        name=str(step.get("tool") or step.get("model") or step.get("name") or "")[:200],
        said=step.get("arguments", step.get("output")),
        result=step.get("result"),
        error=str(step.get("error") or "")[:2_000],
    )
