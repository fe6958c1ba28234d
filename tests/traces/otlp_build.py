"""OTLP requests from plain Python values, in both encodings."""

from __future__ import annotations

import base64
from typing import Any

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from agentops.traces.normalise import normalise
from agentops.traces.otlp import decode_traces
from agentops.traces.types import Rejected, Span

NOW_NS = 1_790_000_000_000_000_000
TRACE = "0af7651916cd43dd8448eb211c80319c"


def span(name: str = "work", *, span_id: int = 1, parent: int | None = None, **more: Any) -> dict[str, Any]:
    """A span as a dict: keys as in OTLP/JSON but snake_case, `attributes` plain."""
    return {
        "trace_id": TRACE,
        "span_id": f"{span_id:016x}",
        "parent_span_id": "" if parent is None else f"{parent:016x}",
        "name": name,
        "kind": 1,
        "start": NOW_NS - 2_000_000_000,
        "end": NOW_NS - 1_000_000_000,
        "attributes": {},
        "events": [],
        "status": (0, ""),
        **more,
    }


def any_value(value: Any) -> AnyValue:
    """An AnyValue of a Python value."""
    if value is None:
        return AnyValue()
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, dict):
        return AnyValue(kvlist_value=KeyValueList(values=pairs(value)))
    if isinstance(value, (list, tuple)):
        return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
    return AnyValue(string_value=value)


def pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    """Attributes as KeyValues."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def json_value(value: Any) -> dict[str, Any]:
    """An AnyValue of a Python value, in OTLP/JSON."""
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value if value == value and abs(value) != float("inf") else str(value)}
    if isinstance(value, bytes):
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": json_pairs(value)}}
    if isinstance(value, (list, tuple)):
        return {"arrayValue": {"values": [json_value(item) for item in value]}}
    return {"stringValue": value}


def json_pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    """Attributes in OTLP/JSON."""
    return [{"key": key, "value": json_value(value)} for key, value in attributes.items()]


def protobuf_request(
    spans: list[dict[str, Any]], *, resource: dict[str, Any] | None = None, scope: str = "test"
) -> bytes:
    """The bytes of an ExportTraceServiceRequest."""
    request = ExportTraceServiceRequest()
    holder = request.resource_spans.add()
    holder.resource.attributes.extend(pairs(resource or {}))
    group = holder.scope_spans.add()
    group.scope.name = scope
    for item in spans:
        out = group.spans.add()
        out.trace_id = bytes.fromhex(item["trace_id"])
        out.span_id = bytes.fromhex(item["span_id"])
        out.parent_span_id = bytes.fromhex(item["parent_span_id"])
        out.name, out.kind = item["name"], item["kind"]
        out.start_time_unix_nano, out.end_time_unix_nano = item["start"], item["end"]
        out.attributes.extend(pairs(item["attributes"]))
        out.status.code, out.status.message = item["status"]
        for name, attributes in item["events"]:
            event = out.events.add()
            event.name, event.time_unix_nano = name, item["start"]
            event.attributes.extend(pairs(attributes))
    return bytes(request.SerializeToString())


def json_span(item: dict[str, Any]) -> dict[str, Any]:
    """One span in OTLP/JSON."""
    return {
        "traceId": item["trace_id"],
        "spanId": item["span_id"],
        "parentSpanId": item["parent_span_id"],
        "name": item["name"],
        "kind": item["kind"],
        "startTimeUnixNano": str(item["start"]),
        "endTimeUnixNano": str(item["end"]),
        "attributes": json_pairs(item["attributes"]),
        "status": {"code": item["status"][0], "message": item["status"][1]},
        "events": [
            {"name": name, "timeUnixNano": str(item["start"]), "attributes": json_pairs(attributes)}
            for name, attributes in item["events"]
        ],
    }


def json_request(spans: list[Any], *, resource: dict[str, Any] | None = None, scope: str = "test") -> bytes:
    """The bytes of an OTLP/JSON traces request; spans are `json_span` dicts."""
    return orjson.dumps(
        {
            "resourceSpans": [
                {
                    "resource": {"attributes": json_pairs(resource or {})},
                    "scopeSpans": [{"scope": {"name": scope}, "spans": spans}],
                }
            ]
        }
    )


def logs_request(records: list[dict[str, Any]]) -> bytes:
    """The bytes of an ExportLogsServiceRequest; records hold trace_id, span_id (hex), event_name, attributes, body."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add().scope_logs.add()
    for item in records:
        record = group.log_records.add()
        record.trace_id = bytes.fromhex(item.get("trace_id", TRACE))
        record.span_id = bytes.fromhex(item.get("span_id", "00f067aa0ba902b7"))
        record.time_unix_nano = item.get("time", NOW_NS)
        record.event_name = item.get("event_name", "")
        record.attributes.extend(pairs(item.get("attributes", {})))
        if "body" in item:
            record.body.CopyFrom(any_value(item["body"]))
    return bytes(request.SerializeToString())


def canonical(
    spans: list[dict[str, Any]], *, resource: dict[str, Any] | None = None, scope: str = "test"
) -> tuple[list[Span], list[Rejected]]:
    """Decode and normalise spans sent as protobuf."""
    return normalise(
        decode_traces(protobuf_request(spans, resource=resource, scope=scope), encoding="protobuf"), now_ns=NOW_NS
    )


def one(attributes: dict[str, Any], **more: Any) -> Span:
    """The canonical span of one span with these attributes."""
    resource = more.pop("resource", None)
    scope = more.pop("scope", "test")
    spans, rejected = canonical([span(attributes=attributes, **more)], resource=resource, scope=scope)
    assert not rejected, rejected
    return spans[0]
