"""A recorded run as a tape: its input, what it asked of models and tools in order, what it got, and what it answered."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from agentops.common import strictjson
from agentops.common.errors import TooLarge
from agentops.common.ids import span_hex
from agentops.common.money import usd_text
from agentops.traces import queries as traces
from agentops.traces.queries import Run
from agentops.traces.types import SpanKind, SpanStatus
from evals.sets.cases import digest_of

FORM = 1
STEPS_MOST = 2_000
_PAGE = 500
_ERROR_MOST = 2_000
Tape = dict[str, Any]


def of_run(*, tenant: uuid.UUID, run_id: uuid.UUID) -> Tape:
    """The tape of a run. Inside the tenant's scope. Raises NotFound, TooLarge.

    What was masked at ingest is masked here; a span that captured no content has null for it.
    """
    run = traces.get_run(tenant=tenant, run_id=run_id)
    rows = _spans(run)
    details = {row.span_id: orjson.loads(row.details) for row in rows}
    basis = orjson.loads(run.basis)
    steps = [
        step
        for row in rows
        if row.span_id != run.root_span_id and row.is_counted
        if (step := _step(row, details[row.span_id])) is not None
    ]
    return {
        "form": FORM,
        "run_id": run.run_id.hex,
        "agent": run.agent,
        "agent_version": run.agent_version,
        "prompt_hash": run.prompt_hash,
        "tool_definitions_hash": run.tool_definitions_hash,
        "input": _content(details, basis, "input"),
        "output": _content(details, basis, "output"),
        "steps": steps,
        "input_tokens": run.input_tokens,
        "output_tokens": run.output_tokens,
        "cost_usd": usd_text(run.cost_nano_usd),
    }


def text_of(tape: Tape) -> tuple[str, str]:
    """Its RFC 8785 text and that text's digest."""
    text = strictjson.canonical_checked(_plain(tape)).decode()
    return text, digest_of(text)


def recordings(tape: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The calls of a tape as a case's `tools`: the same call with the same answer once, with how often."""
    found: list[dict[str, Any]] = []
    for step in tape["steps"]:
        if step["kind"] != "tool":
            continue
        entry = {name: step[name] for name in ("tool", "arguments", "result", "error") if name in step}
        if not isinstance(entry["arguments"], dict):
            del entry["arguments"]  # they were not captured: any will do
        same = next((each for each in found if {**each, "times": 1} == {**entry, "times": 1}), None)
        if same is None:
            found.append(entry)
        else:
            same["times"] = same.get("times", 1) + 1
    return found


def _spans(run: Run) -> Sequence[Any]:
    rows: list[Any] = []
    cursor = None
    while True:
        page = traces.span_page(run=run, cursor=cursor, limit=_PAGE)
        rows += page.spans
        if page.next is None:
            return rows
        if len(rows) >= STEPS_MOST:
            raise TooLarge(f"the run has more than {STEPS_MOST} spans; a run of fewer can be replayed")
        cursor = page.next


def _step(row: Any, details: Mapping[str, Any]) -> dict[str, Any] | None:
    if row.kind == SpanKind.LLM:
        return {
            "kind": "model",
            "span_id": span_hex(row.span_id),
            "model": row.model,
            "output": details.get("output"),
            "input_tokens": row.input_tokens or 0,
            "output_tokens": row.output_tokens or 0,
        }
    if row.kind != SpanKind.TOOL:
        return None
    step = {
        "kind": "tool",
        "span_id": span_hex(row.span_id),
        "tool": row.tool or row.name,
        "arguments": details.get("arguments", details.get("input")),
    }
    if row.status == SpanStatus.ERROR:
        said = details.get("status_message") or details.get("result") or ""
        message = said if isinstance(said, str) else strictjson.canonical(_plain(said)).decode()
        error = {"type": (row.error_type or "error")[:100], "message": message[:_ERROR_MOST]}
        step["error"] = {name: text for name, text in error.items() if text}
    else:
        step["result"] = details.get("result", details.get("output"))
    return step


def _content(details: Mapping[int, Mapping[str, Any]], basis: Mapping[str, Any], name: str) -> Any:
    place = basis.get(name)
    return details.get(place[2], {}).get(name) if place else None


def _plain(value: Any) -> Any:
    """As all programs write it: a number beyond 2^53 is a text, as the strict reader asks for, and there is no NUL."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {str(name).replace("\0", "\ufffd"): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    is_large = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) > strictjson.MAX_INTEGER
    return str(value) if is_large else value
