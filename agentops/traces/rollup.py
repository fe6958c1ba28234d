"""A run's row from its spans: pure, order-free, and repeatable.

Whatever order and batches the spans come in, the same set gives the same row: counts are sums, single values come
from the best span by a fixed rank (the root, then a run, then any; the earliest first), and the rank is kept in
`basis` so that a later span can take over.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import orjson

from agentops.traces.models.run import FacetKey, RunStatus
from agentops.traces.types import Span, SpanKind, SpanStatus

PREVIEW_LENGTH = 240
LIST_MOST = 50  # values kept in each list of a run; a run with more is found by the first fifty in order
FACET_LENGTH = 200
_SINGLE = (
    "agent", "agent_version", "user_id", "session_id", "service", "environment", "prompt_hash", "tool_definitions_hash",
)  # fmt: skip
_FACETS = (
    (FacetKey.AGENT, "agent"),
    (FacetKey.AGENT_VERSION, "agent_version"),
    (FacetKey.USER, "user_id"),
    (FacetKey.SESSION, "session_id"),
    (FacetKey.PROMPT_HASH, "prompt_hash"),
    (FacetKey.TOOL_DEFINITIONS_HASH, "tool_definitions_hash"),
)
_FACET_LISTS = ((FacetKey.TOOL, "tools"), (FacetKey.ERROR_TYPE, "error_types"), (FacetKey.MODEL, "model_names"))
Rank = tuple[int, int, int]


@dataclass(slots=True)
class Counted:
    """A span with what storage found out about it."""

    span: Span
    cost_nano_usd: int | None  # None: no price, or no usage
    price_version: str
    saved_nano_usd: int = 0  # by the provider's cache; of a span that was read, the ledger knows it
    is_counted: bool = True
    is_guarded: bool = False  # the guard charges this call; `cost_nano_usd` is only what it would have cost

    @property
    def has_usage(self) -> bool:
        return self.span.input_tokens is not None or self.span.output_tokens is not None


@dataclass(slots=True)
class RunState:
    """A run's row in memory; times in nanoseconds since the epoch."""

    run_id: uuid.UUID
    day: date
    started_ns: int
    ended_ns: int
    is_finalised: bool = False
    status: int = RunStatus.RUNNING
    root_span_id: int | None = None
    root_status: int = 0
    name: str = ""
    agent: str = ""
    agent_version: str = ""
    user_id: str = ""
    session_id: str = ""
    service: str = ""
    environment: str = ""
    prompt_hash: str = ""
    tool_definitions_hash: str = ""
    span_count: int = 0
    llm_calls: int = 0
    tool_calls: int = 0
    error_count: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nano_usd: int = 0
    priced_calls: int = 0
    unpriced_calls: int = 0
    masked_values: int = 0
    tools: list[str] = field(default_factory=list)
    model_names: list[str] = field(default_factory=list)
    error_types: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    input_preview: str = ""
    output_preview: str = ""
    basis: dict[str, Rank] = field(default_factory=dict)


def merge(run: RunState, spans: Iterable[Counted]) -> None:
    """Add new spans to a run. Every span of a run goes through here exactly once."""
    for counted in spans:
        span = counted.span
        run.span_count += 1
        run.started_ns = min(run.started_ns, span.started_ns)
        run.ended_ns = max(run.ended_ns, span.ended_ns)
        run.masked_values += span.masked
        if span.status == SpanStatus.ERROR:
            run.error_count += 1
        if counted.is_counted:
            _count(run, counted, 1)
        _describe(run, span)
    run.status = status_of(run)


def uncount(run: RunState, counted: Counted) -> None:
    """Take a call back that turned out to repeat another one."""
    _count(run, counted, -1)


def leave_to_guard(run: RunState, counted: Counted) -> None:
    """Take the cost of a call back that turned out to be a guarded one."""
    if counted.is_counted:
        _count(run, counted, -1)
    counted.is_guarded = True
    if counted.is_counted:
        _count(run, counted, 1)


def status_of(run: RunState) -> int:
    """`running` until finalised; then the root's status where it is set, else error if any span has one, else ok."""
    if not run.is_finalised:
        return RunStatus.RUNNING
    if run.root_status == SpanStatus.ERROR or (run.root_status == SpanStatus.UNSET and run.error_count):
        return RunStatus.ERROR
    return RunStatus.OK


def facets_of(run: RunState) -> set[tuple[int, str]]:
    """What the run is found by: pairs of facet key and value."""
    found = {(int(FacetKey.STATUS), RunStatus(run.status).label)}
    for key, name in _FACETS:
        value = getattr(run, name)
        if value:
            found.add((int(key), value[:FACET_LENGTH]))
    for key, name in _FACET_LISTS:
        found.update((int(key), value[:FACET_LENGTH]) for value in getattr(run, name))
    return found


def is_charged(span: Span) -> bool:
    """A model call is charged unless it failed before any token was used."""
    return span.kind == SpanKind.LLM and not (
        span.input_tokens is None and span.output_tokens is None and span.status == SpanStatus.ERROR
    )


def _count(run: RunState, counted: Counted, sign: int) -> None:
    span = counted.span
    if span.kind == SpanKind.TOOL:
        run.tool_calls += sign
    if span.kind != SpanKind.LLM:
        return
    run.llm_calls += sign
    run.input_tokens += sign * (span.input_tokens or 0)
    run.output_tokens += sign * (span.output_tokens or 0)
    run.cache_read_tokens += sign * (span.cache_read_tokens or 0)
    run.cache_write_tokens += sign * (span.cache_write_tokens or 0)
    run.reasoning_tokens += sign * (span.reasoning_tokens or 0)
    if not is_charged(span):
        return
    if counted.is_guarded:
        run.priced_calls += sign  # its cost comes from the guard (services/guarded.py)
    elif counted.cost_nano_usd is None:
        run.unpriced_calls += sign
    else:
        run.priced_calls += sign
        run.cost_nano_usd += sign * counted.cost_nano_usd


def _describe(run: RunState, span: Span) -> None:
    is_root = span.parent_id is None
    order = 0 if is_root else 1 if span.kind == SpanKind.RUN else 2
    rank = (order, span.started_ns // 1000, span.span_id)
    basis = run.basis
    for name in _SINGLE:
        value = getattr(span, name)
        if value and (name not in basis or rank < tuple(basis[name])):
            setattr(run, name, value)
            basis[name] = rank
    if is_root and ("root" not in basis or rank < tuple(basis["root"])):
        basis["root"] = rank
        run.root_span_id, run.root_status, run.name = span.span_id, int(span.status), span.name
        run.is_finalised = True
        basis.pop("name", None)
    if "root" not in basis and ("name" not in basis or rank < tuple(basis["name"])):
        basis["name"], run.name = rank, span.name
    if span.input is not None and ("input" not in basis or rank < tuple(basis["input"])):
        basis["input"], run.input_preview = rank, preview(span.input)
    late = (order if is_root else 1, -(span.ended_ns // 1000), span.span_id)
    if span.output is not None and ("output" not in basis or late < tuple(basis["output"])):
        basis["output"], run.output_preview = late, preview(span.output)
    if span.tool and span.kind == SpanKind.TOOL:
        _add(run.tools, span.tool)
    if span.kind == SpanKind.LLM and (span.model or span.model_requested):
        _add(run.model_names, span.model or span.model_requested)
    if span.error_type:
        _add(run.error_types, span.error_type)
    for flag in span.flags:
        _add(run.flags, flag)


def _add(values: list[str], value: str) -> None:
    """Keep the smallest LIST_MOST: which those are does not depend on the order in which they come."""
    if value not in values:
        values.append(value)
        values.sort()
        del values[LIST_MOST:]


def preview(content: Any) -> str:
    """The first words of a message list or a plain value, for lists."""
    if isinstance(content, list):
        texts = [text for message in content if (text := _text(message))]
        content = texts[-1] if texts else content
    text = _text(content) or (content if isinstance(content, str) else orjson.dumps(content).decode())
    return " ".join(text[: 4 * PREVIEW_LENGTH].split())[:PREVIEW_LENGTH]


def _text(message: Any) -> str:
    if isinstance(message, str):
        return message
    if not isinstance(message, dict):
        return ""
    content = message.get("content", message.get("text"))
    if isinstance(content, str):
        return content
    parts = message.get("parts", content)
    if isinstance(parts, list):
        return " ".join(filter(None, (_text(part) for part in parts)))
    return ""
