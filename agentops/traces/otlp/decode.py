"""One entry for both encodings."""

from __future__ import annotations

from agentops.traces.otlp import jsonbody, protobuf
from agentops.traces.otlp.types import Encoding, RawLogs, RawSpans


def decode_traces(body: bytes, *, encoding: Encoding) -> RawSpans:
    """An OTLP traces request to plain spans. An empty body is an empty request.

    Spans with impossible ids or fields are in `.rejected`, one by one; raises `MalformedRequest` where nothing
    can be read.
    """
    return protobuf.decode_traces(body) if encoding == "protobuf" else jsonbody.decode_traces(body)


def decode_logs(body: bytes, *, encoding: Encoding) -> RawLogs:
    """An OTLP logs request to plain log records; raises `MalformedRequest`."""
    return protobuf.decode_logs(body) if encoding == "protobuf" else jsonbody.decode_logs(body)


def count_metrics(body: bytes, *, encoding: Encoding) -> int:
    """How many data points an OTLP metrics request holds; raises `MalformedRequest`."""
    return protobuf.count_metrics(body) if encoding == "protobuf" else jsonbody.count_metrics(body)
