"""Bad input over OTLP/HTTP: each gets its exact answer, in its own encoding, and nothing else of the batch is lost.

Source: opentelemetry-proto, "OTLP/HTTP" (STANDARDS, section 5).
"""

from __future__ import annotations

import base64
import gzip
import time
import zlib
from typing import Any

import orjson
import pytest
from django.conf import LazySettings
from django.db import connection
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from agentops.common.scope import tenant_scope
from tests.ingest.wire import DAY, SECOND, TYPES, Encoding, Sender, new_trace, span, traces, zipped
from tests.traces import otlp_build as build
from tests.world import World

ENCODINGS: tuple[Encoding, ...] = ("protobuf", "json")
both = pytest.mark.parametrize("encoding", ENCODINGS)


# -- what is taken ----------------------------------------------------------------------------------------------------


@both
def test_a_batch_that_is_all_right_gets_an_answer_without_partial_success(acme: Sender, encoding: Encoding) -> None:
    item = span("hello")
    answer = acme.spans(item, encoding=encoding)
    assert answer.is_full_success and answer.encoding == encoding
    assert acme.names_of(item["trace_id"]) == ["hello"]


@both
@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs", "/v1/metrics"])
def test_an_empty_request_is_a_success(acme: Sender, path: str, encoding: Encoding) -> None:
    answer = acme.otlp(b"", encoding=encoding, path=path)
    assert answer.is_full_success and answer.encoding == encoding


@both
def test_metrics_are_accepted(acme: Sender, encoding: Encoding) -> None:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="tokens")
    metric.sum.data_points.add(as_int=5)
    body = request.SerializeToString()
    if encoding == "json":
        point = {"name": "tokens", "sum": {"dataPoints": [{"asInt": "5"}]}}
        body = orjson.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [point]}]}]})
    assert acme.otlp(body, encoding=encoding, path="/v1/metrics").is_full_success


@both
def test_a_gzipped_body_is_taken(acme: Sender, encoding: Encoding) -> None:
    item = span("small")
    body = zipped(traces(item, encoding=encoding))
    answer = acme.otlp(body, encoding=encoding, headers=acme.with_key(Content_Encoding="gzip"))
    assert answer.is_full_success
    assert acme.names_of(item["trace_id"]) == ["small"]


@both
@pytest.mark.parametrize("suffix", ["; charset=utf-8", ";charset=UTF-8", " "])
def test_parameters_of_the_content_type_do_not_matter(acme: Sender, encoding: Encoding, suffix: str) -> None:
    answer = acme.otlp(traces(span(), encoding=encoding), encoding=encoding, content_type=TYPES[encoding] + suffix)
    assert answer.is_full_success


def test_a_key_may_come_in_three_ways(acme: Sender) -> None:
    basic = base64.b64encode(f"public:{acme.key}".encode()).decode()
    for headers in (
        {"Authorization": f"bearer {acme.key}"},
        {"Authorization": f"Basic {basic}"},
        {"x-api-key": acme.key},
    ):
        item = span()
        assert acme.otlp(traces(item), headers=headers).is_full_success
        assert acme.has_run(item["trace_id"])


# -- one bad span, the rest is kept -----------------------------------------------------------------------------------

_NOW = time.time_ns()
BAD_SPANS: dict[str, tuple[dict[str, Any], str]] = {
    "a short trace id": ({"trace_id": "0af7"}, "trace_id must be"),
    "a long trace id": ({"trace_id": "ab" * 17}, "trace_id must be"),
    "an all-zero trace id": ({"trace_id": "0" * 32}, "trace_id must not be all zero"),
    "no ids at all": ({"trace_id": "", "span_id": ""}, "send them to /v1/logs"),
    "a short span id": ({"span_id": "0af7"}, "span_id must be"),
    "an all-zero span id": ({"span_id": "0" * 16}, "span_id must not be all zero"),
    "no span id": ({"span_id": ""}, "span_id must be"),
    "a short parent id": ({"parent_span_id": "0af7"}, "parent_span_id must be"),
    "no start": ({"start": 0}, "start_time_unix_nano is missing"),
    "no end": ({"end": 0}, "end_time_unix_nano is missing"),
    "an end before the start": ({"start": _NOW, "end": _NOW - SECOND}, "before it starts"),
    "a clock years ahead": ({"start": _NOW + 900 * DAY, "end": _NOW + 900 * DAY}, "is the sender's clock right"),
    "a clock years behind": ({"start": _NOW - 900 * DAY, "end": _NOW - 900 * DAY}, "the oldest time kept"),
    "milliseconds for nanoseconds": ({"start": _NOW // 10**6, "end": _NOW // 10**6}, "the oldest time kept"),
    "the largest time there is": ({"start": 2**64 - 1, "end": 2**64 - 1}, "is the sender's clock right"),
}


@both
@pytest.mark.parametrize("what", BAD_SPANS)
def test_one_bad_span_is_refused_by_itself(acme: Sender, world: World, encoding: Encoding, what: str) -> None:
    fields, says = BAD_SPANS[what]
    trace = new_trace()
    good = [span(name, trace_id=trace) for name in ("before", "after")]
    bad = span("bad", **fields)
    answer = acme.spans(good[0], bad, good[1], encoding=encoding)
    assert (answer.status, answer.encoding, answer.rejected) == (200, encoding, 1)
    assert "span 1:" in answer.message and says in answer.message
    assert acme.names_of(trace) == ["after", "before"]
    assert letters(world) == [("traces", 1)]


JSON_FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "a base64 trace id": ({"traceId": base64.b64encode(bytes(range(16))).decode()}, "hex, not base64"),
    "a base64 span id": ({"spanId": base64.b64encode(bytes(range(8))).decode()}, "hex, not base64"),
    "an id that is a number": ({"traceId": 12}, "must be a string of 32 hex digits"),
    "an id with other letters": ({"spanId": "zzzzzzzzzzzzzzzz"}, "16 hex digits"),
    "a name that is a list": ({"name": []}, "name must be a string"),
    "a kind in words": ({"kind": "SPAN_KIND_CLIENT"}, "enums are numbers"),
    "a time in words": ({"startTimeUnixNano": "yesterday"}, "nanoseconds since the epoch"),
    "a negative time": ({"startTimeUnixNano": "-5"}, "nanoseconds since the epoch"),
    "a status in words": ({"status": "OK"}, "status must be an object"),
    "attributes as an object": ({"attributes": {"a": 1}}, "attributes must be an array"),
    "a bare value": ({"attributes": [{"key": "a", "value": 5}]}, "AnyValue"),
    "an integer too large": ({"attributes": [{"key": "a", "value": {"intValue": str(2**63)}}]}, "intValue"),
    "bytes that are no base64": ({"attributes": [{"key": "a", "value": {"bytesValue": "%"}}]}, "bytesValue"),
    "events that are words": ({"events": ["x"]}, "events must be an array of objects"),
    "a span that is a word": ({}, "a span must be an object"),
}


@pytest.mark.parametrize("what", JSON_FIELDS)
def test_a_wrong_type_in_json_refuses_its_span_only(acme: Sender, world: World, what: str) -> None:
    fields, says = JSON_FIELDS[what]
    good = span("good")
    bad: Any = {**build.json_span(span()), **fields} if fields else "word"
    answer = acme.otlp(build.json_request([bad, build.json_span(good)]), encoding="json")
    assert (answer.status, answer.rejected) == (200, 1)
    assert "span 0:" in answer.message and says in answer.message
    assert acme.names_of(good["trace_id"]) == ["good"]
    assert letters(world) == [("traces", 1)]


def test_many_refusals_are_counted_and_the_first_are_told(acme: Sender, world: World) -> None:
    good = span("good")
    answer = acme.spans(*(span(span_id="00") for _ in range(8)), good)
    assert answer.rejected == 8 and "span 4:" in answer.message and "and 3 more" in answer.message
    assert "span 5:" not in answer.message
    assert letters(world) == [("traces", 8)]


STRANGE_VALUES: dict[str, tuple[Any, Any]] = {
    "NUL": ("a\x00b", "a\ufffdb"),
    "NaN": (float("nan"), "NaN"),
    "infinity": (float("inf"), "Infinity"),
    "the largest integer": (2**63 - 1, 2**63 - 1),
    "nothing": (None, None),
    "bytes": (b"\x00\xff", "AP8="),
}


@both
@pytest.mark.parametrize("what", STRANGE_VALUES)
def test_values_that_the_database_cannot_hold_are_made_safe(acme: Sender, encoding: Encoding, what: str) -> None:
    sent, kept = STRANGE_VALUES[what]
    item = span("strange\x00name", attributes={"custom.value": sent, "custom\x00key": "x"}, status=(2, "bad\x00end"))
    assert acme.spans(item, encoding=encoding).is_full_success
    [found] = acme.spans_of(item["trace_id"])
    assert found["attributes"] == {"custom.value": kept, "custom\ufffdkey": "x"}
    assert (found["name"], found["status_message"]) == ("strange\ufffdname", "bad\ufffdend")


def _nested(levels: int) -> Any:
    value: Any = "deep"
    for _ in range(levels):
        value = [value]
    return value


@both
def test_a_value_nested_too_deeply_is_cut_and_its_span_kept(acme: Sender, encoding: Encoding) -> None:
    item, other = span("deep", attributes={"custom.deep": _nested(40)}), span("other")
    assert acme.spans(item, other, encoding=encoding).is_full_success
    [found] = acme.spans_of(item["trace_id"])
    assert "[nested too deeply]" in orjson.dumps(found["attributes"]).decode()
    assert acme.names_of(other["trace_id"]) == ["other"]


def _deep_protobuf(levels: int) -> bytes:
    """An attribute of arrays in arrays, built from the inside: the library itself would refuse to serialise it."""

    def field(number: int, content: bytes) -> bytes:
        size, length = len(content), b""
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    value = b""
    for _ in range(levels):
        value = field(5, field(1, value))  # AnyValue.array_value, ArrayValue.values
    attribute = field(1, b"deep") + field(2, value)
    return field(1, field(2, field(2, field(9, attribute))))  # resource_spans, scope_spans, spans, attributes


def _deep_json(levels: int) -> bytes:
    value = b'{"arrayValue":{"values":[' * levels + b"]}}" * levels
    attribute = b'{"key":"deep","value":' + value + b"}"
    return traces(span(attributes={"a": "b"}), encoding="json").replace(
        orjson.dumps(build.json_pairs({"a": "b"})), b"[" + attribute + b"]"
    )


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param("protobuf", _deep_protobuf(3000), id="protobuf"),
        pytest.param("json", b"[" * 100_000 + b"]" * 100_000, id="brackets"),
        pytest.param("json", b'{"resourceSpans":' * 50_000 + b"1" + b"}" * 50_000, id="objects"),
        pytest.param("json", _deep_json(200), id="values"),
    ],
)
def test_a_body_nested_beyond_reason_is_refused(acme: Sender, encoding: Encoding, body: bytes) -> None:
    answer = acme.otlp(body, encoding=encoding)
    assert (answer.status, answer.encoding, answer.code) == (400, encoding, 3)


@both
def test_negative_tokens_are_dropped_and_the_call_kept(acme: Sender, encoding: Encoding) -> None:
    usage = {
        "gen_ai.usage.input_tokens": -5,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.reasoning.output_tokens": 2**40,
    }
    model = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
    item = span("chat gpt-4o", attributes={**model, **usage})
    assert acme.spans(item, encoding=encoding).is_full_success
    run = acme.run(item["trace_id"])
    assert (run["llm_calls"], run["input_tokens"], run["output_tokens"], run["reasoning_tokens"]) == (1, 0, 7, 0)
    assert "tokens_dropped" in run["flags"]
    [found] = acme.spans_of(item["trace_id"])
    assert (found["input_tokens"], found["output_tokens"], found["reasoning_tokens"]) == (None, 7, None)


def test_long_texts_in_every_indexed_field_are_stored(acme: Sender) -> None:
    wide = "".join(chr(0x4E00 + (7919 * place) % 20_000) for place in range(600))  # incompressible, three bytes each
    item = span(
        "chat " + wide,
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": wide,
            "gen_ai.provider.name": wide[::-1],
            "gen_ai.agent.name": wide[1:],
            "user.id": wide[2:],
            "gen_ai.conversation.id": wide[3:],
            "error.type": wide[4:],
            "gen_ai.usage.input_tokens": 5,
            "gen_ai." + wide: "a key nobody maps",
        },
    )
    assert acme.spans(item).is_full_success
    assert acme.run(item["trace_id"])["models"][0].startswith(wide[:500])
    assert acme.runs(user=wide[2:]) == [item["trace_id"]]


# -- a body that cannot be read ---------------------------------------------------------------------------------------

_GOOD = traces(span())
UNREADABLE: dict[str, tuple[Encoding, bytes, dict[str, str], str]] = {
    "random bytes": ("protobuf", b"\xff\xfe\xfd not a message", {}, "ExportTraceServiceRequest"),
    "a truncated message": ("protobuf", _GOOD[:-3], {}, "ExportTraceServiceRequest"),
    "JSON called protobuf": ("protobuf", traces(span(), encoding="json"), {}, "ExportTraceServiceRequest"),
    "protobuf called JSON": ("json", _GOOD, {}, "not valid JSON"),
    "half of a JSON": ("json", traces(span(), encoding="json")[:-5], {}, "not valid JSON"),
    "a JSON list": ("json", b"[]", {}, "must be a JSON object"),
    "a JSON NaN": ("json", b'{"resourceSpans": NaN}', {}, "not valid JSON"),
    "spans that are no list": ("json", b'{"resourceSpans": {"a": 1}}', {}, "must be an array"),
    "snake case": ("json", b'{"resource_spans": []}', {}, "lowerCamelCase"),
    "a resource of another type": ("json", b'{"resourceSpans": [{"resource": 5, "scopeSpans": []}]}', {}, "an object"),
    "JSON logs": ("json", b'{"resourceLogs": []}', {}, "/v1/logs"),
    "a gzip that is none": ("protobuf", _GOOD, {"Content-Encoding": "gzip"}, "not valid gzip"),
    "a truncated gzip": ("protobuf", zipped(_GOOD)[:-9], {"Content-Encoding": "gzip"}, "ends early"),
    "a damaged gzip": ("json", zipped(_GOOD)[:30] + b"\xff" * 30, {"Content-Encoding": "gzip"}, "gzip"),
    "zlib called gzip": ("protobuf", zlib.compress(_GOOD), {"Content-Encoding": "gzip"}, "not valid gzip"),
    "nothing called gzip": ("protobuf", b"", {"Content-Encoding": "gzip"}, "ends early"),
    "a gzip of a hundred thousand members": (
        "protobuf",
        gzip.compress(b"", mtime=0) * 100_000,
        {"Content-Encoding": "gzip"},
        "members",
    ),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_body_that_cannot_be_read_is_refused_for_good(acme: Sender, world: World, what: str) -> None:
    encoding, body, headers, says = UNREADABLE[what]
    answer = acme.otlp(body, encoding=encoding, headers={**acme.with_key(), **headers})
    assert (answer.status, answer.encoding, answer.code) == (400, encoding, 3)
    assert says in answer.message
    assert acme.runs() == [] and letters(world) == []


def test_logs_sent_to_the_traces_path_are_told_where_to_go(acme: Sender, world: World) -> None:
    records = [
        {"event_name": "gen_ai.choice", "trace_id": new_trace(), "time": time.time_ns(), "body": {"a": "b"}},
        {"event_name": "other", "trace_id": new_trace(), "time": time.time_ns()},
    ]
    answer = acme.otlp(build.logs_request(records))
    assert answer.encoding == "protobuf" and "/v1/logs" in answer.message
    assert answer.status == 400 or answer.rejected == 2
    assert acme.runs() == []


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/octet-stream", "application/grpc", "multipart/form-data; boundary=x"],
)
def test_an_unknown_content_type_is_refused_in_json(acme: Sender, content_type: str) -> None:
    answer = acme.otlp(_GOOD, content_type=content_type)
    assert (answer.status, answer.encoding) == (415, "json")
    assert "application/x-protobuf" in answer.message


@both
@pytest.mark.parametrize("coding", ["deflate", "br", "zstd", "gzip, gzip", "x-unknown"])
def test_an_unknown_encoding_of_the_body_is_refused(acme: Sender, encoding: Encoding, coding: str) -> None:
    answer = acme.otlp(_GOOD, encoding=encoding, headers=acme.with_key(Content_Encoding=coding))
    assert (answer.status, answer.encoding) == (415, encoding)
    assert "gzip" in answer.message


# -- too large --------------------------------------------------------------------------------------------------------


@both
def test_a_body_over_the_limit_is_refused_and_one_at_the_limit_taken(
    acme: Sender, settings: LazySettings, encoding: Encoding
) -> None:
    body = traces(span("fits"), encoding=encoding)
    settings.INGEST_MAX_BYTES = len(body)
    assert acme.otlp(body, encoding=encoding).is_full_success
    settings.INGEST_MAX_BYTES = len(body) - 1
    answer = acme.otlp(body, encoding=encoding)
    assert (answer.status, answer.encoding) == (413, encoding)
    assert str(len(body) - 1) in answer.message


@both
def test_a_gzip_bomb_is_stopped_at_the_limit(acme: Sender, settings: LazySettings, encoding: Encoding) -> None:
    settings.INGEST_MAX_BYTES = 1_000_000
    bomb = zipped(b"\0" * 30_000_000)
    assert len(bomb) < 40_000
    answer = acme.otlp(bomb, encoding=encoding, headers=acme.with_key(Content_Encoding="gzip"))
    assert (answer.status, answer.encoding) == (413, encoding)


def test_the_limit_holds_over_all_members_of_a_gzip(acme: Sender, settings: LazySettings) -> None:
    settings.INGEST_MAX_BYTES = 1_000_000
    answer = acme.otlp(zipped(b"\0" * 600_000) * 2, headers=acme.with_key(Content_Encoding="gzip"))
    assert answer.status == 413


# -- methods and paths ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch", "head", "options"])
def test_only_post_is_taken(acme: Sender, method: str) -> None:
    response = getattr(acme.client, method)(
        "/v1/traces", headers={"Authorization": f"Bearer {acme.key}", "Content-Type": TYPES["protobuf"]}
    )
    assert response.status_code == 405 and "POST" in response["Allow"]


def test_a_trailing_slash_is_no_redirect(acme: Sender) -> None:
    response = acme.client.post(
        "/v1/traces/", data=_GOOD, content_type=TYPES["protobuf"], headers={"Authorization": f"Bearer {acme.key}"}
    )
    assert response.status_code == 404


# -- helpers ----------------------------------------------------------------------------------------------------------


def letters(world: World) -> list[tuple[str, int]]:
    """Dead letters by signal."""
    with tenant_scope(world.acme.id), connection.cursor() as cursor:
        cursor.execute("SELECT signal, count(*) FROM traces_deadletter GROUP BY signal ORDER BY signal")
        return [(row[0], row[1]) for row in cursor.fetchall()]
