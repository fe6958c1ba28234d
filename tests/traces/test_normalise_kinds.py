"""What a span is: the table of STANDARDS 4.1, and the rules that need the neighbours."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.traces.types import SpanKind
from tests.traces.otlp_build import canonical, one, span

CLIENT, PRODUCER = 3, 4

TABLE: list[tuple[dict[str, Any], str]] = [
    ({"langfuse.observation.type": "generation"}, "llm"),
    ({"langfuse.observation.type": "embedding"}, "llm"),
    ({"langfuse.observation.type": "tool"}, "tool"),
    ({"langfuse.observation.type": "agent"}, "run"),
    ({"langfuse.observation.type": "retriever"}, "retrieval"),
    ({"langfuse.observation.type": "guardrail"}, "guardrail"),
    ({"langfuse.observation.type": "evaluator"}, "other"),
    ({"langfuse.observation.type": "event"}, "other"),
    ({"langfuse.observation.type": "span"}, "other"),
    ({"langfuse.observation.type": "span", "gen_ai.operation.name": "chat"}, "llm"),
    ({"langfuse.observation.type": "generation", "gen_ai.operation.name": "execute_tool"}, "llm"),
    ({"openinference.span.kind": "LLM"}, "llm"),
    ({"openinference.span.kind": "EMBEDDING"}, "llm"),
    ({"openinference.span.kind": "TOOL"}, "tool"),
    ({"openinference.span.kind": "AGENT"}, "run"),
    ({"openinference.span.kind": "RETRIEVER"}, "retrieval"),
    ({"openinference.span.kind": "RERANKER"}, "retrieval"),
    ({"openinference.span.kind": "GUARDRAIL"}, "guardrail"),
    ({"openinference.span.kind": "DECISION"}, "reasoning"),
    ({"openinference.span.kind": "EVALUATOR"}, "other"),
    ({"openinference.span.kind": "CHAIN"}, "other"),
    ({"openinference.span.kind": "chain", "gen_ai.operation.name": "chat"}, "other"),
    *[
        ({"gen_ai.operation.name": name}, "llm")
        for name in (
            "chat",
            "generate_content",
            "text_completion",
            "completion",
            "generate",
            "llm_request",
            "embeddings",
        )
    ],
    ({"gen_ai.operation.name": "execute_tool"}, "tool"),
    ({"gen_ai.operation.name": "invoke_agent"}, "run"),
    ({"gen_ai.operation.name": "invoke_workflow"}, "run"),
    ({"gen_ai.operation.name": "create_agent"}, "other"),
    ({"gen_ai.operation.name": "plan"}, "reasoning"),
    ({"gen_ai.operation.name": "retrieval"}, "retrieval"),
    ({"gen_ai.operation.name": "rerank"}, "retrieval"),
    ({"gen_ai.operation.name": "search_memory"}, "retrieval"),
    ({"gen_ai.operation.name": "upsert_memory"}, "side_effect"),
    ({"gen_ai.operation.name": "delete_memory_store"}, "side_effect"),
    ({"gen_ai.operation.name": "agent_step"}, "other"),
    ({"gen_ai.operation.name": "of_our_own"}, "other"),
    ({"mcp.method.name": "tools/call"}, "tool"),
    ({"mcp.method.name": "resources/read"}, "retrieval"),
    ({"mcp.method.name": "initialize"}, "other"),
    ({"traceloop.span.kind": "workflow"}, "run"),
    ({"traceloop.span.kind": "agent"}, "run"),
    ({"traceloop.span.kind": "tool"}, "tool"),
    ({"traceloop.span.kind": "task"}, "other"),
    ({"llm.request.type": "chat"}, "llm"),
    ({"gen_ai.guardrail.name": "pii"}, "guardrail"),
    ({"ai.operationId": "ai.generateText.doGenerate"}, "llm"),
    ({"ai.operationId": "ai.streamText.doStream"}, "llm"),
    ({"ai.operationId": "ai.embed.doEmbed"}, "llm"),
    ({"ai.operationId": "ai.toolCall"}, "tool"),
    ({"ai.operationId": "ai.generateText"}, "other"),
    ({"operation.name": "ai.streamText.doStream my-function", "ai.model.id": "m"}, "llm"),
    ({"gen_ai.tool.name": "search"}, "tool"),
    ({"gen_ai.tool.call.id": "c"}, "tool"),
    ({"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 1}, "llm"),
    ({"gen_ai.request.model": "m"}, "other"),
    ({"gen_ai.agent.name": "a"}, "other"),
    ({"anything": "else"}, "other"),
    ({}, "other"),
]


@pytest.mark.parametrize(("attributes", "kind"), TABLE)
def test_a_child_span_is_of_the_kind_the_table_says(attributes: dict[str, Any], kind: str) -> None:
    assert one(attributes, parent=9).kind is SpanKind[kind.upper()]


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"openinference.span.kind": "CHAIN"},
        {"langfuse.observation.type": "span"},
        {"ai.operationId": "ai.generateText"},
        {"gen_ai.agent.name": "a"},
    ],
)
def test_a_root_that_says_nothing_else_is_a_run(attributes: dict[str, Any]) -> None:
    assert one(attributes).kind is SpanKind.RUN


@pytest.mark.parametrize("odd", [1, True, ["chat"], {"a": "b"}, "", None, 2.5])
@pytest.mark.parametrize(
    "key",
    [
        "gen_ai.operation.name",
        "openinference.span.kind",
        "langfuse.observation.type",
        "mcp.method.name",
        "ai.operationId",
    ],
)
def test_a_kind_attribute_of_an_odd_type_is_no_crash(key: str, odd: Any) -> None:
    assert one({key: odd}, parent=9).kind in (SpanKind.OTHER, SpanKind.TOOL)


def test_a_pending_span_is_dropped_without_a_word() -> None:
    spans, rejected = canonical([span(attributes={"logfire.span_type": "pending_span"})])
    assert (spans, rejected) == ([], [])


SIDE_EFFECTS: list[tuple[dict[str, Any], int, bool]] = [
    ({"http.request.method": "POST", "server.address": "crm.example.com"}, CLIENT, True),
    ({"http.method": "DELETE", "http.url": "https://crm.example.com/a"}, CLIENT, True),
    ({"http.request.method": "GET", "server.address": "crm.example.com"}, CLIENT, False),
    ({"http.request.method": "POST", "server.address": "crm.example.com"}, 2, False),
    ({"http.request.method": "POST", "server.address": "api.openai.com"}, CLIENT, False),
    ({"http.request.method": "POST", "url.full": "https://api.anthropic.com/v1/messages"}, CLIENT, False),
    ({"http.method": "POST", "http.url": "https://my.openai.azure.com/openai"}, CLIENT, False),
    ({"http.method": "POST", "net.peer.name": "bedrock-runtime.us-east-1.amazonaws.com"}, CLIENT, False),
    ({"http.method": "POST", "http.url": "https://europe-west1-aiplatform.googleapis.com/v1"}, CLIENT, False),
    ({"http.method": "POST", "http.url": "https://notopenai.com.evil.example/"}, CLIENT, True),
    ({"db.system": "postgresql", "db.operation": "INSERT"}, CLIENT, True),
    ({"db.system.name": "postgresql", "db.query.text": "  update accounts set x = 1"}, CLIENT, True),
    ({"db.system": "postgresql", "db.statement": "SELECT 1"}, CLIENT, False),
    ({"db.system": "mongodb", "db.operation": "insertOne"}, CLIENT, True),
    ({"messaging.system": "kafka"}, PRODUCER, True),
    ({"messaging.system": "kafka"}, 5, False),
    ({"rpc.system": "grpc", "rpc.service": "shop.Orders"}, CLIENT, True),
    ({"rpc.system": "aws-api", "rpc.service": "Bedrock Runtime"}, CLIENT, False),
]


@pytest.mark.parametrize(("attributes", "otlp_kind", "expected"), SIDE_EFFECTS)
def test_writes_to_the_outside_are_side_effects(attributes: dict[str, Any], otlp_kind: int, expected: bool) -> None:
    found = one(attributes, parent=9, kind=otlp_kind)
    assert (found.kind is SpanKind.SIDE_EFFECT) == expected


def test_a_write_under_a_model_call_is_the_models_own_request() -> None:
    post = {"http.request.method": "POST", "server.address": "llm.internal"}
    spans, _ = canonical(
        [
            span("POST", span_id=3, parent=2, kind=CLIENT, attributes=post),
            span("http", span_id=2, parent=1, attributes={}),
            span("chat", span_id=1, parent=9, attributes={"gen_ai.operation.name": "chat"}),
            span("POST", span_id=4, parent=9, kind=CLIENT, attributes=post),
        ]
    )
    assert [item.kind for item in spans] == [SpanKind.OTHER, SpanKind.OTHER, SpanKind.LLM, SpanKind.SIDE_EFFECT]


@pytest.mark.parametrize("extra", [{}, {"gen_ai.operation.name": "execute_tool"}])
def test_an_mcp_call_under_a_tool_span_of_the_same_name_counts_once(extra: dict[str, Any]) -> None:
    mcp = {"mcp.method.name": "tools/call", "gen_ai.tool.name": "search", **extra}
    spans, _ = canonical(
        [
            span("tools/call search", span_id=3, parent=2, kind=2, attributes=mcp),
            span("tools/call search", span_id=2, parent=1, kind=CLIENT, attributes=mcp),
            span(
                "execute_tool search",
                span_id=1,
                attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"},
            ),
            span("tools/call fetch", span_id=4, parent=1, attributes={**mcp, "gen_ai.tool.name": "fetch"}),
        ]
    )
    assert [item.kind for item in spans] == [SpanKind.OTHER, SpanKind.OTHER, SpanKind.TOOL, SpanKind.TOOL]


def test_parents_in_a_circle_end() -> None:
    llm = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5}
    spans, rejected = canonical(
        [
            span(span_id=1, parent=2, attributes=llm),
            span(span_id=2, parent=1, attributes=llm),
            span(span_id=3, parent=3, attributes=llm),
        ]
    )
    assert len(spans) == 3
    assert not rejected


def test_usage_of_a_model_call_around_another_is_kept_and_storage_counts_one_of_them() -> None:
    usage = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10}
    spans, _ = canonical(
        [
            span("inner", span_id=3, parent=2, attributes=usage),
            span("http", span_id=2, parent=1),
            span("outer", span_id=1, attributes=usage),
        ]
    )
    assert [item.input_tokens for item in spans] == [100, None, 100]
