"""Protobuf messages walked by hand to plain values (`json_format` costs twenty times as much and mangles ids)."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agentops.traces.otlp.clean import (
    MAX_VALUE_DEPTH,
    TOO_DEEP,
    _keys,
    clean_double,
    clean_key,
    clean_text,
    span_id_from_bytes,
    span_id_problem,
    trace_id_from_bytes,
    trace_id_problem,
)
from agentops.traces.otlp.errors import MalformedRequest
from agentops.traces.otlp.limits import check_items
from agentops.traces.otlp.types import RawLog, RawLogs, RawSpan, RawSpans, Resource
from agentops.traces.types import Rejected

TOO_NESTED = f", or a value in it is nested far deeper than the {MAX_VALUE_DEPTH} levels that are read"
LOGS_HINT = "; if these are log records, send them to /v1/logs"


def decode_traces(body: bytes) -> RawSpans:
    """`ExportTraceServiceRequest` bytes to spans; raises `MalformedRequest`."""
    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError:
        hint = " (it is an OTLP logs request: send it to /v1/logs)" if _is_logs_request(body) else TOO_NESTED
        raise MalformedRequest(f"the body is not a protobuf ExportTraceServiceRequest{hint}") from None
    batch = RawSpans()
    trace_ids: dict[bytes, uuid.UUID] = {}
    groups = len(request.resource_spans)
    check_items(groups)
    for resource_spans in request.resource_spans:
        attributes = _attributes(resource_spans.resource.attributes)
        groups += len(resource_spans.scope_spans)
        check_items(groups)
        for scope_spans in resource_spans.scope_spans:
            check_items(batch.total + len(scope_spans.spans))
            resource = _resource(attributes, scope_spans.scope)
            for span in scope_spans.spans:
                _take_span(span, batch, resource, trace_ids)
    return batch


def decode_logs(body: bytes) -> RawLogs:
    """`ExportLogsServiceRequest` bytes to log records; raises `MalformedRequest`."""
    request = ExportLogsServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError:
        raise MalformedRequest(f"the body is not a protobuf ExportLogsServiceRequest{TOO_NESTED}") from None
    batch = RawLogs()
    groups = len(request.resource_logs)
    check_items(groups)
    for resource_logs in request.resource_logs:
        attributes = _attributes(resource_logs.resource.attributes)
        groups += len(resource_logs.scope_logs)
        check_items(groups)
        for scope_logs in resource_logs.scope_logs:
            check_items(batch.total + len(scope_logs.log_records))
            resource = _resource(attributes, scope_logs.scope)
            for record in scope_logs.log_records:
                _take_log(record, batch, resource)
    return batch


def count_metrics(body: bytes) -> int:
    """How many data points an `ExportMetricsServiceRequest` holds; raises `MalformedRequest`."""
    request = ExportMetricsServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError:
        raise MalformedRequest("the body is not a protobuf ExportMetricsServiceRequest") from None
    points = 0
    for resource_metrics in request.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                data = metric.WhichOneof("data")
                if data is not None:
                    points += len(getattr(metric, data).data_points)
    return points


def _is_logs_request(body: bytes) -> bool:
    """Spans decode as log records too, as the fields' numbers are the same; their times do not."""
    request = ExportLogsServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError:
        return False
    records = (one for logs in request.resource_logs for group in logs.scope_logs for one in group.log_records)
    return any(record.time_unix_nano or record.observed_time_unix_nano for record in records)


def _resource(attributes: dict[str, Any], scope: Any) -> Resource:
    return Resource(attributes, clean_text(scope.name), clean_text(scope.version), _attributes(scope.attributes))


def _take_span(span: Any, batch: RawSpans, resource: Resource, trace_ids: dict[bytes, uuid.UUID]) -> None:
    index = batch.total
    batch.total = index + 1
    raw_trace_id = span.trace_id
    raw_span_id = span.span_id
    trace_id = trace_ids.get(raw_trace_id)
    if trace_id is None:
        problem = trace_id_problem(raw_trace_id)
        if problem is not None:
            _reject_span(span, batch, index, problem + ("" if raw_trace_id or raw_span_id else LOGS_HINT))
            return
        trace_id = trace_ids[raw_trace_id] = trace_id_from_bytes(raw_trace_id)
    span_id = int.from_bytes(raw_span_id, "big", signed=True)
    if len(raw_span_id) != 8 or not span_id:
        _reject_span(span, batch, index, span_id_problem(raw_span_id) or "")
        return
    raw_parent = span.parent_span_id
    parent_id = None
    if raw_parent:
        if len(raw_parent) != 8:
            _reject_span(span, batch, index, span_id_problem(raw_parent, "parent_span_id") or "")
            return
        parent_id = int.from_bytes(raw_parent, "big", signed=True) or None  # all-zero means "no parent" to old SDKs
    status = span.status
    name = span.name
    batch.spans.append(
        RawSpan(
            index,
            trace_id,
            span_id,
            parent_id,
            clean_text(name),
            span.kind,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            status.code,
            clean_text(status.message),
            _attributes(span.attributes),
            [_event(event) for event in span.events],
            [_link(link) for link in span.links],
            span.dropped_attributes_count + span.dropped_events_count + span.dropped_links_count,
            resource,
        )
    )


def _reject_span(span: Any, batch: RawSpans, index: int, detail: str) -> None:
    raw = {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex(),
        "name": clean_text(span.name),
        "start_time_unix_nano": str(span.start_time_unix_nano),
        "end_time_unix_nano": str(span.end_time_unix_nano),
        "attributes": _attributes(span.attributes),
    }
    batch.rejected.append(Rejected(index, "invalid_id", detail, raw))


def _event(event: Any) -> dict[str, Any]:
    return {
        "name": clean_text(event.name),
        "time_ns": event.time_unix_nano,
        "attributes": _attributes(event.attributes),
    }


def _link(link: Any) -> dict[str, Any]:
    return {
        "trace_id": link.trace_id.hex(),
        "span_id": link.span_id.hex(),
        "attributes": _attributes(link.attributes),
    }


def _take_log(record: Any, batch: RawLogs, resource: Resource) -> None:
    index = batch.total
    batch.total = index + 1
    raw_trace_id, raw_span_id = record.trace_id, record.span_id
    problem = trace_id_problem(raw_trace_id) if any(raw_trace_id) else None
    problem = problem or (span_id_problem(raw_span_id) if any(raw_span_id) else None)
    attributes = _attributes(record.attributes)
    name = clean_text(record.event_name) or str(attributes.get("event.name", ""))
    if problem is not None:
        raw = {"trace_id": raw_trace_id.hex(), "span_id": raw_span_id.hex(), "name": name, "attributes": attributes}
        batch.rejected.append(Rejected(index, "invalid_id", problem, raw))
        return
    batch.logs.append(
        RawLog(
            index,
            trace_id_from_bytes(raw_trace_id) if any(raw_trace_id) else None,
            span_id_from_bytes(raw_span_id) if any(raw_span_id) else None,
            record.time_unix_nano or record.observed_time_unix_nano,
            name,
            record.severity_number,
            _value(record.body, 0),
            attributes,
            resource,
        )
    )


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    known = _keys
    for pair in pairs:
        key = pair.key
        value = pair.value
        text = value.string_value  # the common case; "" when another kind is set
        if text:
            found[known.get(key) or clean_key(key)] = text.replace("\0", "\ufffd") if "\0" in text else text
        else:
            found[known.get(key) or clean_key(key)] = _value(value, 0)
    return found


def _value(value: Any, depth: int) -> Any:
    kind = value.WhichOneof("value")
    return None if kind is None else _READERS.get(kind, _unknown)(value, depth)


def _unknown(value: Any, depth: int) -> Any:
    """A kind of value newer than this reader (as `string_value_strindex`, which OTLP/HTTP requests do not use)."""


def _string(value: Any, depth: int) -> str:
    return clean_text(value.string_value)


def _bool(value: Any, depth: int) -> bool:
    return bool(value.bool_value)


def _int(value: Any, depth: int) -> int:
    return int(value.int_value)


def _double(value: Any, depth: int) -> float | str:
    return clean_double(value.double_value)


def _bytes(value: Any, depth: int) -> str:
    return base64.b64encode(value.bytes_value).decode()


def _array(value: Any, depth: int) -> Any:
    if depth >= MAX_VALUE_DEPTH:
        return TOO_DEEP
    return [_value(item, depth + 1) for item in value.array_value.values]


def _kvlist(value: Any, depth: int) -> Any:
    if depth >= MAX_VALUE_DEPTH:
        return TOO_DEEP
    return {clean_key(pair.key): _value(pair.value, depth + 1) for pair in value.kvlist_value.values}


_READERS: dict[str, Callable[[Any, int], Any]] = {
    "string_value": _string,
    "bool_value": _bool,
    "int_value": _int,
    "double_value": _double,
    "bytes_value": _bytes,
    "array_value": _array,
    "kvlist_value": _kvlist,
}
