"""What a span is: the first rule of STANDARDS, table 4.1, that matches. Rules that need the batch are in `batch.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentops.traces.normalise.plan import Plan
from agentops.traces.normalise.vocabulary import provider_of_host
from agentops.traces.types import SpanKind

RUN, LLM, TOOL, REASONING = SpanKind.RUN, SpanKind.LLM, SpanKind.TOOL, SpanKind.REASONING
SIDE_EFFECT, RETRIEVAL, GUARDRAIL, OTHER = (
    SpanKind.SIDE_EFFECT,
    SpanKind.RETRIEVAL,
    SpanKind.GUARDRAIL,
    SpanKind.OTHER,
)
_CLIENT, _PRODUCER = 3, 4  # OTLP span kinds

_LANGFUSE = {
    "generation": LLM,
    "embedding": LLM,
    "tool": TOOL,
    "agent": RUN,
    "retriever": RETRIEVAL,
    "guardrail": GUARDRAIL,
    "evaluator": OTHER,
    "event": OTHER,
}
_OPENINFERENCE = {
    "LLM": LLM,
    "EMBEDDING": LLM,
    "TOOL": TOOL,
    "AGENT": RUN,
    "RETRIEVER": RETRIEVAL,
    "RERANKER": RETRIEVAL,
    "GUARDRAIL": GUARDRAIL,
    "DECISION": REASONING,
    "EVALUATOR": OTHER,
    "PROMPT": OTHER,
    "UNKNOWN": OTHER,
}
_OPERATIONS = {
    **dict.fromkeys(
        ("chat", "generate_content", "text_completion", "completion", "generate", "llm_request", "embeddings"), LLM
    ),
    "execute_tool": TOOL,
    **dict.fromkeys(("invoke_agent", "invoke_workflow", "handle_conversation_turn"), RUN),
    "create_agent": OTHER,
    "plan": REASONING,
    **dict.fromkeys(("retrieval", "rerank", "vector_db_retrieve", "search_memory"), RETRIEVAL),
    **dict.fromkeys(
        (
            "create_memory",
            "update_memory",
            "upsert_memory",
            "delete_memory",
            "create_memory_store",
            "delete_memory_store",
        ),
        SIDE_EFFECT,
    ),
    "agent_step": OTHER,
    "execute_task": OTHER,
}
_TRACELOOP = {"workflow": RUN, "agent": RUN, "tool": TOOL, "task": OTHER}
_WRITE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_WRITE_STATEMENTS = frozenset(
    {
        "INSERT",
        "UPDATE",
        "DELETE",
        "MERGE",
        "UPSERT",
        "REPLACE",
        "TRUNCATE",
        "CREATE",
        "ALTER",
        "DROP",
        "COPY",
        "SET",
        "DEL",
        "HSET",
        "LPUSH",
        "RPUSH",
        "INCR",
        "PUBLISH",
        "XADD",
        "INSERTONE",
        "INSERTMANY",
        "UPDATEONE",
        "UPDATEMANY",
        "DELETEONE",
        "DELETEMANY",
        "PUTITEM",
        "UPDATEITEM",
        "DELETEITEM",
        "BATCHWRITEITEM",
    }
)


def kind_of(attributes: Mapping[str, Any], plan: Plan, otlp_kind: int, is_root: bool) -> SpanKind | None:
    """The kind of a span by its own attributes; None is a pending span, to be dropped."""
    if attributes.get("logfire.span_type") == "pending_span":
        return None
    if plan.genai:
        found = _agentic(attributes, plan, is_root)
        if found is not None:
            return found
    if otlp_kind in (_CLIENT, _PRODUCER) and _has_side_effect(attributes, otlp_kind):
        return SIDE_EFFECT
    return RUN if is_root else OTHER


def _agentic(attributes: Mapping[str, Any], plan: Plan, is_root: bool) -> SpanKind | None:
    get = attributes.get
    value = get("gen_ai.operation.name")
    operation = _OPERATIONS.get(value) if isinstance(value, str) else None
    if plan.dialect == "otel" and operation is not None:
        return operation  # no attribute of an earlier rule is present
    if isinstance(value := get("langfuse.observation.type"), str):
        found = _LANGFUSE.get(value.lower())
        if found is not None:
            return found
    if isinstance(value := get("openinference.span.kind"), str):
        found = _OPENINFERENCE.get(value.upper())
        if found is not None:
            return found
        return RUN if is_root else OTHER  # CHAIN, or a kind newer than this table
    if operation is not None:
        return operation
    if isinstance(value := get("mcp.method.name"), str):
        return TOOL if value == "tools/call" else RETRIEVAL if value == "resources/read" else OTHER
    return _older(attributes, plan, is_root)


def _older(attributes: Mapping[str, Any], plan: Plan, is_root: bool) -> SpanKind | None:
    get = attributes.get
    if isinstance(value := get("traceloop.span.kind"), str):
        found = _TRACELOOP.get(value.lower())
        if found is not None:
            return found
    if "llm.request.type" in attributes:
        return LLM
    if "gen_ai.guardrail.name" in attributes:
        return GUARDRAIL
    value = get("ai.operationId") or get("operation.name")
    if isinstance(value, str) and value.startswith("ai."):
        name = value.partition(" ")[0]  # operation.name is "ai.generateText my-function"
        if name.endswith((".doGenerate", ".doStream", ".doEmbed")):
            return LLM
        if name == "ai.toolCall":
            return TOOL
        return RUN if is_root else OTHER
    if "gen_ai.tool.name" in attributes or "gen_ai.tool.call.id" in attributes:
        return TOOL
    if "gen_ai.request.model" in attributes and plan.tokens:
        return LLM
    if "agent_name" in attributes and "model_name" in attributes:
        return RUN  # pydantic-ai, instrumentation version 2 and older: "agent run"
    if is_root and "gen_ai.agent.name" in attributes:
        return RUN
    return None


def _has_side_effect(attributes: Mapping[str, Any], otlp_kind: int) -> bool:
    get = attributes.get
    if otlp_kind == _PRODUCER:
        return "messaging.system" in attributes or "messaging.destination.name" in attributes
    method = get("http.request.method") or get("http.method")
    if isinstance(method, str):
        return method.upper() in _WRITE_METHODS and not _is_model_host(attributes)
    if "db.system" in attributes or "db.system.name" in attributes:
        return _writes_to_database(attributes)
    if "rpc.system" in attributes or "rpc.system.name" in attributes:
        service = get("rpc.service")
        is_model = isinstance(service, str) and service.replace(" ", "").startswith("Bedrock")
        return not is_model and not _is_model_host(attributes)
    return False


def _writes_to_database(attributes: Mapping[str, Any]) -> bool:
    for key in ("db.operation.name", "db.operation", "db.query.summary", "db.query.text", "db.statement"):
        value = attributes.get(key)
        if isinstance(value, str) and value:
            return value.lstrip(" \n\r\t(")[:40].partition(" ")[0].upper() in _WRITE_STATEMENTS
    return False


def _is_model_host(attributes: Mapping[str, Any]) -> bool:
    for key in ("server.address", "net.peer.name", "http.host"):
        value = attributes.get(key)
        if isinstance(value, str) and provider_of_host(value[:255]):
            return True
    for key in ("url.full", "http.url"):
        value = attributes.get(key)
        if isinstance(value, str):
            host = value[:512].partition("//")[2].partition("/")[0].rpartition("@")[2]
            if provider_of_host(host):
                return True
    return False
