"""The same run, told in every dialect, is the same run."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.traces.normalise import unmapped_keys
from agentops.traces.types import Span, SpanKind
from tests.traces import dialects
from tests.traces.otlp_build import canonical

USER = {"role": "user", "parts": [{"type": "text", "content": dialects.QUESTION}]}
CALL = {
    "role": "assistant",
    "parts": [{"type": "tool_call", "id": "call_1", "name": "get_weather", "arguments": dialects.ARGUMENTS}],
}
REPLY = {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": dialects.RESULT}]}
LAST = {"role": "assistant", "parts": [{"type": "text", "content": dialects.ANSWER}]}


@pytest.fixture(params=dialects.DIALECTS)
def told(request: pytest.FixtureRequest) -> tuple[str, list[Span]]:
    """(dialect, canonical spans)."""
    spans, rejected = canonical(dialects.DIALECTS[request.param](), resource=dialects.RESOURCE)
    assert not rejected
    return request.param, spans


def by_id(spans: list[Span]) -> dict[int, Span]:
    return {span.span_id: span for span in spans}


def test_kinds_and_links_are_the_same(told: tuple[str, list[Span]]) -> None:
    _, spans = told
    assert {(span.span_id, span.parent_id, span.kind) for span in spans} == {
        (1, None, SpanKind.RUN),
        (2, 1, SpanKind.LLM),
        (3, 1, SpanKind.TOOL),
        (4, 1, SpanKind.LLM),
    }


def test_model_calls_are_the_same(told: tuple[str, list[Span]]) -> None:
    _, spans = told
    calls = by_id(spans)
    for span, asked, answered, reason, names in (
        (calls[2], [USER], [CALL], "tool_call", ("get_weather",)),
        (calls[4], [USER, CALL, REPLY], [LAST], "stop", ()),
    ):
        assert span.input == asked
        assert span.output == answered
        assert span.finish_reasons == (reason,)
        assert span.tool_calls == names
        assert (span.model_requested, span.model, span.provider) == (dialects.MODEL, dialects.ANSWERED_BY, "openai")
        assert (span.input_tokens, span.output_tokens) == (100, 20)
        assert (span.cache_read_tokens, span.cache_write_tokens, span.reasoning_tokens) == (40, 10, 5)
        assert span.system_instructions == [{"type": "text", "content": dialects.SYSTEM}]
        assert span.tool_definitions == [dialects.FLAT_TOOL]


def test_tool_calls_are_the_same(told: tuple[str, list[Span]]) -> None:
    _, spans = told
    span = by_id(spans)[3]
    assert (span.tool, span.tool_call_id) == ("get_weather", "call_1")
    assert (span.arguments, span.result) == (dialects.ARGUMENTS, dialects.RESULT)


def test_runs_are_the_same_and_carry_no_usage(told: tuple[str, list[Span]]) -> None:
    dialect, spans = told
    span = by_id(spans)[1]
    assert span.agent == "weather"
    assert (span.input, span.output) == ([USER], [LAST])
    assert span.input_tokens is span.output_tokens is None
    assert ("usage_not_counted" in span.flags) == (dialect == "vercel")


def test_identity_is_the_same_on_every_span(told: tuple[str, list[Span]]) -> None:
    _, spans = told
    for span in spans:
        assert (span.user_id, span.session_id) == ("u1", "s1")
        assert (span.service, span.environment, span.agent_version) == ("shop", "prod", "1.2.3")


def test_hashes_do_not_depend_on_the_dialect() -> None:
    hashes: set[Any] = set()
    for build in dialects.DIALECTS.values():
        spans, _ = canonical(build(), resource=dialects.RESOURCE)
        hashes |= {(span.prompt_hash, span.tool_definitions_hash) for span in spans if span.kind is SpanKind.LLM}
    ((prompt, tools),) = hashes
    # sha256 over RFC 8785 of [{"content":"Be kind.","type":"text"}]
    assert prompt == "sha256:0d3de84" + prompt[14:]
    assert tools.startswith("sha256:")


def test_each_dialect_is_named(told: tuple[str, list[Span]]) -> None:
    dialect, spans = told
    assert {span.dialect for span in spans} == {dialect.removesuffix("_old")}


def test_no_key_of_these_dialects_is_unmapped(told: tuple[str, list[Span]]) -> None:
    assert unmapped_keys(told[1]) == {}


def test_content_is_kept_once(told: tuple[str, list[Span]]) -> None:
    _, spans = told
    for span in spans:
        assert dialects.ANSWER not in repr(span.attributes)


def test_credentials_never_stay() -> None:
    spans, _ = canonical(dialects.vercel())
    assert "very-secret" not in repr(spans)
    assert "credentials_dropped" in by_id(spans)[2].flags
