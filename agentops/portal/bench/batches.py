"""OTLP batches as an agent's SDK sends them, serialised before the clock starts."""

from __future__ import annotations

import os
import random
import time
import uuid

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

BATCH = 512
RUN_SPANS = 16  # a root, then alternating model and tool calls
_MODELS = ("gpt-4o-2024-08-06", "claude-sonnet-4-5-20250929", "gpt-4o-mini-2024-07-18")
_TOOLS = ("search_orders", "refund", "send_mail", "lookup_customer", "create_ticket")
_WORDS = [
    "the",
    "customer",
    "asks",
    "about",
    "an",
    "order",
    "that",
    "has",
    "not",
    "arrived",
    "yet",
    "and",
    "would",
    "like",
    "to",
    "know",
    "what",
    "can",
    "be",
    "done",
    "about",
    "it",
    "before",
    "the",
    "weekend",
    "because",
    "the",
    "present",
    "is",
    "for",
    "a",
    "birthday",
    "on",
    "Sunday",
    "and",
    "there",
    "is",
    "no",
    "time",
    "left",
    "to",
    "buy",
    "another",
    "one",
]


def template(seed: int, *, now_ns: int | None = None) -> tuple[bytes, list[bytes]]:
    """One serialised batch of BATCH spans of about 1.5 KB, and the trace ids in it (to be replaced by new ones)."""
    rng = random.Random(seed)
    now = now_ns or time.time_ns()
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource = resource_spans.resource
    for key, value in {
        "service.name": "support-bot",
        "service.version": "2026.11.1",
        "deployment.environment.name": "bench",
    }.items():
        resource.attributes.add(key=key).value.string_value = value
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "agentops.bench"
    traces: list[bytes] = []
    while len(scope_spans.spans) < BATCH:
        trace_id = rng.randbytes(16)
        traces.append(trace_id)
        _run(scope_spans.spans.add, trace_id, rng, now - rng.randrange(60_000_000_000))
    return request.SerializeToString(), traces


def renewed(body: bytes, traces: list[bytes]) -> bytes:
    """The same batch with trace ids of its own."""
    for trace_id in traces:
        body = body.replace(trace_id, uuid.UUID(bytes=os.urandom(16), version=4).bytes)
    return body


def _run(add: object, trace_id: bytes, rng: random.Random, started: int) -> None:
    root_id = rng.randbytes(8)
    user = f"user-{rng.randrange(5000)}"
    root = add()  # type: ignore[operator]
    _fill(root, trace_id, root_id, b"", "invoke_agent support-bot", started, 30_000_000_000)
    _attributes(
        root,
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "support-bot",
            "gen_ai.agent.version": "2026.11.1",
            "user.id": user,
            "gen_ai.conversation.id": f"session-{rng.randrange(50_000)}",
            "input.value": _text(rng, 600),
            "output.value": _text(rng, 500),
        },
    )
    for step in range(RUN_SPANS - 1):
        span = add()  # type: ignore[operator]
        begin = started + (step + 1) * 1_500_000_000
        if step % 2 == 0:
            _model_call(span, trace_id, root_id, rng, begin)
        else:
            _tool_call(span, trace_id, root_id, rng, begin)


def _model_call(span: Span, trace_id: bytes, root_id: bytes, rng: random.Random, begin: int) -> None:
    model = rng.choice(_MODELS)
    _fill(span, trace_id, rng.randbytes(8), root_id, f"chat {model}", begin, 1_200_000_000)
    span.kind = Span.SPAN_KIND_CLIENT
    messages = [
        {"role": "user", "parts": [{"type": "text", "content": _text(rng, 420)}]},
        {"role": "assistant", "parts": [{"type": "text", "content": _text(rng, 120)}]},
    ]
    answer = [{"role": "assistant", "parts": [{"type": "text", "content": _text(rng, 260)}], "finish_reason": "stop"}]
    _attributes(
        span,
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai" if model.startswith("gpt") else "anthropic",
            "gen_ai.request.model": model,
            "gen_ai.response.model": model,
            "gen_ai.response.id": f"resp_{rng.getrandbits(64):016x}",
            "gen_ai.request.temperature": 0.2,
            "gen_ai.request.max_tokens": 1024,
            "gen_ai.usage.input_tokens": rng.randrange(200, 4000),
            "gen_ai.usage.output_tokens": rng.randrange(20, 800),
            "gen_ai.usage.cache_read.input_tokens": rng.randrange(0, 200),
            "gen_ai.system_instructions": '[{"type":"text","content":"You help customers of a shop. Be brief."}]',
            "gen_ai.input.messages": orjson.dumps(messages).decode(),
            "gen_ai.output.messages": orjson.dumps(answer).decode(),
            "server.address": "api.example.test",
            "server.port": 443,
            "gen_ai.output.type": "text",
        },
    )


def _tool_call(span: Span, trace_id: bytes, root_id: bytes, rng: random.Random, begin: int) -> None:
    tool = rng.choice(_TOOLS)
    _fill(span, trace_id, rng.randbytes(8), root_id, f"execute_tool {tool}", begin, 200_000_000)
    failed = rng.random() < 0.03
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool,
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": f"call_{rng.getrandbits(64):016x}",
        "gen_ai.tool.description": _text(rng, 160),
        "gen_ai.tool.call.arguments": orjson.dumps(
            {"order_id": f"ord_{rng.randrange(10**6)}", "note": _text(rng, 300)}
        ).decode(),
        "gen_ai.tool.call.result": orjson.dumps({"status": "ok", "rows": [_text(rng, 220) for _ in range(2)]}).decode(),
        "app.tenant.plan": "pro",
        "app.request.region": "eu-central",
        "thread.id": rng.randrange(10**6),
    }
    if failed:
        attributes["error.type"] = "timeout"
        span.status.code = Status.STATUS_CODE_ERROR
    _attributes(span, attributes)


def _fill(span: Span, trace_id: bytes, span_id: bytes, parent_id: bytes, name: str, begin: int, length: int) -> None:
    span.trace_id, span.span_id, span.parent_span_id, span.name = trace_id, span_id, parent_id, name
    span.start_time_unix_nano, span.end_time_unix_nano = begin, begin + length


def _attributes(span: Span, values: dict[str, object]) -> None:
    for key, value in values.items():
        target = span.attributes.add(key=key).value
        if isinstance(value, str):
            target.string_value = value
        elif isinstance(value, float):
            target.double_value = value
        elif isinstance(value, int):
            target.int_value = value


def _text(rng: random.Random, length: int) -> str:
    words: list[str] = []
    size = 0
    while size < length:
        word = rng.choice(_WORDS)
        words.append(word)
        size += len(word) + 1
    return " ".join(words)[:length]
