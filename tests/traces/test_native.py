"""Our own JSON form: strict on the way in, the same fields on the way out."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentops.traces.normalise import from_native, to_native
from agentops.traces.normalise.times import ns_of, rfc3339
from agentops.traces.otlp import MalformedRequest
from agentops.traces.types import SpanKind, SpanStatus
from tests.traces.otlp_build import NOW_NS

FULL: dict[str, Any] = {
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "span_id": "f0f067aa0ba902b7",
    "parent_span_id": "00f067aa0ba902b8",
    "kind": "llm",
    "name": "chat",
    "started_at": "2026-09-21T14:13:20.000000001Z",
    "ended_at": "2026-09-21T14:13:21.5Z",
    "status": "error",
    "status_message": "broken",
    "error_type": "timeout",
    "service": "shop",
    "environment": "prod",
    "agent": "helper",
    "agent_version": "1.2",
    "user_id": "u1",
    "session_id": "s1",
    "model": "gpt-4o-2024-08-06",
    "model_requested": "gpt-4o",
    "provider": "openai",
    "response_id": "r1",
    "input_tokens": 100,
    "output_tokens": 20,
    "cache_read_tokens": 40,
    "cache_write_tokens": 10,
    "reasoning_tokens": 5,
    "first_token_ms": 120,
    "finish_reasons": ["stop"],
    "tool": "search",
    "tool_call_id": "call_1",
    "call_id": "c9",
    "arguments": {"q": "x"},
    "result": [1, 2.5, None],
    "input": "hi",
    "output": {"text": "ho"},
    "system_instructions": None,
    "tool_definitions": None,
    "documents": None,
    "prompt_hash": "sha256:aa",
    "tool_definitions_hash": "sha256:bb",
    "idempotency_key": "k1",
    "external_system": "crm",
    "external_id": "42",
    "attributes": {"a.b": [1, {"c": True}]},
}
LEAST = {key: FULL[key] for key in ("trace_id", "span_id", "kind", "name", "started_at", "ended_at")}


def read(*spans: Any) -> tuple[list[Any], list[Any]]:
    return from_native({"spans": list(spans)}, now_ns=NOW_NS + 86_400_000_000_000)


def test_what_is_sent_comes_back_in_the_same_fields() -> None:
    (span,), rejected = read(FULL)
    assert not rejected
    assert to_native(span) == {**FULL, "ended_at": "2026-09-21T14:13:21.500000Z"}
    assert span.dialect == "native"
    assert span.flags == ()


def test_the_least_a_span_needs_is_enough() -> None:
    (span,), rejected = read(LEAST)
    assert not rejected
    back = to_native(span)
    assert {key: value for key, value in back.items() if value not in (None, [], {})} == {
        **LEAST,
        "ended_at": "2026-09-21T14:13:21.500000Z",
        "status": "unset",
    }


def test_a_row_with_the_same_names_comes_back_too() -> None:
    (span,), _ = read(FULL)
    row = {name: getattr(span, name) for name in span.__slots__}
    assert to_native(row) == to_native(span)


def test_a_zone_is_understood_and_utc_comes_back() -> None:
    (span,), _ = read({**LEAST, "started_at": "2026-09-21T16:13:20+02:00"})
    assert to_native(span)["started_at"] == "2026-09-21T14:13:20Z"


def test_an_error_type_without_a_status_is_an_error() -> None:
    (plain, said), _ = read({**LEAST, "error_type": "x"}, {**LEAST, "error_type": "x", "status": "unset"})
    assert plain.status is SpanStatus.ERROR
    assert said.status is SpanStatus.UNSET


@pytest.mark.parametrize("kind", [kind.name.lower() for kind in SpanKind])
def test_every_kind_is_taken(kind: str) -> None:
    (span,), _ = read({**LEAST, "kind": kind})
    assert to_native(span)["kind"] == kind


@pytest.mark.parametrize(
    ("field", "value", "code", "says"),
    [
        ("input_tokens", -3, "invalid_type", "input_tokens must be an integer >= 0, got -3"),
        ("input_tokens", True, "invalid_type", "input_tokens must be an integer >= 0, got True"),
        ("output_tokens", "5", "invalid_type", "integer >= 0, got '5'"),
        ("output_tokens", 1.0, "invalid_type", "got 1.0"),
        ("reasoning_tokens", 2**31, "invalid_value", "at most"),
        ("trace_id", "abc", "invalid_id", "32 hex digits"),
        ("trace_id", "0" * 32, "invalid_id", "all zero"),
        ("span_id", 7, "invalid_id", "16 hex digits"),
        ("span_id", None, "required", "span_id is required"),
        ("parent_span_id", "x" * 16, "invalid_id", "parent_span_id"),
        ("kind", "LLM", "invalid_value", "kind must be one of run, llm, tool"),
        ("kind", ["llm"], "invalid_value", "kind must be one of"),
        ("status", "failed", "invalid_value", "status must be one of unset, ok, error"),
        ("name", 5, "invalid_type", "name must be a string, got 5"),
        ("name", None, "required", "name is required"),
        ("name", "n" * 513, "invalid_value", "at most 512 characters"),
        ("agent", {"a": 1}, "invalid_type", "agent must be a string, got an object"),
        ("started_at", "2026-09-21T14:13:20", "invalid_time", "RFC 3339"),
        ("started_at", "2026-09-21", "invalid_time", "RFC 3339"),
        ("started_at", "2026-13-41T14:13:20Z", "invalid_time", "RFC 3339"),
        ("started_at", 1_790_000_000, "invalid_time", "RFC 3339"),
        ("started_at", "1999-01-01T00:00:00Z", "time_out_of_range", "oldest time kept"),
        ("ended_at", "2030-01-01T00:00:00Z", "time_out_of_range", "must not be after"),
        ("ended_at", "2026-09-21T14:13:19Z", "time_reversed", "before started_at"),
        ("attributes", [1], "invalid_type", "attributes must be an object"),
        ("finish_reasons", "stop", "invalid_type", "finish_reasons"),
        ("inptu_tokens", 5, "unknown_field", 'did you mean "input_tokens"?'),
        ("sesion_id", "x", "unknown_field", 'did you mean "session_id"?'),
        ("zzz", 1, "unknown_field", '"attributes"'),
    ],
)
def test_a_problem_is_named_and_refuses_its_span_only(field: str, value: Any, code: str, says: str) -> None:
    spans, rejected = read(FULL, {**FULL, field: value}, FULL)
    assert len(spans) == 2
    (problem,) = rejected
    assert (problem.index, problem.code) == (1, code)
    assert says in problem.detail
    assert orjson.dumps(problem.raw)


def test_all_problems_of_a_span_are_named_at_once() -> None:
    _, (problem,) = read({**LEAST, "input_tokens": -1, "agnt": "x", "kind": "?"})
    assert problem.detail.count(";") == 2


@pytest.mark.parametrize("payload", [None, [], "x", {}, {"spans": None}, {"spans": {}}, {"spans": [], "more": 1}])
def test_a_payload_without_a_list_of_spans_is_malformed(payload: Any) -> None:
    with pytest.raises(MalformedRequest):
        from_native(payload, now_ns=NOW_NS)


@pytest.mark.parametrize("bad", [None, 1, "x", [], [{}]])
def test_a_span_that_is_no_object_is_refused_alone(bad: Any) -> None:
    spans, rejected = read(LEAST, bad)
    assert len(spans) == 1
    assert rejected[0].index == 1


def test_content_nested_too_deeply_is_refused() -> None:
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    _, (problem,) = read({**LEAST, "arguments": deep})
    assert problem.code == "too_deep"


def test_what_postgresql_refuses_is_replaced() -> None:
    odd = {"a\0": "b\0", "n": float("nan"), "big": 2**70, "cut": "\ud800"}
    (span,), _ = read({**LEAST, "arguments": odd, "name": "x\0", "attributes": {"c\0": float("inf")}})
    assert span.arguments == {"a\ufffd": "b\ufffd", "n": "NaN", "big": str(2**70), "cut": "\ufffd"}
    assert span.name == "x\ufffd"
    assert span.attributes == {"c\ufffd": "Infinity"}


def test_hashes_and_flags_follow_from_what_was_sent() -> None:
    (span,), _ = read(
        {
            **LEAST,
            "model": "gpt-4o",
            "input_tokens": 10,
            "cache_read_tokens": 90,
            "system_instructions": "Be kind.",
            "tool_definitions": [{"name": "a", "parameters": {}}],
            "attributes": {"db.password": "hunter2", "agentops.call_id": "c1", "agentops.run_id": "r1"},
        }
    )
    assert span.input_tokens == 100
    assert set(span.flags) == {"usage_normalised", "floating_model", "credentials_dropped"}
    assert span.prompt_hash.startswith("sha256:0d3de84")
    assert span.tool_definitions_hash.startswith("sha256:")
    assert (span.call_id, span.guarded_run) == ("c1", "r1")
    assert "hunter2" not in repr(span)


def test_large_content_is_cut_and_flagged() -> None:
    (span,), _ = read({**LEAST, "input": "x" * 300_000, "attributes": {"a": ["y" * 300_000]}})
    assert span.flags == ("content_truncated",)
    assert len(orjson.dumps(span.input)) < 300_000
    assert len(orjson.dumps(span.attributes)) < 300_000


@given(st.integers(0, 4_000_000_000 * 10**9))
def test_times_survive_the_round_trip_to_the_nanosecond(ns: int) -> None:
    assert ns_of(rfc3339(ns)) == ns


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


def holds_nul(value: Any) -> bool:
    """Is a NUL in any text or name? The letters of its escape, written out, are none."""
    if isinstance(value, dict):
        return any(holds_nul(name) or holds_nul(inner) for name, inner in value.items())
    if isinstance(value, list | tuple):
        return any(holds_nul(inner) for inner in value)
    return isinstance(value, str) and "\0" in value


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*FULL, "other"]), json_values, max_size=6))
def test_any_fields_are_taken_or_refused_and_never_crash(more: dict[str, Any]) -> None:
    spans, rejected = read({**FULL, **more})
    assert len(spans) + len(rejected) == 1
    for span in spans:
        assert not holds_nul(to_native(span))
    for problem in rejected:
        assert problem.code != "unmappable"
        assert not holds_nul(problem.raw)
