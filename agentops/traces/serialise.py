"""Runs and spans as the API shows them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson

from agentops.common import clock
from agentops.common.money import usd_text
from agentops.traces.models import Run, SpanRow
from agentops.traces.models.run import RunStatus
from agentops.traces.normalise import to_native

_MILLISECOND = timedelta(milliseconds=1)


def cost_state(run: Run) -> str:
    """`priced`: every call has a price (or there was none); `unpriced`: no call has; `partial`: some."""
    if not run.unpriced_calls:
        return "priced"
    return "partial" if run.priced_calls else "unpriced"


def run_json(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.run_id.hex,
        "agent": run.agent or None,
        "agent_version": run.agent_version or None,
        "user": run.user_id or None,
        "session": run.session_id or None,
        "status": RunStatus(run.status).label,
        "started_at": clock.rfc3339(run.started_at),
        "ended_at": clock.rfc3339(run.ended_at),
        "duration_ms": duration_ms(run),
        "llm_calls": run.llm_calls,
        "tool_calls": run.tool_calls,
        "span_count": run.span_count,
        "error_count": run.error_count,
        "input_tokens": run.input_tokens,
        "output_tokens": run.output_tokens,
        "cache_read_tokens": run.cache_read_tokens,
        "cache_write_tokens": run.cache_write_tokens,
        "reasoning_tokens": run.reasoning_tokens,
        "cost_usd": usd_text(run.cost_nano_usd),
        "cost_state": cost_state(run),
        "tools": run.tools,
        "models": run.model_names,
        "error_types": run.error_types,
        "prompt_hash": run.prompt_hash or None,
        "tool_definitions_hash": run.tool_definitions_hash or None,
        "service": run.service or None,
        "environment": run.environment or None,
        "flags": run.flags,
    }


def duration_ms(run: Run) -> float:
    return (run.ended_at - run.started_at) / _MILLISECOND


def span_values(row: SpanRow) -> dict[str, Any]:
    """A stored span in the field names of `types.Span`."""
    return {
        **orjson.loads(row.details),
        "trace_id": row.run_id,
        "span_id": row.span_id,
        "parent_id": row.parent_id,
        "kind": row.kind,
        "status": row.status,
        "name": row.name,
        "started_ns": clock.to_ns(row.started_at),
        "ended_ns": clock.to_ns(row.ended_at),
        **{name: getattr(row, name) for name in _SAME},
    }


_SAME = (
    "error_type", "agent", "agent_version", "user_id", "session_id", "model", "provider", "tool", "tool_call_id",
    "call_id", "prompt_hash", "tool_definitions_hash", "idempotency_key", "external_system", "external_id",
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
)  # fmt: skip


def span_json(row: SpanRow) -> dict[str, Any]:
    """The fields a span is sent in, and what it cost."""
    return {
        **to_native(span_values(row)),
        "cost_usd": usd_text(row.cost_nano_usd),
        "counted": row.is_counted,
        "guarded": row.is_guarded,
    }
