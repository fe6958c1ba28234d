"""Unmodified public instrumentations and the public exporter, from other processes, over HTTP: one canonical run.

What differs between them, and why:

- `openllmetry` and `openinference` only see model calls; the agent's run and its tool are spans that the author adds by
  their conventions (agent.py). pydantic-ai makes all of them, has no place for a user, and a conversation id of its own.
- `tool_definitions_hash`: pydantic-ai derives the tool's schema from a Python function, the others send the author's.
- `twice` has two more spans: the inner ones are counted, the outer ones repeat them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from agentops.budgets.prices import price
from agentops.common import clock
from agentops.common.money import usd_text
from tests.exporters.agent import DIALECTS, QUESTION, SYSTEM
from tests.ingest import rows
from tests.ingest.wire import Sender
from tests.server import Portal
from tests.stubs.model_server import ANSWER, MODEL, ModelServer, model_server
from tests.world import World

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


@pytest.fixture
def traced(live_portal: Portal, model: ModelServer, world: World, key_for: Callable[..., str]) -> Callable[..., str]:
    """`traced("openinference")` runs the agent in a process of its own; answers its trace id."""

    def run(dialect: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tests.exporters.agent", dialect, model.url],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            env={
                **os.environ,
                "OTEL_EXPORTER_OTLP_ENDPOINT": live_portal.url,
                "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization={quote('Bearer ' + key_for(world.acme, 'ingest'))}",
                **environment,
            },
        )
        assert done.returncode == 0, done.stderr[-3000:]
        said = json.loads(done.stdout.splitlines()[-1])
        assert said["failed"] == 0
        return str(said["trace"])

    return run


@pytest.fixture
def acme(world: World, key_for: Callable[..., str]) -> Sender:
    return Sender(key_for(world.acme, "ingest"), read_key=key_for(world.acme, "read"))


def canonical() -> dict[str, Any]:
    """The run that every dialect becomes."""
    one = price("openai", MODEL, input=100, output=20, cache_read=40, cache_write=None, reasoning=5, at=clock.now())
    assert one.nano_usd
    return {
        "agent": "weather-bot",
        "agent_version": "1.2",
        "status": "ok",
        "llm_calls": 2,
        "tool_calls": 1,
        "error_count": 0,
        "input_tokens": 200,
        "output_tokens": 40,
        "cache_read_tokens": 80,
        "reasoning_tokens": 10,
        "cost_usd": usd_text(2 * one.nano_usd),
        "cost_state": "priced",
        "tools": ["get_weather"],
        "models": [MODEL],
        "error_types": [],
        "service": "weather-bot",
    }


PROMPT = [{"type": "text", "content": SYSTEM}]
ASKED = [{"role": "user", "parts": [{"type": "text", "content": QUESTION}]}]
ANSWERED = [{"role": "assistant", "parts": [{"type": "text", "content": ANSWER}]}]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_lands_as_the_same_run(
    traced: Callable[..., str], acme: Sender, world: World, dialect: str
) -> None:
    compression = {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"} if dialect == "openllmetry" else {}
    trace = traced(dialect, **compression)
    run = acme.run(trace)
    assert {name: run[name] for name in canonical()} == canonical()
    assert run["span_count"] == (6 if dialect == "twice" else 4)
    by_hand = dialect in ("openinference", "openllmetry")
    assert run["user"] == ("ann" if by_hand else None)
    assert run["session"] == "s-1" if by_hand else run["session"]
    spans = [item for item in acme.spans_of(trace) if item["counted"]]
    calls = [item for item in spans if item["kind"] == "llm"]
    [tool] = [item for item in spans if item["kind"] == "tool"]
    [root] = [item for item in spans if item["parent_span_id"] is None]
    assert (tool["tool"], tool["tool_call_id"]) == ("get_weather", "call_1")
    assert (tool["arguments"], tool["result"]) == ({"city": "Paris"}, {"sky": "sunny"})
    assert root["kind"] == "run" and root["agent"] == "weather-bot"
    assert [item["system_instructions"] for item in calls] == [PROMPT, PROMPT]
    assert calls[0]["input"] == ASKED and calls[1]["output"] == ANSWERED
    assert [item["finish_reasons"] for item in calls] == [["tool_call"], ["stop"]]
    assert {item["provider"] for item in calls} == {"openai"} and {item["model"] for item in calls} == {MODEL}
    assert run["prompt_hash"] and {item["prompt_hash"] for item in calls} == {run["prompt_hash"]}
    assert run["tool_definitions_hash"]
    assert rows.ledger(world.acme.id, trace)["calls"] == 2
    assert acme.runs(tool="get_weather", model=MODEL, agent="weather-bot") == [trace]
    assert acme.runs(q="sunny in paris") == [trace]


def test_the_prompt_is_the_same_whoever_tells_of_it(traced: Callable[..., str], acme: Sender) -> None:
    runs = [acme.run(traced(dialect)) for dialect in ("openinference", "openllmetry", "pydantic-ai")]
    assert len({run["prompt_hash"] for run in runs}) == 1
    assert len(acme.runs(prompt_hash=runs[0]["prompt_hash"])) == 3
    assert runs[0]["tool_definitions_hash"] == runs[1]["tool_definitions_hash"]


def test_a_run_without_content_has_the_same_totals(traced: Callable[..., str], acme: Sender) -> None:
    trace = traced("openllmetry", TRACELOOP_TRACE_CONTENT="false")
    run = acme.run(trace)
    assert {name: run[name] for name in canonical()} == canonical()
    assert run["prompt_hash"] is None
    calls = [item for item in acme.spans_of(trace) if item["kind"] == "llm"]
    assert {(item["input"], item["output"], item["system_instructions"]) for item in calls} == {(None, None, None)}
