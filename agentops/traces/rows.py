"""Between memory and rows: a canonical span as a row of `traces_span`, a run's state as a row of `traces_run`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import orjson

from agentops.common import clock
from agentops.common.bulk import Staging
from agentops.traces.models import Run, SpanRow
from agentops.traces.rollup import Counted, RunState

SPAN_STAGING = Staging.of(SpanRow)
_EXPECTED = (
    "tenant_id", "day", "run_id", "span_id", "parent_id", "kind", "status", "is_counted", "is_guarded", "started_at", "ended_at",
    "name", "error_type", "agent", "agent_version", "user_id", "session_id", "model", "provider", "tool",
    "tool_call_id", "call_id", "prompt_hash", "tool_definitions_hash", "idempotency_key", "external_system",
    "external_id", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
    "cost_nano_usd", "price_version", "details",
)  # fmt: skip
assert SPAN_STAGING.columns == _EXPECTED, "span_row() and the model must name the same columns in the same order"

# What is read with the span and never searched by: one JSON text.
_SAID = (  # None is "not captured"; a tool that answered 0, false or an empty list did answer
    "input", "output", "system_instructions", "tool_definitions", "arguments", "result", "documents",
    "first_token_ms", "cost_reported_nano_usd",
)  # fmt: skip
_NOTED = (
    "events", "links", "attributes", "resource", "scope", "service", "environment", "dialect", "model_requested",
    "response_id", "finish_reasons", "status_message", "flags", "masked",
)  # fmt: skip
_DUMP = orjson.OPT_NON_STR_KEYS

RUN_FIELDS = tuple(
    name
    for name in RunState.__dataclass_fields__
    if name not in ("run_id", "day", "started_ns", "ended_ns", "is_finalised", "basis")
)
RUN_COLUMNS = (
    "tenant_id", "run_id", "day", "started_at", "ended_at", "received_at", "finalised_at", "basis", *RUN_FIELDS,
)  # fmt: skip
assert set(RUN_COLUMNS) == {field.column for field in Run._meta.concrete_fields}


def span_row(tenant: uuid.UUID, day: date, counted: Counted) -> tuple[Any, ...]:
    """The values of SPAN_STAGING's columns."""
    span = counted.span
    return (
        tenant,
        day,
        span.trace_id,
        span.span_id,
        span.parent_id,
        int(span.kind),
        int(span.status),
        counted.is_counted,
        counted.is_guarded,
        clock.from_ns(span.started_ns),
        clock.from_ns(span.ended_ns),
        span.name,
        span.error_type,
        span.agent,
        span.agent_version,
        span.user_id,
        span.session_id,
        span.model or span.model_requested,
        span.provider,
        span.tool,
        span.tool_call_id,
        span.call_id,
        span.prompt_hash,
        span.tool_definitions_hash,
        span.idempotency_key,
        span.external_system,
        span.external_id,
        span.input_tokens,
        span.output_tokens,
        span.cache_read_tokens,
        span.cache_write_tokens,
        span.reasoning_tokens,
        counted.cost_nano_usd,
        counted.price_version,
        _details(span),
    )


def _details(span: Any) -> str:
    found = {}
    for name in _SAID:
        value = getattr(span, name)
        if value is not None:
            found[name] = value
    for name in _NOTED:
        value = getattr(span, name)
        if value:
            found[name] = value
    return orjson.dumps(found, option=_DUMP).decode()


def run_row(
    tenant: uuid.UUID, run: RunState, *, received_at: datetime, finalised_at: datetime | None
) -> dict[str, Any]:
    """A JSON object for `json_populate_recordset(null::traces_run, …)`."""
    return {
        "tenant_id": tenant,
        "run_id": run.run_id,
        "day": run.day,
        "started_at": clock.from_ns(run.started_ns),
        "ended_at": clock.from_ns(run.ended_ns),
        "received_at": received_at,
        "finalised_at": finalised_at,
        "basis": orjson.dumps(run.basis).decode(),
        **{name: getattr(run, name) for name in RUN_FIELDS},
    }


def run_state(row: Mapping[str, Any]) -> RunState:
    """A run's row, by column name, as state."""
    return RunState(
        run_id=row["run_id"],
        day=row["day"],
        started_ns=clock.to_ns(row["started_at"]),
        ended_ns=clock.to_ns(row["ended_at"]),
        is_finalised=row["finalised_at"] is not None,
        basis={name: tuple(rank) for name, rank in orjson.loads(row["basis"]).items()},
        **{name: row[name] for name in RUN_FIELDS},
    )
