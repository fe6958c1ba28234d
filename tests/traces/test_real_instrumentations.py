"""What unmodified public instrumentations really send, mapped: OpenInference, OpenLLMetry, pydantic-ai."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agentops.traces.normalise import normalise, unmapped_keys
from agentops.traces.otlp import decode_traces
from agentops.traces.types import Span, SpanKind
from tests.stubs.model_server import ANSWER, MODEL, ModelServer, model_server

QUESTION = "Weather in Paris?"
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


@pytest.fixture
def traced() -> tuple[TracerProvider, Callable[[], list[Span]]]:
    """A tracer provider, and what its spans become once they went over the wire."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    def canonical() -> list[Span]:
        body = encode_spans(exporter.get_finished_spans()).SerializeToString()
        spans, rejected = normalise(decode_traces(body, encoding="protobuf"), now_ns=time.time_ns())
        assert not rejected
        assert unmapped_keys(spans) == {}
        return spans

    return provider, canonical


def ask_twice(url: str) -> None:
    client = openai.OpenAI(base_url=url, api_key="not-a-key")
    messages: list[Any] = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": QUESTION}]
    reply = client.chat.completions.create(model="gpt-4o", messages=messages, tools=[TOOL])  # type: ignore[call-overload]
    messages.append(reply.choices[0].message.model_dump(exclude_none=True))
    messages.append({"role": "tool", "tool_call_id": "call_1", "content": '{"sky": "sunny"}'})
    client.chat.completions.create(model="gpt-4o", messages=messages, tools=[TOOL])  # type: ignore[call-overload]
    client.close()


def check_calls(first: Span, last: Span) -> None:
    for span in (first, last):
        assert span.kind is SpanKind.LLM
        assert (span.model_requested, span.model, span.provider) == ("gpt-4o", MODEL, "openai")
        assert (span.input_tokens, span.output_tokens) == (100, 20)
        assert (span.cache_read_tokens, span.reasoning_tokens) == (40, 5)
        assert span.system_instructions == [{"type": "text", "content": "Be kind."}]
        assert span.tool_definitions[0]["name"] == "get_weather"
        assert span.input[0] == {"role": "user", "parts": [{"type": "text", "content": QUESTION}]}
        assert span.prompt_hash
        assert span.tool_definitions_hash
        assert "floating_model" not in span.flags
    call = {"type": "tool_call", "id": "call_1", "name": "get_weather", "arguments": {"city": "Paris"}}
    assert first.output == [{"role": "assistant", "parts": [call]}]
    assert (first.finish_reasons, first.tool_calls) == (("tool_call",), ("get_weather",))
    assert last.input[2]["role"] == "tool"
    assert last.input[2]["parts"] == [{"type": "tool_call_response", "id": "call_1", "response": {"sky": "sunny"}}]
    assert last.output == [{"role": "assistant", "parts": [{"type": "text", "content": ANSWER}]}]
    assert (last.finish_reasons, last.tool_calls) == (("stop",), ())


@pytest.mark.parametrize(
    ("package", "dialect"),
    [
        ("openinference.instrumentation.openai", "openinference"),
        ("opentelemetry.instrumentation.openai", "openllmetry"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_openai_calls_are_understood(package: str, dialect: str, server: ModelServer, traced: Any) -> None:
    provider, canonical = traced
    instrumentor = pytest.importorskip(package).OpenAIInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        ask_twice(server.url)
    finally:
        instrumentor.uninstrument()
    first, last = canonical()
    check_calls(first, last)
    assert first.dialect == dialect
    assert len(server.requests) == 2


@pytest.mark.parametrize("version", [2, 5])
@pytest.mark.filterwarnings("ignore")
def test_a_pydantic_ai_run_is_understood(version: int, server: ModelServer, traced: Any) -> None:
    provider, canonical = traced
    pydantic_ai = pytest.importorskip("pydantic_ai")
    from pydantic_ai.models.instrumented import InstrumentationSettings
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    def get_weather(city: str) -> dict[str, str]:
        """The weather."""
        return {"sky": "sunny"} if city else {}

    async def run() -> Any:
        async with openai.AsyncOpenAI(base_url=server.url, api_key="not-a-key") as client:
            model = OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client))
            agent = pydantic_ai.Agent(model, name="weather", system_prompt="Be kind.", tools=[get_weather])
            return (await agent.run(QUESTION)).output

    pydantic_ai.Agent.instrument_all(InstrumentationSettings(tracer_provider=provider, version=version))  # type: ignore[arg-type]
    try:
        # In a thread: where browser journeys ran before, Playwright's loop counts as running in this one.
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(asyncio.run, run()).result() == ANSWER
    finally:
        pydantic_ai.Agent.instrument_all(False)
    first, tool, last, root = canonical()
    check_calls(first, last)
    assert (tool.kind, tool.tool, tool.tool_call_id) == (SpanKind.TOOL, "get_weather", "call_1")
    assert (tool.arguments, tool.result) == ({"city": "Paris"}, {"sky": "sunny"})
    assert (root.kind, root.agent, root.parent_id) == (SpanKind.RUN, "weather", None)
    assert root.input_tokens is None, "aggregated usage is not the span's own"
    assert root.input == [{"role": "user", "parts": [{"type": "text", "content": QUESTION}]}]
    assert root.output == [{"role": "assistant", "parts": [{"type": "text", "content": ANSWER}]}]
    assert {span.dialect for span in (first, tool, last, root)} == {"logfire"}
