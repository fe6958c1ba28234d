"""OTLP/JSON: orjson and a walker of our own (ids are hex here, integers may be strings, unknown fields pass)."""

from __future__ import annotations

import json
import uuid
from typing import Any

import orjson

from agentops.traces.otlp.clean import (
    MIN_INT,
    clean_json,
    clean_text,
    span_id_from_bytes,
    span_id_problem,
    trace_id_from_bytes,
    trace_id_problem,
)
from agentops.traces.otlp.errors import MalformedRequest
from agentops.traces.otlp.jsonvalues import BadField, any_value, attributes_of, count, enum, text, time_ns
from agentops.traces.otlp.limits import check_items, check_json
from agentops.traces.otlp.protobuf import LOGS_HINT
from agentops.traces.otlp.types import RawLog, RawLogs, RawSpan, RawSpans, Resource
from agentops.traces.types import Rejected

_SNAKE = {"resourceSpans": "resource_spans", "resourceLogs": "resource_logs", "resourceMetrics": "resource_metrics"}
_PATHS = {"resourceSpans": "/v1/traces", "resourceLogs": "/v1/logs", "resourceMetrics": "/v1/metrics"}


def decode_traces(body: bytes) -> RawSpans:
    """OTLP/JSON traces to spans; raises `MalformedRequest`."""
    batch = RawSpans()
    for resource, spans in _scopes(_load(body), "resourceSpans", "scopeSpans", "spans"):
        for span in spans:
            index = batch.total
            batch.total = index + 1
            try:
                batch.spans.append(_span(span, index, resource))
            except BadField as error:
                batch.rejected.append(Rejected(index, error.code, str(error), clean_json(span)))
    return batch


def decode_logs(body: bytes) -> RawLogs:
    """OTLP/JSON logs to log records; raises `MalformedRequest`."""
    batch = RawLogs()
    for resource, records in _scopes(_load(body), "resourceLogs", "scopeLogs", "logRecords"):
        for record in records:
            index = batch.total
            batch.total = index + 1
            try:
                batch.logs.append(_log(record, index, resource))
            except BadField as error:
                batch.rejected.append(Rejected(index, error.code, str(error), clean_json(record)))
    return batch


def count_metrics(body: bytes) -> int:
    """How many data points OTLP/JSON metrics hold; raises `MalformedRequest`."""
    points = 0
    for _, metrics in _scopes(_load(body), "resourceMetrics", "scopeMetrics", "metrics"):
        for metric in metrics:
            if isinstance(metric, dict):
                for data in metric.values():
                    if isinstance(data, dict) and isinstance(data.get("dataPoints"), list):
                        points += len(data["dataPoints"])
    return points


def _load(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    check_json(body)
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = _load_with_surrogates(body, error)
    if not isinstance(message, dict):
        raise MalformedRequest("the body must be a JSON object")
    return message


def _load_with_surrogates(body: bytes, error: orjson.JSONDecodeError) -> Any:
    """orjson refuses lone surrogates (JavaScript sends them when it cuts a string in half); the standard parser does not."""
    if "surrogate" not in str(error):
        raise MalformedRequest(f"the body is not valid JSON: {error}") from None
    try:
        return json.loads(body, parse_int=_integer, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise MalformedRequest("the body is not valid JSON") from None


def _integer(digits: str) -> int | float:
    """As orjson reads it: no integer beyond 64 bits, which it could not write into a dead letter again."""
    number = int(digits) if len(digits) <= 20 else None
    return number if number is not None and MIN_INT <= number < 1 << 64 else float(digits)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _scopes(message: dict[str, Any], resources: str, scopes: str, items: str) -> list[tuple[Resource, list[Any]]]:
    found: list[tuple[Resource, list[Any]]] = []
    if resources not in message and _SNAKE[resources] in message:
        raise MalformedRequest(f'OTLP/JSON uses lowerCamelCase: send "{resources}", not "{_SNAKE[resources]}"')
    if resources not in message and (other := next((key for key in _SNAKE if key in message), None)) is not None:
        raise MalformedRequest(f'the body holds "{other}": send it to {_PATHS[other]}')
    items_seen = 0
    for entry in _list(message, resources):
        attributes = _attributes(_dict(_object(entry, resources), "resource"))
        for group in _list(entry, scopes):
            held = _list(group, items) if isinstance(group, dict) else []
            items_seen += 1 + len(held)
            check_items(items_seen)
            scope = _dict(_object(group, scopes), "scope")
            name, version = scope.get("name"), scope.get("version")
            resource = Resource(
                attributes,
                clean_text(name) if isinstance(name, str) else "",
                clean_text(version) if isinstance(version, str) else "",
                _attributes(scope),
            )
            found.append((resource, held))
    return found


def _list(holder: dict[str, Any], key: str) -> list[Any]:
    value = holder.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedRequest(f"{key} must be an array")
    return value


def _dict(holder: dict[str, Any], key: str) -> dict[str, Any]:
    value = holder.get(key)
    return {} if value is None else _object(value, key)


def _object(value: Any, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedRequest(f"{key} must be an object")
    return value


def _span(span: Any, index: int, resource: Resource) -> RawSpan:
    if not isinstance(span, dict):
        raise BadField("invalid_field", "a span must be an object")
    get = span.get
    trace_id, span_id = _ids(get("traceId"), get("spanId"))
    parent = get("parentSpanId")
    parent_id = None
    if parent and parent != "0000000000000000":
        raw = _hex(parent, "parent_span_id", 16)
        if (problem := span_id_problem(raw, "parent_span_id")) is not None:
            raise BadField("invalid_id", problem)
        parent_id = span_id_from_bytes(raw)
    status = get("status")
    if status is None:
        status = {}
    if not isinstance(status, dict):
        raise BadField("invalid_field", "status must be an object")
    return RawSpan(
        index,
        trace_id,
        span_id,
        parent_id,
        text(get("name"), "name"),
        enum(get("kind"), "kind"),
        time_ns(get("startTimeUnixNano"), "startTimeUnixNano"),
        time_ns(get("endTimeUnixNano"), "endTimeUnixNano"),
        enum(status.get("code"), "status.code"),
        text(status.get("message"), "status.message"),
        attributes_of(span),
        [_event(event) for event in _items(span, "events")],
        [_link(link) for link in _items(span, "links")],
        count(get("droppedAttributesCount")) + count(get("droppedEventsCount")) + count(get("droppedLinksCount")),
        resource,
    )


def _log(record: Any, index: int, resource: Resource) -> RawLog:
    if not isinstance(record, dict):
        raise BadField("invalid_field", "a log record must be an object")
    trace, span = record.get("traceId") or "", record.get("spanId") or ""
    attributes = attributes_of(record)
    name = text(record.get("eventName"), "eventName") or str(attributes.get("event.name", ""))
    return RawLog(
        index,
        _trace_id(trace) if str(trace).strip("0") else None,
        _span_id(span) if str(span).strip("0") else None,
        time_ns(record.get("timeUnixNano"), "timeUnixNano")
        or time_ns(record.get("observedTimeUnixNano"), "observedTimeUnixNano"),
        name,
        enum(record.get("severityNumber"), "severityNumber"),
        any_value(record.get("body"), 0),
        attributes,
        resource,
    )


def _ids(trace: Any, span: Any) -> tuple[uuid.UUID, int]:
    if not trace and not span:
        raise BadField("invalid_id", f"trace_id must be 32 hex digits, got none{LOGS_HINT}")
    return _trace_id(trace), _span_id(span)


def _trace_id(text: Any) -> uuid.UUID:
    raw = _hex(text, "trace_id", 32)
    if (problem := trace_id_problem(raw)) is not None:
        raise BadField("invalid_id", problem)
    return trace_id_from_bytes(raw)


def _span_id(text: Any) -> int:
    raw = _hex(text, "span_id", 16)
    if (problem := span_id_problem(raw)) is not None:
        raise BadField("invalid_id", problem)
    return span_id_from_bytes(raw)


def _hex(text: Any, name: str, digits: int) -> bytes:
    if not isinstance(text, str):
        raise BadField("invalid_id", f"{name} must be a string of {digits} hex digits")
    try:
        if len(text) == digits and text.isalnum() and text.isascii():
            return bytes.fromhex(text)
    except ValueError:
        pass
    hint = " (OTLP/JSON ids are hex, not base64)" if len(text) in (12, 24) else ""
    raise BadField("invalid_id", f"{name} must be {digits} hex digits, got {len(text)} characters{hint}")


def _attributes(holder: dict[str, Any]) -> dict[str, Any]:
    """Attributes of a resource or scope: what cannot be read is a reason to refuse the request."""
    try:
        return attributes_of(holder)
    except BadField as error:
        raise MalformedRequest(str(error)) from None


def _items(holder: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = holder.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise BadField("invalid_field", f"{key} must be an array of objects")
    return value


def _event(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": text(event.get("name"), "event.name"),
        "time_ns": time_ns(event.get("timeUnixNano"), "event.timeUnixNano"),
        "attributes": attributes_of(event),
    }


def _link(link: dict[str, Any]) -> dict[str, Any]:
    return {
        "trace_id": text(link.get("traceId"), "link.traceId").lower(),
        "span_id": text(link.get("spanId"), "link.spanId").lower(),
        "attributes": attributes_of(link),
    }
