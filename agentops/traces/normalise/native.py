"""Our own JSON form of a span: `POST /api/v1/traces` in, the read API out, in the same fields.

Field                         | in JSON                                  | in `Span`
------------------------------+------------------------------------------+------------------------------------
trace_id                      | 32 hex digits                            | uuid.UUID
span_id, parent_span_id       | 16 hex digits (parent: or null)          | span_id, parent_id: signed 64 bits
kind, status                  | lower-case word                          | SpanKind, SpanStatus
started_at, ended_at          | RFC 3339 with zone, up to nine decimals  | started_ns, ended_ns
*_tokens, first_token_ms      | integer >= 0                             | the same
TEXTS                         | string                                   | the same ("" for null)
CONTENT                       | any JSON value                           | the same
finish_reasons                | array of strings                         | tuple
attributes                    | object                                   | the same
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from agentops.traces.normalise.batch import DAY_NS, KEEP_NS
from agentops.traces.normalise.credentials import without_credentials
from agentops.traces.normalise.native_reader import CONTENT, NUMBERS, TEXTS, Reader
from agentops.traces.normalise.times import rfc3339
from agentops.traces.otlp.clean import clean_json, span_id_hex
from agentops.traces.otlp.errors import MalformedRequest
from agentops.traces.otlp.limits import check_items
from agentops.traces.types import Rejected, Span, SpanKind, SpanStatus


def from_native(
    payload: Any, *, now_ns: int, oldest_ns: int | None = None, ahead_ns: int = DAY_NS
) -> tuple[list[Span], list[Rejected]]:
    """Canonical spans of `{"spans": […]}`, and one `Rejected` for each span that was not taken.

    Types are strict. A rejected span's `code` is that of its first problem (`required`, `unknown_field`, `invalid_id`,
    `invalid_type`, `invalid_value`, `invalid_time`, `time_reversed`, `time_out_of_range`, `too_deep`); `detail` names
    all of them. Raises `MalformedRequest` where there is no list of spans, `TooMany` for too long a one.
    """
    if not isinstance(payload, dict):
        raise MalformedRequest('the body must be a JSON object {"spans": […]}')
    spans = payload.get("spans")
    if not isinstance(spans, list):
        raise MalformedRequest('"spans" must be an array of spans')
    check_items(len(spans))
    unknown = [key for key in payload if key != "spans"]
    if unknown:
        raise MalformedRequest(f'unknown field "{str(unknown[0])[:64]}" beside "spans"')
    oldest = now_ns - KEEP_NS if oldest_ns is None else oldest_ns
    taken: list[Span] = []
    rejected: list[Rejected] = []
    for index, raw in enumerate(spans):
        if not isinstance(raw, dict):
            rejected.append(Rejected(index, "invalid_type", "a span must be an object", clean_json(raw)))
            continue
        reader = Reader(raw, oldest, now_ns + ahead_ns)
        try:
            span = reader.span()
        except Exception as error:  # one bad span never harms the rest
            reader.problems.append(("unmappable", f"this span could not be read ({type(error).__name__})"))
            span = None
        if span is None or reader.problems:
            detail = "; ".join(detail for _, detail in reader.problems)
            rejected.append(Rejected(index, reader.problems[0][0], detail[:4096], without_credentials(clean_json(raw))))
        else:
            taken.append(span)
    return taken, rejected


def to_native(values: Span | Mapping[str, Any]) -> dict[str, Any]:
    """The native fields of a `Span`, or of a mapping with a `Span`'s field names; null where nothing is known."""
    get: Callable[[str], Any] = values.get if isinstance(values, Mapping) else functools.partial(getattr, values)
    parent = get("parent_id")
    result: dict[str, Any] = {
        "trace_id": get("trace_id").hex,
        "span_id": span_id_hex(get("span_id")),
        "parent_span_id": None if parent is None else span_id_hex(parent),
        "kind": SpanKind(get("kind")).name.lower(),
        "started_at": rfc3339(get("started_ns")),
        "ended_at": rfc3339(get("ended_ns")),
        "status": SpanStatus(get("status")).name.lower(),
    }
    for name in TEXTS:
        result[name] = get(name) or None
    for name in NUMBERS:
        result[name] = get(name)
    result["finish_reasons"] = list(get("finish_reasons") or ())
    for name in CONTENT:
        result[name] = get(name)
    result["attributes"] = get("attributes") or {}
    return result
