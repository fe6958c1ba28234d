"""The trace of a run has the run's id, so the portal joins spans and decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from agentops_client import AsyncClient, Usage
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.client.playing import play_out
from tests.stubs.portal import RUN_ID, StubPortal


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], dict[str, ReadableSpan]]]:
    """Finished spans by name, of a provider that only this test has."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield lambda: {span.name: span for span in exporter.get_finished_spans()}
    provider.shutdown()


def test_the_trace_of_a_run_is_the_run(spans: Any, run_of: Callable[..., Any]) -> None:
    with run_of(session="s-1") as run:
        with run.model_call(input_tokens=10, max_output_tokens=20, model="m", provider="openai") as model:
            model.used(Usage(input_tokens=7, output_tokens=3))
        with run.tool_call("refund", {}) as call, trace.get_tracer("mine").start_as_current_span("inside"):
            pass
    found = spans()
    assert {f"{span.context.trace_id:032x}" for span in found.values()} == {RUN_ID}
    root, chat, tool = found["invoke_agent support-bot"], found["chat m"], found["execute_tool refund"]
    assert root.parent is None and chat.parent.span_id == tool.parent.span_id == root.context.span_id
    assert found["inside"].parent.span_id == tool.context.span_id
    assert root.attributes["agentops.run_id"] == RUN_ID and root.attributes["session.id"] == "s-1"
    assert root.attributes["gen_ai.agent.name"] == "support-bot" and root.attributes["user.id"] == "ann"
    assert chat.attributes["agentops.call_id"] == model.call_id
    assert chat.attributes["gen_ai.usage.input_tokens"] == 7
    assert tool.attributes["agentops.call_id"] == call.call_id


def test_a_run_inside_another_trace_has_its_own_and_points_back(spans: Any, stub: StubPortal) -> None:
    async def story() -> None:
        with trace.get_tracer("web").start_as_current_span("request"):
            async with AsyncClient(stub.url, "aok_key") as client, client.run(agent="a", agent_version="1", user="u"):
                pass

    play_out(story())
    found = spans()
    root, request = found["invoke_agent a"], found["request"]
    assert f"{root.context.trace_id:032x}" == RUN_ID != f"{request.context.trace_id:032x}"
    assert root.links[0].context.span_id == request.context.span_id


def test_a_framework_s_own_span_is_marked_instead(spans: Any, run_of: Callable[..., Any]) -> None:
    with (
        run_of() as run,
        trace.get_tracer("framework").start_as_current_span("tool"),
        run.tool_call("refund", {}, span=False) as call,
    ):
        pass
    found = spans()
    assert set(found) == {"invoke_agent support-bot", "tool"}
    assert found["tool"].attributes["agentops.call_id"] == call.call_id
