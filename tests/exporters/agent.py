"""A small agent, traced by a public instrumentation and the public exporter, as somebody else would write it.

    python -m tests.exporters.agent DIALECT MODEL_URL

Where traces go stands in OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_HEADERS, as the SDK reads them. Prints the
trace id. Knows nothing of the product.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import openai
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

SYSTEM, QUESTION = "Be kind.", "Weather in Paris?"
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class Counting(SpanExporter):
    """The public exporter; remembers the trace and whether everything went out."""

    def __init__(self) -> None:
        self.inner = OTLPSpanExporter()
        self.traces: set[str] = set()
        self.failed = 0

    def export(self, spans: Any) -> SpanExportResult:
        found: list[ReadableSpan] = list(spans)
        self.traces |= {f"{span.context.trace_id:032x}" for span in found if span.context}
        result = self.inner.export(found)
        self.failed += result is not SpanExportResult.SUCCESS
        return result

    def shutdown(self) -> None:
        self.inner.shutdown()


def get_weather(city: str) -> dict[str, str]:
    """The weather."""
    return {"sky": "sunny"} if city else {}


def by_hand(url: str, agent: dict[str, Any], tool: dict[str, Any], inputs: tuple[str, str]) -> None:
    """An agent's loop, with a span of the convention around the run and around the tool."""
    tracer = trace.get_tracer("agent")
    client = openai.OpenAI(base_url=url, api_key="not-a-key")
    messages: list[Any] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
    with tracer.start_as_current_span(
        "weather-bot", attributes={**agent, "user.id": "ann", "session.id": "s-1"}
    ) as root:
        while True:
            reply = client.chat.completions.create(model="gpt-4o", messages=messages, tools=[TOOL])  # type: ignore[call-overload]
            message = reply.choices[0].message
            messages.append(message.model_dump(exclude_none=True))
            if not message.tool_calls:
                break
            [call] = message.tool_calls
            with tracer.start_as_current_span("get_weather", attributes=tool) as span:
                span.set_attribute(inputs[0], call.function.arguments)
                result = json.dumps(get_weather(**json.loads(call.function.arguments)))
                span.set_attribute(inputs[1], result)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
        root.set_attribute(inputs[0], QUESTION)
        root.set_attribute(inputs[1], message.content)
    client.close()


def openinference(url: str) -> None:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    by_hand(
        url,
        {"openinference.span.kind": "AGENT", "agent.name": "weather-bot"},
        {"openinference.span.kind": "TOOL", "tool.name": "get_weather", "tool.id": "call_1"},
        ("input.value", "output.value"),
    )


def openllmetry(url: str) -> None:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    by_hand(
        url,
        {"traceloop.span.kind": "workflow", "traceloop.entity.name": "weather-bot", "traceloop.workflow.name": "weather-bot"},
        {"traceloop.span.kind": "tool", "traceloop.entity.name": "get_weather", "gen_ai.tool.call.id": "call_1"},
        ("traceloop.entity.input", "traceloop.entity.output"),
    )  # fmt: skip


def pydantic_ai(url: str) -> None:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    async def run() -> None:
        async with openai.AsyncOpenAI(base_url=url, api_key="not-a-key") as client:
            model = OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client))
            agent = Agent(model, name="weather-bot", system_prompt=SYSTEM, tools=[get_weather])
            await agent.run(QUESTION)

    Agent.instrument_all()
    asyncio.run(run())


def twice(url: str) -> None:
    """Two instrumentations see the same calls, one inside the other."""
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    pydantic_ai(url)


DIALECTS = {"openinference": openinference, "openllmetry": openllmetry, "pydantic-ai": pydantic_ai, "twice": twice}


def main(dialect: str, url: str) -> None:
    exporter = Counting()
    provider = TracerProvider(resource=Resource.create({"service.name": "weather-bot", "service.version": "1.2"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    DIALECTS[dialect](url)
    provider.shutdown()
    [found] = exporter.traces
    print(json.dumps({"trace": found, "failed": exporter.failed}))


if __name__ == "__main__":
    main(*sys.argv[1:])
