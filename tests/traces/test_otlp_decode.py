"""The wire: bodies that decode, bodies that do not, and single spans refused with the rest taken."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from typing import Any

import orjson
import pytest
from google.rpc.status_pb2 import Status
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from agentops.traces.normalise import normalise
from agentops.traces.otlp import (
    MalformedRequest,
    TooLarge,
    count_metrics,
    decode_gzip,
    decode_logs,
    decode_traces,
    error_status,
    export_response,
)
from agentops.traces.otlp.clean import MAX_VALUE_DEPTH, TOO_DEEP
from tests.traces.otlp_build import NOW_NS, json_request, json_span, logs_request, protobuf_request, span

VALUES = {
    "text": "Grüße",
    "empty": "",
    "yes": True,
    "no": False,
    "count": 7,
    "zero": 0,
    "negative": -(2**63),
    "ratio": 0.25,
    "list": ["a", 1, None, [True]],
    "nested": {"a": {"b": [1.5]}},
    "nothing": None,
    "raw": b"\x00\x01",
}


def test_both_encodings_decode_to_the_same_spans() -> None:
    source = span("chat", parent=9, attributes=VALUES, events=[("happened", {"x": 1})], status=(2, "broken"), kind=3)
    from_protobuf = decode_traces(protobuf_request([source], resource={"service.name": "shop"}), encoding="protobuf")
    from_json = decode_traces(json_request([json_span(source)], resource={"service.name": "shop"}), encoding="json")
    (first,), (second,) = from_protobuf.spans, from_json.spans
    for name in first.__slots__:
        if name != "resource":
            assert getattr(first, name) == getattr(second, name), name
    assert first.resource.attributes == second.resource.attributes == {"service.name": "shop"}
    assert first.attributes["raw"] == "AAE="
    assert first.attributes["nested"] == {"a": {"b": [1.5]}}


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_an_empty_body_is_an_empty_request(encoding: Any) -> None:
    assert decode_traces(b"", encoding=encoding).total == 0
    assert decode_logs(b"", encoding=encoding).total == 0
    assert count_metrics(b"", encoding=encoding) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b'{"resourceSpans": 3}',
        b'{"resourceSpans": [1]}',
        b'{"resourceSpans": [{"scopeSpans": {}}]}',
        b'{"resourceSpans": [{"resource": []}]}',
        b'{"resource_spans": []}',
        b'{"resourceSpans": [{"resource": {"attributes": {"a": 1}}, "scopeSpans": []}]}',
        b'{"a": NaN}',
        b"\xff\xfe",
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b"[" * 200_000,
    ],
)
def test_a_json_body_that_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        decode_traces(body, encoding="json")


@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"not protobuf at all", b"\x0a\xff\xff\xff\xff\x0f"])
def test_a_protobuf_body_that_cannot_be_read_is_malformed(body: bytes) -> None:
    for decode in (decode_traces, decode_logs, count_metrics):
        with pytest.raises(MalformedRequest):
            decode(body, encoding="protobuf")


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("traceId", "abc", "32 hex digits"),
        ("traceId", "CvdlGRbNQ92ESOshHIAxnA==", "not base64"),
        ("traceId", "0" * 32, "all zero"),
        ("traceId", "g" * 32, "hex"),
        ("traceId", 7, "hex"),
        ("spanId", "", "hex"),
        ("spanId", "0" * 16, "all zero"),
        ("spanId", "APBnqgupArc=", "not base64"),
        ("parentSpanId", "zz", "parent_span_id"),
        ("kind", "SPAN_KIND_CLIENT", "integer"),
        ("kind", True, "integer"),
        ("name", 5, "name must be a string"),
        ("startTimeUnixNano", "yesterday", "nanoseconds"),
        ("startTimeUnixNano", -1, "nanoseconds"),
        ("startTimeUnixNano", "1_000", "nanoseconds"),
        ("endTimeUnixNano", 1.5, "nanoseconds"),
        ("status", [], "status"),
        ("status", {"code": "STATUS_CODE_ERROR"}, "status.code"),
        ("attributes", {"a": "b"}, "attributes"),
        ("attributes", [{"key": 1}], "attributes"),
        ("attributes", [{"key": "a", "value": "bare"}], "AnyValue"),
        ("attributes", [{"key": "a", "value": {"intValue": "9" * 30}}], "intValue"),
        ("attributes", [{"key": "a", "value": {"boolValue": 1}}], "boolValue"),
        ("attributes", [{"key": "a", "value": {"bytesValue": "%%"}}], "bytesValue"),
        ("events", [3], "events"),
    ],
)
def test_a_bad_field_refuses_its_span_only(field: str, value: Any, says: str) -> None:
    bad = {**json_span(span("bad")), field: value}
    batch = decode_traces(json_request([json_span(span(span_id=1)), bad, json_span(span(span_id=3))]), encoding="json")
    assert [raw.index for raw in batch.spans] == [0, 2]
    (rejected,) = batch.rejected
    assert rejected.index == 1
    assert says in rejected.detail
    assert orjson.dumps(rejected.raw)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("trace_id", "00" * 16, "all zero"),
        ("trace_id", "ab", "16 bytes, got 1"),
        ("span_id", "", "8 bytes, got 0"),
        ("span_id", "00" * 8, "all zero"),
        ("parent_span_id", "abcd", "parent_span_id must be 8 bytes"),
    ],
)
def test_a_bad_id_in_protobuf_refuses_its_span_only(field: str, value: str, says: str) -> None:
    batch = decode_traces(protobuf_request([span(), {**span("bad"), field: value}]), encoding="protobuf")
    assert len(batch.spans) == 1
    assert says in batch.rejected[0].detail
    assert batch.rejected[0].code == "invalid_id"


def test_ids_in_upper_case_are_the_same_ids() -> None:
    source = span()
    upper = {**source, "trace_id": source["trace_id"].upper(), "span_id": "00F067AA0BA902B7"}
    lower = {**source, "span_id": "00f067aa0ba902b7"}
    batch = decode_traces(json_request([json_span(upper), json_span(lower)]), encoding="json")
    assert batch.spans[0].trace_id == batch.spans[1].trace_id
    assert batch.spans[0].span_id == batch.spans[1].span_id


def test_an_all_zero_parent_is_no_parent() -> None:
    source = span(parent_span_id="0" * 16)
    assert decode_traces(protobuf_request([source]), encoding="protobuf").spans[0].parent_id is None
    assert decode_traces(json_request([json_span(source)]), encoding="json").spans[0].parent_id is None


def test_integers_may_be_numbers_or_strings_and_unknown_fields_pass() -> None:
    source = json_span(span(attributes={}))
    source["attributes"] = [
        {"key": "a", "value": {"intValue": 5, "futureField": {}}},
        {"key": "b", "value": {"intValue": "-5"}},
        {"key": "c", "value": {"futureValue": 1}},
    ]
    source["startTimeUnixNano"] = NOW_NS - 5
    source["somethingNew"] = {"a": [1]}
    (raw,) = decode_traces(json_request([source]), encoding="json").spans
    assert raw.attributes == {"a": 5, "b": -5, "c": None}
    assert raw.start_ns == NOW_NS - 5


def test_logs_sent_to_the_traces_path_are_told_where_to_go() -> None:
    body = logs_request([{"event_name": "x", "body": "hello", "attributes": {"a": "b"}}])
    try:
        batch = decode_traces(body, encoding="protobuf")
    except MalformedRequest as error:
        assert "/v1/logs" in error.detail
    else:
        assert not batch.spans
        assert all("/v1/logs" in rejected.detail for rejected in batch.rejected)
    plain = logs_request([{"trace_id": "", "span_id": "", "event_name": "", "body": "hello", "time": 0}])
    batch = decode_traces(plain, encoding="protobuf")
    assert "/v1/logs" in batch.rejected[0].detail


def test_what_postgresql_refuses_is_replaced() -> None:
    source = span("na\0me", attributes={"a\0b": "c\0d", "nan": float("nan"), "inf": float("-inf"), "deep": ["\0"]})
    for batch in (
        decode_traces(protobuf_request([source]), encoding="protobuf"),
        decode_traces(json_request([json_span(source)]), encoding="json"),
    ):
        (raw,) = batch.spans
        assert raw.name == "na\ufffdme"
        assert raw.attributes["a\ufffdb"] == "c\ufffdd"
        assert raw.attributes["deep"] == ["\ufffd"]
        assert str(raw.attributes["nan"]).lower() == "nan"
        assert str(raw.attributes["inf"]).startswith("-")


def test_half_a_surrogate_pair_is_replaced_and_the_rest_kept() -> None:
    body = json_request([json_span(span(attributes={"cut": "PLACE", "whole": "\U0001f600"}))])
    body = body.replace(b"PLACE", b"ab\\ud83d")
    (raw,) = decode_traces(body, encoding="json").spans
    assert raw.attributes["cut"] == "ab\ufffd"
    assert raw.attributes["whole"] == "\U0001f600"


def test_values_nested_too_deeply_are_cut_not_followed() -> None:
    value: Any = "core"
    for _ in range(MAX_VALUE_DEPTH + 4):
        value = [value]
    source = span(attributes={"deep": value, "flat": 1})
    for batch in (
        decode_traces(protobuf_request([source]), encoding="protobuf"),
        decode_traces(json_request([json_span(source)]), encoding="json"),
    ):
        (raw,) = batch.spans
        assert TOO_DEEP in orjson.dumps(raw.attributes["deep"]).decode()
        assert raw.attributes["flat"] == 1


def test_protobuf_nested_beyond_reason_is_malformed_and_not_taken_for_logs() -> None:
    wire = b"\x0a\x04core"
    for _ in range(60):  # by hand: the library writes no message that it would not read
        wire = _field(5, _field(1, wire))
    body = _field(1, _field(2, _field(2, _field(9, _field(1, b"deep") + _field(2, wire)))))
    with pytest.raises(MalformedRequest, match="nested") as raised:
        decode_traces(body, encoding="protobuf")
    assert "/v1/logs" not in raised.value.detail


def _field(number: int, body: bytes) -> bytes:
    length, rest = b"", len(body)
    while rest > 127:
        length, rest = length + bytes([rest & 127 | 128]), rest >> 7
    return bytes([number << 3 | 2]) + length + bytes([rest]) + body


def test_json_nested_beyond_reason_is_malformed() -> None:
    deep = b'{"arrayValue":{"values":[' * 150 + b'{"intValue":1}' + b"]}}" * 150
    source = {**json_span(span()), "attributes": [{"key": "deep", "value": {"stringValue": "PLACE"}}]}
    body = json_request([source]).replace(b'{"stringValue":"PLACE"}', deep)
    with pytest.raises(MalformedRequest):
        decode_traces(body, encoding="json")


def test_gzip_inflates_up_to_the_limit_and_no_further() -> None:
    assert decode_gzip(gzip.compress(b"x" * 1000, mtime=0), 1000) == b"x" * 1000
    assert decode_gzip(gzip.compress(b"ab", mtime=0) + gzip.compress(b"cd"), 4) == b"abcd"
    with pytest.raises(TooLarge) as raised:
        decode_gzip(gzip.compress(b"x" * 1001, mtime=0), 1000)
    assert raised.value.limit == 1000
    with pytest.raises(TooLarge):
        decode_gzip(gzip.compress(b"x" * 600, mtime=0) + gzip.compress(b"x" * 600), 1000)


def test_a_gzip_bomb_is_stopped_at_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, mtime=0)
    with pytest.raises(TooLarge):
        decode_gzip(bomb, 1_000_000)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x1f\x8b",
        b"plain",
        gzip.compress(b"hello", mtime=0)[:-3],
        zlib.compress(b"hello"),
        gzip.compress(b"a", mtime=0) + b"junk",
    ],
)
def test_damaged_gzip_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        decode_gzip(body, 1000)


def test_a_full_success_leaves_partial_success_unset() -> None:
    assert export_response("traces") == b""
    assert export_response("logs", encoding="json") == b"{}"


def test_a_partial_success_names_the_count_and_the_reason() -> None:
    response = ExportTraceServiceResponse()
    response.ParseFromString(export_response("traces", 3, "bad ids"))
    assert response.partial_success.rejected_spans == 3
    assert response.partial_success.error_message == "bad ids"
    assert orjson.loads(export_response("logs", 2, "why", "json")) == {
        "partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "why"}
    }
    assert orjson.loads(export_response("metrics", 0, "a warning", "json")) == {
        "partialSuccess": {"errorMessage": "a warning"}
    }


def test_an_error_is_a_status_in_the_encoding_of_the_request() -> None:
    status = Status()
    status.ParseFromString(error_status("no"))
    assert (status.code, status.message) == (3, "no")
    assert orjson.loads(error_status("no", "json", code=8)) == {"code": 8, "message": "no"}
    assert len(error_status("x" * 10_000_000)) < 4 * 1024 * 1024


def test_metric_points_are_counted_in_both_encodings() -> None:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    metrics.add(name="a").sum.data_points.add()
    metrics.add(name="b").histogram.data_points.add()
    metrics.add(name="c")
    assert count_metrics(request.SerializeToString(), encoding="protobuf") == 2
    body = b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","sum":{"dataPoints":[{},{}]}}]}]}]}'
    assert count_metrics(body, encoding="json") == 2


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.binary(max_size=8)
)
keys = st.sampled_from(
    [
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.operation.name",
        "gen_ai.usage.input_tokens",
        "gen_ai.tool.definitions",
        "gen_ai.system_instructions",
        "gen_ai.response.finish_reasons",
        "gen_ai.prompt.0.role",
        "gen_ai.prompt.0",
        "gen_ai.prompt.999999999.content",
        "gen_ai.completion.0.tool_calls.0.name",
        "llm.input_messages.0.message.role",
        "llm.input_messages.0.message",
        "llm.input_messages.7.message.tool_calls.x.tool_call.id",
        "llm.output_messages.0.message.contents.0.message_content.text",
        "llm.tools.0.tool.json_schema",
        "llm.invocation_parameters",
        "openinference.span.kind",
        "langfuse.observation.type",
        "langfuse.observation.usage_details",
        "langfuse.observation.cost_details",
        "langfuse.observation.completion_start_time",
        "ai.operationId",
        "ai.prompt",
        "ai.response.toolCalls",
        "ai.response.providerMetadata",
        "metadata",
        "error.type",
        "mcp.method.name",
        "input.value",
        "retrieval.documents.0.document.metadata",
        "annotations.0.annotation.name",
        "session.id",
    ]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)
json_texts = st.recursive(
    st.none() | st.booleans() | st.integers(-100, 100) | st.text(max_size=5).filter(lambda t: t.isprintable()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "parts", "type", "text", "tool_calls", "function", "name"]), inner
        )
    ),
    max_leaves=8,
).map(lambda value: orjson.dumps(value).decode())
attributes = st.dictionaries(keys, values | json_texts, max_size=12)


@settings(max_examples=300, deadline=None)
@given(
    attributes,
    st.lists(
        st.tuples(st.sampled_from(["exception", "gen_ai.choice", "gen_ai.user.message", "x"]), attributes), max_size=2
    ),
)
def test_any_attributes_become_a_span_that_can_be_stored(
    found: dict[str, Any], events: list[tuple[str, dict[str, Any]]]
) -> None:
    source = span(attributes=found, events=events)
    for batch in (
        decode_traces(protobuf_request([source], resource=found), encoding="protobuf"),
        decode_traces(json_request([json_span(source)], resource=found), encoding="json"),
    ):
        spans, rejected = normalise(batch, now_ns=NOW_NS)
        assert not rejected, rejected
        for canonical in spans:
            for name in canonical.__slots__:
                assert_storable(getattr(canonical, name))


def assert_storable(value: Any) -> None:
    """What PostgreSQL takes: JSON without NUL, NaN, lone surrogates and integers beyond 64 bits."""
    orjson.dumps(value)
    _no_odd_numbers(value)


def _no_odd_numbers(value: Any) -> None:
    if isinstance(value, str):
        assert "\0" not in value
    elif isinstance(value, float):
        assert value == value and abs(value) != float("inf")
    elif isinstance(value, dict):
        for key, item in value.items():
            assert "\0" not in key
            _no_odd_numbers(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _no_odd_numbers(item)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_never_crash_the_decoders(body: bytes) -> None:
    for encoding in ("protobuf", "json"):
        for decode in (decode_traces, decode_logs, count_metrics):
            try:
                decode(body, encoding=encoding)  # type: ignore[arg-type]
            except MalformedRequest:
                continue
    with contextlib.suppress(MalformedRequest, TooLarge):
        decode_gzip(body, 1000)
