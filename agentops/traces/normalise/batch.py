"""A batch of raw spans to canonical spans, with what needs the neighbours in the same batch."""

from __future__ import annotations

import dataclasses
import logging
import uuid
from collections.abc import Iterable
from typing import Any

from agentops.traces.normalise.credentials import without_credentials
from agentops.traces.normalise.messages import parts_in
from agentops.traces.normalise.plan import plan_for
from agentops.traces.normalise.spans import map_span
from agentops.traces.normalise.times import rfc3339
from agentops.traces.otlp.clean import span_id_hex
from agentops.traces.otlp.types import RawSpan, RawSpans, Resource
from agentops.traces.types import Rejected, Span, SpanKind

logger = logging.getLogger(__name__)

DAY_NS = 86_400 * 1_000_000_000
KEEP_NS = 400 * DAY_NS  # the longest retention of any plan
_MAX_CLIMB = 32

_Key = tuple[uuid.UUID, int]


def normalise(
    raw_spans: RawSpans, *, now_ns: int, oldest_ns: int | None = None, ahead_ns: int = DAY_NS
) -> tuple[list[Span], list[Rejected]]:
    """Canonical spans, and everything of the request that was not taken (the decoder's refusals included).

    `now_ns` is the receiver's clock; a span that starts before `oldest_ns` (absolute; 400 days ago by default) or
    ends more than `ahead_ns` after now is rejected. Codes: `invalid_id`, `invalid_field` (decoder), `time_missing`,
    `time_reversed`, `time_out_of_range`, `unmappable`. Pending spans are dropped without a word.
    """
    oldest = now_ns - KEEP_NS if oldest_ns is None else oldest_ns
    newest = now_ns + ahead_ns
    spans: list[Span] = []
    unmappable = 0
    rejected = [dataclasses.replace(item, raw=without_credentials(item.raw)) for item in raw_spans.rejected]
    for raw in raw_spans.spans:
        start, end = raw.start_ns, raw.end_ns
        if not oldest <= start <= end <= newest:
            rejected.append(_bad_time(raw, oldest, newest))
            continue
        try:
            span = map_span(raw)
        except Exception as error:  # one bad span never harms the rest
            if not unmappable:
                logger.warning("span could not be mapped", exc_info=True)
            unmappable += 1
            detail = f"this span could not be mapped ({type(error).__name__}); it is kept for replay"
            rejected.append(Rejected(raw.index, "unmappable", detail, dead_letter(raw)))
            continue
        if span is not None:
            spans.append(span)
    _settle_kinds(spans)
    _join_tool_calls(spans)
    rejected.sort(key=lambda item: item.index)
    return spans, rejected


def unmapped_keys(spans: Iterable[Span]) -> dict[str, int]:
    """Attribute keys of GenAI namespaces that no mapping uses, with how many of these spans carry each."""
    found: dict[str, int] = {}
    for span in spans:
        if span.dialect != "plain" and span.dialect != "native":
            for key in plan_for(span.attributes).unmapped:
                found[key] = found.get(key, 0) + 1
    return found


def dead_letter(raw: RawSpan) -> dict[str, Any]:
    """A raw span as a JSON value for the dead-letter table, without credentials; `revive` reads it back."""
    return {
        "trace_id": raw.trace_id.hex,
        "span_id": span_id_hex(raw.span_id),
        "parent_span_id": None if raw.parent_id is None else span_id_hex(raw.parent_id),
        "name": raw.name,
        "kind": raw.kind,
        "start_time_unix_nano": str(raw.start_ns),
        "end_time_unix_nano": str(raw.end_ns),
        "status": {"code": raw.status_code, "message": raw.status_message},
        "attributes": without_credentials(raw.attributes),
        "events": without_credentials(raw.events),
        "links": without_credentials(raw.links),
        "resource": without_credentials(raw.resource.attributes),
        "scope": {"name": raw.resource.scope_name, "version": raw.resource.scope_version},
    }


def revive(letter: Any) -> RawSpan | None:
    """The raw span that `dead_letter` wrote, or None for what never was a readable span (or was cut)."""
    try:
        scope = letter["scope"]
        parent = letter["parent_span_id"]
        return RawSpan(
            index=0,
            trace_id=uuid.UUID(hex=letter["trace_id"]),
            span_id=_signed(letter["span_id"]),
            parent_id=None if parent is None else _signed(parent),
            name=letter["name"],
            kind=letter["kind"],
            start_ns=int(letter["start_time_unix_nano"]),
            end_ns=int(letter["end_time_unix_nano"]),
            status_code=letter["status"]["code"],
            status_message=letter["status"]["message"],
            attributes=dict(letter["attributes"]),
            events=letter["events"],
            links=letter["links"],
            dropped=0,
            resource=Resource(letter["resource"], scope_name=scope["name"], scope_version=scope["version"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _signed(digits: str) -> int:
    return int.from_bytes(bytes.fromhex(digits), "big", signed=True)


def _bad_time(raw: RawSpan, oldest: int, newest: int) -> Rejected:
    start, end = raw.start_ns, raw.end_ns
    if not start or not end:
        which = "start_time_unix_nano" if not start else "end_time_unix_nano"
        return Rejected(
            raw.index, "time_missing", f"{which} is missing; send a span when it has ended", dead_letter(raw)
        )
    if end < start:
        detail = f"the span ends {start - end} ns before it starts"
        return Rejected(raw.index, "time_reversed", detail, dead_letter(raw))
    if start < oldest:
        detail = f"the span starts at {rfc3339(start)}, before {rfc3339(oldest)}, the oldest time kept"
    else:
        detail = (
            f"the span ends at {rfc3339(end)}, after {rfc3339(newest)}: "
            "is the sender's clock right, and its unit nanoseconds?"
        )
    return Rejected(raw.index, "time_out_of_range", detail, dead_letter(raw))


def _settle_kinds(spans: list[Span]) -> None:
    """Rules that look at a span's ancestors in the batch.

    An MCP call under a tool span of the same name is that call seen twice; a write under an llm span is the
    model's own request. (Which of two nested model calls counts is decided where spans are stored, see nesting.py:
    the two may come in different batches.)
    """
    doubtful = [
        span
        for span in spans
        if span.parent_id is not None
        and (span.kind is SpanKind.SIDE_EFFECT or (span.kind is SpanKind.TOOL and "mcp.method.name" in span.attributes))
    ]
    if not doubtful:
        return
    by_id: dict[_Key, Span] = {(span.trace_id, span.span_id): span for span in spans}
    for span in doubtful:
        for ancestor in _ancestors(span, by_id):
            if span.kind is SpanKind.TOOL:
                if ancestor.tool == span.tool and ancestor.kind is SpanKind.TOOL:
                    span.kind = SpanKind.OTHER
                    break
            elif ancestor.kind is SpanKind.LLM:
                span.kind = SpanKind.OTHER
                break


def _join_tool_calls(spans: list[Span]) -> None:
    """Arguments and results that a tool's span leaves out, from the messages of the model calls in the same batch."""
    lacking = [
        span
        for span in spans
        if span.kind is SpanKind.TOOL and span.tool_call_id and (span.arguments is None or span.result is None)
    ]
    if not lacking:
        return
    wanted = {(span.trace_id, span.tool_call_id) for span in lacking}
    asked: dict[tuple[uuid.UUID, str], Any] = {}
    answered: dict[tuple[uuid.UUID, str], Any] = {}
    for span in spans:
        if span.kind is SpanKind.LLM:
            for part in parts_in(span.output):
                key = (span.trace_id, str(part.get("id")))
                if part.get("type") == "tool_call" and key in wanted:
                    asked[key] = part.get("arguments")
            for part in parts_in(span.input):
                key = (span.trace_id, str(part.get("id")))
                if part.get("type") == "tool_call_response" and key in wanted:
                    answered[key] = part.get("response")
    for span in lacking:
        key = (span.trace_id, span.tool_call_id)
        if span.arguments is None:
            span.arguments = asked.get(key)
        if span.result is None:
            span.result = answered.get(key)


def _ancestors(span: Span, by_id: dict[_Key, Span]) -> Iterable[Span]:
    trace_id, parent_id = span.trace_id, span.parent_id
    for _ in range(_MAX_CLIMB):  # a sender can make a cycle
        if parent_id is None:
            return
        parent = by_id.get((trace_id, parent_id))
        if parent is None or parent is span:
            return
        yield parent
        parent_id = parent.parent_id
