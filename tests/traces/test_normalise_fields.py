"""Single canonical fields: precedence, status, time, sizes, what is dropped."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from agentops.traces.normalise import normalise, unmapped_keys
from agentops.traces.normalise import spans as span_mapping
from agentops.traces.normalise.values import FIELD_LIMIT
from agentops.traces.normalise.vocabulary import is_floating, provider, provider_of_host
from agentops.traces.otlp import decode_traces
from agentops.traces.types import SpanStatus
from tests.traces.otlp_build import NOW_NS, canonical, json_request, json_span, one, protobuf_request, span

SECOND = 1_000_000_000
DAY = 86_400 * SECOND

FIELDS: list[tuple[str, dict[str, Any], Any]] = [
    ("user_id", {"langfuse.user.id": "a", "user.id": "b"}, "a"),
    ("user_id", {"langfuse.user.id": "", "enduser.id": "b"}, "b"),
    ("user_id", {"gen_ai.user": 42}, "42"),
    ("user_id", {"metadata": '{"user_id": "m"}'}, "m"),
    ("user_id", {"metadata": {"user_id": "m"}, "user.id": "b"}, "b"),
    ("session_id", {"gen_ai.conversation.id": "c", "session.id": "s"}, "s"),
    ("session_id", {"gen_ai.conversation.id": "c"}, "c"),
    ("session_id", {"traceloop.association.properties.thread_id": "t"}, "t"),
    ("session_id", {"metadata": '{"thread_id": "t"}'}, "t"),
    ("session_id", {"mcp.session.id": "transport", "mcp.method.name": "tools/call"}, ""),
    ("agent", {"gen_ai.agent.name": "a", "agent.name": "b"}, "a"),
    ("agent", {"traceloop.span.kind": "agent", "traceloop.entity.name": "e", "traceloop.workflow.name": "w"}, "e"),
    ("agent", {"gen_ai.operation.name": "chat"}, ""),
    ("model", {"gen_ai.request.model": "r", "gen_ai.response.model": "a"}, "a"),
    ("model", {"gen_ai.request.model": "r"}, "r"),
    ("model_requested", {"gen_ai.response.model": "a", "gen_ai.operation.name": "chat"}, ""),
    ("model_requested", {"openinference.span.kind": "LLM", "llm.invocation_parameters": '{"model_name": "x"}'}, "x"),
    ("provider", {"gen_ai.system": "az.ai.openai"}, "azure.ai.openai"),
    ("provider", {"gen_ai.system": "Langchain", "llm.provider": "openai", "gen_ai.operation.name": "chat"}, "openai"),
    ("provider", {"gen_ai.operation.name": "chat", "server.address": "api.mistral.ai"}, "mistral_ai"),
    ("response_id", {"gen_ai.response.id": "r1"}, "r1"),
    ("call_id", {"agentops.call_id": "c9", "agentops.run_id": "f" * 32}, "c9"),
    ("guarded_run", {"agentops.call_id": "c9", "agentops.run_id": "f" * 32}, "f" * 32),
    ("finish_reasons", {"gen_ai.operation.name": "chat", "gen_ai.response.finish_reasons": ["end_turn"]}, ("stop",)),
    (
        "finish_reasons",
        {"gen_ai.operation.name": "chat", "gen_ai.response.finish_reasons": '["MAX_TOKENS"]'},
        ("length",),
    ),
    ("finish_reasons", {"ai.operationId": "ai.x.doGenerate", "ai.response.finishReason": "tool-calls"}, ("tool_call",)),
    ("finish_reasons", {"openinference.span.kind": "LLM", "llm.finish_reason": "SAFETY"}, ("content_filter",)),
    ("finish_reasons", {"gen_ai.operation.name": "chat", "gen_ai.response.stop_reason": "new_one"}, ("new_one",)),
    ("first_token_ms", {"gen_ai.operation.name": "chat", "gen_ai.response.time_to_first_chunk": 0.25}, 250),
    ("first_token_ms", {"ai.operationId": "ai.x.doStream", "ai.response.msToFirstChunk": 12.4}, 12),
    ("first_token_ms", {"gen_ai.operation.name": "chat", "gen_ai.response.time_to_first_chunk": "soon"}, None),
    ("tool", {"mcp.method.name": "tools/call", "gen_ai.tool.name": "t"}, "t"),
    ("environment", {"langfuse.environment": "stage"}, "stage"),
    ("documents", {"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.documents": '[{"id": 1}]'}, [{"id": 1}]),
    (
        "documents",
        {
            "openinference.span.kind": "RETRIEVER",
            "retrieval.documents.1.document.id": "b",
            "retrieval.documents.0.document.id": "a",
            "retrieval.documents.0.document.metadata": '{"page": 3}',
        },
        [{"id": "a", "metadata": {"page": 3}}, {"id": "b"}],
    ),
    ("arguments", {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.arguments": "not json {"}, "not json {"),
    ("arguments", {"openinference.span.kind": "TOOL", "tool.parameters": '{"a": 1}'}, {"a": 1}),
    (
        "arguments",
        {"openinference.span.kind": "TOOL", "tool.parameters": '{"type": "object", "properties": {}}'},
        None,
    ),
    ("result", {"ai.operationId": "ai.toolCall", "ai.toolCall.result": '"sunny"'}, "sunny"),
    ("error_type", {"error.type": "timeout"}, "timeout"),
    ("error_type", {"rpc.response.status_code": "NOT_FOUND"}, "NOT_FOUND"),
    ("error_type", {"rpc.response.status_code": 0}, ""),
    ("error_type", {"langfuse.observation.type": "span", "langfuse.observation.level": "ERROR"}, "langfuse_error"),
    ("error_type", {"logfire.level_num": 17}, "logfire_error"),
    ("error_type", {"logfire.level_num": 13}, ""),
]


@pytest.mark.parametrize(("field", "attributes", "expected"), FIELDS)
def test_the_first_source_that_is_not_empty_wins(field: str, attributes: dict[str, Any], expected: Any) -> None:
    assert getattr(one(attributes, parent=9), field) == expected


@pytest.mark.parametrize(
    ("resource", "service", "environment", "version"),
    [
        ({"service.name": "s"}, "s", "", ""),
        ({"service.name": "s", "service.namespace": "n"}, "n/s", "", ""),
        ({"service.name": "s", "openinference.project.name": "p"}, "p", "", ""),
        ({"deployment.environment": "old", "deployment.environment.name": "new"}, "", "new", ""),
        ({"vcs.ref.head.revision": "abc"}, "", "", "abc"),
    ],
)
def test_a_resource_gives_service_environment_and_version(
    resource: dict[str, Any], service: str, environment: str, version: str
) -> None:
    span = one({}, resource=resource)
    assert (span.service, span.environment, span.agent_version) == (service, environment, version)


def test_a_run_without_an_agent_is_named_after_its_service_then_itself() -> None:
    assert one({}, name="invoke_agent x", resource={"service.name": "shop"}).agent == "shop"
    assert one({}, name="invoke_agent x", resource={"service.name": "unknown_service:python"}).agent == "x"


@pytest.mark.parametrize(
    ("code", "attributes", "status"),
    [
        (0, {}, SpanStatus.UNSET),
        (1, {}, SpanStatus.OK),
        (2, {}, SpanStatus.ERROR),
        (0, {"error.type": "x"}, SpanStatus.ERROR),
        (1, {"error.type": "x"}, SpanStatus.OK),
        (7, {}, SpanStatus.UNSET),
    ],
)
def test_status_is_otlps_unless_an_error_type_says_more(
    code: int, attributes: dict[str, Any], status: SpanStatus
) -> None:
    assert one(attributes, status=(code, "")).status is status


def test_an_exception_event_gives_type_and_message() -> None:
    events = [("exception", {"exception.type": "ValueError", "exception.message": "no such city"})]
    found = one({}, events=events)
    assert (found.error_type, found.status_message, found.status) == ("ValueError", "no such city", SpanStatus.ERROR)
    assert found.events[0]["name"] == "exception"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"start": 0}, "time_missing"),
        ({"end": 0}, "time_missing"),
        ({"end": NOW_NS - 3 * SECOND}, "time_reversed"),
        ({"start": 1, "end": 2}, "time_out_of_range"),
        ({"start": NOW_NS // 1_000_000, "end": NOW_NS // 1_000_000}, "time_out_of_range"),
        ({"start": NOW_NS + 2 * DAY, "end": NOW_NS + 2 * DAY}, "time_out_of_range"),
        ({"start": 2**64 - 2, "end": 2**64 - 1}, "time_out_of_range"),
    ],
)
def test_a_span_with_an_impossible_time_is_refused_alone(more: dict[str, Any], code: str) -> None:
    spans, rejected = canonical([span(span_id=1), span(span_id=2, **more), span(span_id=3)])
    assert [item.span_id for item in spans] == [1, 3]
    assert [(item.index, item.code) for item in rejected] == [(1, code)]
    assert orjson.dumps(rejected[0].raw)


def test_a_slightly_fast_clock_is_accepted() -> None:
    spans, rejected = canonical([span(start=NOW_NS + SECOND, end=NOW_NS + 60 * SECOND)])
    assert len(spans) == 1
    assert not rejected


def test_an_unexpected_error_in_one_span_harms_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    real = span_mapping.facts_of

    def fails(resource: Any) -> Any:
        if resource.scope_name == "bad":
            raise RuntimeError("a bug")
        return real(resource)

    monkeypatch.setattr(span_mapping, "facts_of", fails)
    batch = decode_traces(protobuf_request([span("good", span_id=1)], scope="good"), encoding="protobuf")
    bad = decode_traces(
        protobuf_request([span("bad", attributes={"http.request.header.authorization": "Bearer x"})], scope="bad"),
        encoding="protobuf",
    )
    bad.spans[0].index = 1
    batch.spans += bad.spans
    spans, rejected = normalise(batch, now_ns=NOW_NS)
    assert [item.name for item in spans] == ["good"]
    assert [(item.index, item.code) for item in rejected] == [(1, "unmappable")]
    assert "Bearer" not in repr(rejected)


def test_hostile_indexes_make_no_large_lists() -> None:
    attributes = {
        "openinference.span.kind": "LLM",
        "llm.input_messages.999999999.message.role": "user",
        "llm.input_messages.999999999.message.content": "last",
        "llm.input_messages.5.message.role": "user",
        "llm.input_messages.5.message.content": "first",
        f"llm.input_messages.{'9' * 200}.message.content": "absurd",
    }
    found = one(attributes)
    assert [item["parts"][0]["content"] for item in found.input[:2]] == ["first", "last"]
    assert len(found.input) <= 3


def test_credential_attributes_go_wherever_they_are() -> None:
    credentials = {
        "ai.request.headers.x-whatever": "secret-1",
        "http.request.header.authorization": ["Bearer secret-2"],
        "http.request.header.x_api_key": "secret-3",
        "db.password": "secret-4",
        "rpc.request.metadata.Cookie": "secret-5",
    }
    found = one(
        {"gen_ai.operation.name": "chat", "kept": 1, **credentials}, events=[("e", credentials)], resource=credentials
    )
    assert "secret-" not in repr(found)
    assert "credentials_dropped" in found.flags
    assert found.attributes["kept"] == 1
    rejected = canonical([span(start=0, attributes=credentials)])[1]
    assert "secret-" not in repr(rejected)
    bad_id = json_request([{**json_span(span(attributes=credentials)), "traceId": "x"}])
    rejected = normalise(decode_traces(bad_id, encoding="json"), now_ns=NOW_NS)[1]
    assert "secret-" not in repr(rejected)


def test_large_values_are_cut_and_flagged() -> None:
    messages = [{"role": "user", "parts": [{"type": "text", "content": "é" * 300_000}]}] * 2
    found = one(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.input.messages": json.dumps(messages),
            "gen_ai.tool.call.result": "x" * 400_000,
            "big": "y" * (FIELD_LIMIT + 1),
            "listed": ["z" * 200_000, "z" * 200_000],
            "small": "s",
        },
        name="n" * 5000,
    )
    assert "content_truncated" in found.flags
    assert len(orjson.dumps(found.input)) <= FIELD_LIMIT
    assert found.input[0]["role"] == "user"
    assert len(found.attributes["big"].encode()) <= FIELD_LIMIT
    assert len(orjson.dumps(found.attributes["listed"])) <= FIELD_LIMIT
    assert found.attributes["small"] == "s"
    assert len(found.name) == 512


def test_promoted_texts_fit_an_index_entry() -> None:
    found = one({"gen_ai.agent.name": "a" * 9000, "user.id": "ü" * 9000, "gen_ai.request.model": ["m"] * 900}, parent=9)
    for value in (found.agent, found.user_id, found.model):
        assert len(value.encode()) <= 2704


def test_json_inside_text_is_safe_too() -> None:
    deep = "[" * 500 + "]" * 500
    found = one(
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.call.arguments": '{"a": "x\\u0000y"}',
            "gen_ai.tool.call.result": deep,
        }
    )
    assert found.arguments == {"a": "x\ufffdy"}
    assert found.result == deep


def test_many_attributes_are_capped() -> None:
    found = one({f"k{index}": index for index in range(3000)})
    assert len(found.attributes) == 1024
    assert "content_truncated" in found.flags


def test_dropped_attributes_of_the_sdk_are_flagged() -> None:
    batch = decode_traces(protobuf_request([span()]), encoding="protobuf")
    batch.spans[0].dropped = 3
    assert normalise(batch, now_ns=NOW_NS)[0][0].flags == ("attributes_dropped",)


def test_unmapped_genai_keys_are_counted_and_others_are_not() -> None:
    spans, _ = canonical(
        [
            span(
                span_id=1, attributes={"gen_ai.operation.name": "chat", "gen_ai.brand.new": 1, "gen_ai.request.seed": 1}
            ),
            span(
                span_id=2, attributes={"gen_ai.operation.name": "chat", "gen_ai.brand.new": 2, "llm.odd": 1, "app.x": 1}
            ),
        ]
    )
    assert unmapped_keys(spans) == {"gen_ai.brand.new": 2, "llm.odd": 1}


def test_variable_instructions_have_no_prompt_hash() -> None:
    base = {"gen_ai.operation.name": "chat", "gen_ai.system_instructions": '[{"type": "text", "content": "Hi"}]'}
    assert one(base).prompt_hash
    assert one({**base, "pydantic_ai.variable_instructions": True}).prompt_hash == ""


def test_tool_definitions_hash_the_same_in_any_order() -> None:
    tools = [{"type": "function", "name": name, "parameters": {}} for name in ("b", "a")]
    hashes = {
        one({"gen_ai.operation.name": "chat", "gen_ai.tool.definitions": value}).tool_definitions_hash
        for value in (json.dumps(tools), json.dumps(tools[::-1]), tools)
    }
    assert len(hashes) == 1


def test_a_tool_span_without_content_takes_it_from_the_model_calls_around_it() -> None:
    call = {"type": "tool_call", "id": "c1", "name": "search", "arguments": {"q": 1}}
    reply = {"type": "tool_call_response", "id": "c1", "response": [5]}
    chat = {"gen_ai.operation.name": "chat"}
    spans, _ = canonical(
        [
            span(
                span_id=1,
                parent=9,
                attributes={**chat, "gen_ai.output.messages": [{"role": "assistant", "parts": [call]}]},
            ),
            span(
                span_id=2, parent=9, attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.id": "c1"}
            ),
            span(
                span_id=3, parent=9, attributes={**chat, "gen_ai.input.messages": [{"role": "tool", "parts": [reply]}]}
            ),
            span(
                span_id=4, parent=9, attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.id": "c2"}
            ),
        ]
    )
    assert [(item.arguments, item.result) for item in spans[1::2]] == [({"q": 1}, [5]), (None, None)]


def test_an_operation_details_event_fills_the_content() -> None:
    details = {
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "Ho"}]}]),
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be kind."}]),
    }
    found = one({"gen_ai.operation.name": "chat"}, events=[("gen_ai.client.inference.operation.details", details)])
    assert found.input[0]["parts"][0]["content"] == "Hi"
    assert found.output[0]["parts"][0]["content"] == "Ho"
    assert found.prompt_hash


def test_annotations_become_evaluation_events() -> None:
    found = one(
        {
            "openinference.span.kind": "LLM",
            "annotations.0.annotation.name": "helpful",
            "annotations.0.annotation.score": 0.5,
            "annotations.0.annotation.label": "so-so",
        }
    )
    (event,) = found.events
    assert event["name"] == "gen_ai.evaluation.result"
    assert event["attributes"]["gen_ai.evaluation.score.value"] == 0.5


@pytest.mark.parametrize(
    ("model", "floating"),
    [
        ("gpt-4o", True),
        ("gpt-4o-2024-08-06", False),
        ("gpt-4-0613", False),
        ("chatgpt-4o-latest", True),
        ("claude-sonnet-4-5", True),
        ("claude-sonnet-4-5-20250929", False),
        ("claude-3-5-sonnet@20240620", False),
        ("anthropic.claude-3-5-sonnet-20240620-v1:0", False),
        ("gemini-1.5-pro-002", False),
        ("gemini-2.5-pro", True),
        ("gemini-2.5-flash-preview-05-20", False),
        ("mistral-large-2407", False),
        ("mistral-large-latest", True),
        ("ft:gpt-4o-2024-08-06:acme::id", False),
        ("text-embedding-3-small", True),
        ("amazon.nova-pro-v1:0", False),
    ],
)
def test_a_model_name_that_can_move_is_floating(model: str, floating: bool) -> None:
    assert is_floating(model) == floating
    flags = one({"gen_ai.operation.name": "chat", "gen_ai.request.model": model}).flags
    assert ("floating_model" in flags) == floating


@pytest.mark.parametrize(
    ("raw", "known"),
    [
        ("openai.chat", "openai"),
        ("OpenAI", "openai"),
        ("google.generative-ai", "gcp.gemini"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("amazon-bedrock", "aws.bedrock"),
        ("aws.bedrock", "aws.bedrock"),
        ("azure-openai.chat", "azure.ai.openai"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("xai", "x_ai"),
        ("anthropic.messages", "anthropic"),
        ("ollama", "ollama"),
        ("LangChain", ""),
    ],
)
def test_providers_have_one_name(raw: str, known: str) -> None:
    assert provider(raw) == known


def test_a_host_that_only_looks_like_a_provider_is_none() -> None:
    assert provider_of_host("api.openai.com") == "openai"
    assert provider_of_host("api.openai.com.evil.example") == ""
    assert provider_of_host("fakeopenai.com") == ""
