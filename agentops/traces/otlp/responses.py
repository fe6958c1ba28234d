"""Answers in the request's encoding: `Export*ServiceResponse` and `google.rpc.Status`."""

from __future__ import annotations

from typing import Any

import orjson
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from agentops.traces.otlp.types import Encoding, Signal

CONTENT_TYPES: dict[Encoding, str] = {"protobuf": "application/x-protobuf", "json": "application/json"}

_MAX_MESSAGE = 16_000  # characters; a response must stay below 4 MiB

# google.rpc.Code
INVALID_ARGUMENT = 3

_MESSAGES: dict[Signal, tuple[Any, str, str]] = {
    "traces": (ExportTraceServiceResponse, "rejected_spans", "rejectedSpans"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records", "rejectedLogRecords"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points", "rejectedDataPoints"),
}


def export_response(signal: Signal, rejected: int = 0, message: str = "", encoding: Encoding = "protobuf") -> bytes:
    """The body of a 200. `partial_success` is set only if something was rejected or there is a warning."""
    response_class, field, json_field = _MESSAGES[signal]
    message = message[:_MAX_MESSAGE]
    if encoding == "json":
        if not rejected and not message:
            return b"{}"
        partial: dict[str, str] = {}
        if rejected:
            partial[json_field] = str(rejected)  # int64 is a decimal string in protobuf JSON
        if message:
            partial["errorMessage"] = message
        return orjson.dumps({"partialSuccess": partial})
    response = response_class()
    if rejected or message:
        setattr(response.partial_success, field, rejected)
        response.partial_success.error_message = message
    return bytes(response.SerializeToString())


def error_status(message: str, encoding: Encoding = "protobuf", *, code: int = INVALID_ARGUMENT) -> bytes:
    """The body of a 4xx or 5xx: `google.rpc.Status` (`code` is a google.rpc.Code, 3 = invalid argument)."""
    message = message[:_MAX_MESSAGE]
    if encoding == "json":
        return orjson.dumps({"code": code, "message": message})
    return bytes(Status(code=code, message=message).SerializeToString())
