"""A production run replayed by the client: the same steps and outputs, byte for byte, without any network but the portal's."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from agentops_client import Client, PortalError, evals
from agentops_client.adapters import evals_pydantic_ai
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from agentops.common import clock
from tests.client.test_evals import openai_call
from tests.server import Portal
from tests.stubs.model_server import ANSWER, model_server
from tests.world import World

MODEL = "gpt-4o-mini-2024-07-18"
ORDERS = [f"ord_{number}" for number in range(8)]
TOTAL = "8 orders, 36 EUR in all."


def spans_of(run_id: str, steps: list[dict[str, Any]], *, output: Any = TOTAL) -> list[dict[str, Any]]:
    """A run of these steps, as an agent sends it."""
    at = clock.now() - timedelta(minutes=10)
    stamp = lambda seconds: (at + timedelta(seconds=seconds)).isoformat()  # noqa: E731
    base = {"trace_id": run_id, "agent": "summer", "agent_version": "7"}
    root = {**base, "span_id": f"{1:016x}", "kind": "run", "name": "run", "started_at": stamp(0), "ended_at": stamp(99)}
    found = [{**root, "input": "Add up my orders", "output": output}]
    for place, step in enumerate(steps, start=2):
        times = {"started_at": stamp(place), "ended_at": stamp(place + 0.5)}
        found.append(
            {**base, "span_id": f"{place:016x}", "parent_span_id": f"{1:016x}", "name": step["kind"], **times, **step}
        )
    return found


def sixteen_steps() -> list[dict[str, Any]]:
    """Eight times: the model asks for an order, the tool answers."""
    steps: list[dict[str, Any]] = []
    for number, order in enumerate(ORDERS, start=1):
        said = json.dumps({"tool": "amount_of", "order": order})
        steps.append({"kind": "llm", "model": MODEL, "input_tokens": 100 + number, "output_tokens": 10, "output": said})
        steps.append({"kind": "tool", "tool": "amount_of", "arguments": {"order": order}, "result": {"eur": number}})
    return steps


def record(portal: Portal, world: World, spans: list[dict[str, Any]]) -> None:
    headers = {"Authorization": f"Bearer {world.acme.keys['ingest']}"}
    answer = httpx.post(f"{portal.url}/api/v1/traces", json={"spans": spans}, headers=headers)
    assert answer.status_code == 200 and answer.json()["rejected"] == [], answer.text


@pytest.fixture
def portal(live_portal: Portal, world: World) -> Iterator[Any]:
    with Client(live_portal.url, world.acme.keys["evals"]) as client:
        yield client


def amount_of(order: str) -> Any:
    raise AssertionError("a tool ran")


def adds_up(case: Any, session: Any) -> str:
    """The recorded models decide what is asked next; the code adds up."""
    total, orders = 0, 0
    while orders < len(ORDERS):
        asked = json.loads(session.next_answer())
        session.model_call(MODEL, evals.Usage(101 + orders, 10), output=json.dumps(asked))
        total += session.tools["amount_of"](order=asked["order"])["eur"]
        orders += 1
    return f"{orders} orders, {total} EUR in all."


def test_a_run_of_sixteen_steps_is_the_same_twice_in_a_row_to_the_byte_and_without_network(
    portal: Any, live_portal: Portal, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = uuid.uuid4().hex
    record(live_portal, world, spans_of(run_id, sixteen_steps()))
    reached: set[Any] = set()
    connect = socket.socket.connect

    def noted(self: socket.socket, address: Any) -> None:
        reached.add(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    first, second = (evals.replay(portal, run_id, call=adds_up, tools=[amount_of]) for _ in range(2))
    host, port = httpx.URL(live_portal.url).host, httpx.URL(live_portal.url).port
    assert {each[1] for each in reached if isinstance(each, tuple)} <= {port}, (host, reached)
    assert first.is_same and second.is_same, (str(first), first.diff)
    assert first.id != second.id and first.result_digest == second.result_digest
    assert first.said["tape_digest"] == second.said["tape_digest"]
    assert first.diff == second.diff
    assert first.diff["totals"]["steps"] == [16, 16] and first.diff["totals"]["input_tokens"] == [836, 836]
    results = {row.result for row in replays(world)}
    assert len(results) == 1, "byte-equal"


def replays(world: World) -> list[Any]:
    from agentops.common.scope import tenant_scope
    from evals.models import Replay

    with tenant_scope(world.acme.id):
        return list(Replay.objects.filter(tenant_id=world.acme.id).order_by("id"))


def test_the_first_divergence_is_marked_and_what_follows_is_not_taken_for_the_same(
    portal: Any, live_portal: Portal, world: World
) -> None:
    run_id = uuid.uuid4().hex
    record(live_portal, world, spans_of(run_id, sixteen_steps()))

    def other(case: Any, session: Any) -> str:
        for order in ("ord_0", "ord_1", "ord_9"):
            session.call("amount_of", {"order": order})
        return "never"

    found = evals.replay(portal, run_id, call=other, version="8")
    assert not found.is_same and not found.diff["output_same"]
    assert found.first == 2 and found.diff["rows"][2]["differs"] == ["step"]
    assert found.diff["broke"].startswith("Diverged")
    assert [row["differs"] for row in found.diff["rows"][:2]] == [[], []], "models were not told, so they are left out"
    assert found.said["agent_version"] == "8"
    assert "step 3 differs" in str(found)


def test_another_output_after_the_same_steps_is_a_difference(portal: Any, live_portal: Portal, world: World) -> None:
    run_id = uuid.uuid4().hex
    record(live_portal, world, spans_of(run_id, sixteen_steps(), output="9 orders"))
    found = evals.replay(portal, run_id, call=adds_up, tools=[amount_of])
    assert found.first is None and not found.diff["output_same"] and not found.is_same
    assert "the output differs" in str(found)


def test_a_failure_of_a_tool_is_replayed_as_one(portal: Any, live_portal: Portal, world: World) -> None:
    run_id = uuid.uuid4().hex
    failed = {
        "kind": "tool",
        "tool": "amount_of",
        "arguments": {"order": "ord_0"},
        "status": "error",
        "error_type": "timeout",
    }
    record(live_portal, world, spans_of(run_id, [failed], output="I could not."))

    def copes(case: Any, session: Any) -> str:
        with pytest.raises(evals.RecordedError) as error:
            session.tools["amount_of"]("ord_0")
        assert error.value.type == "timeout"
        return "I could not."

    found = evals.replay(portal, run_id, call=copes, tools=[amount_of])
    assert found.is_same, found.diff


def weather_run() -> list[dict[str, Any]]:
    return [{"kind": "tool", "tool": "weather", "arguments": {"city": "Paris"}, "result": {"sky": "sunny"}}]


def weather(city: str) -> str:
    raise AssertionError("a tool ran")


def test_a_pydantic_ai_agent_is_replayed(portal: Any, live_portal: Portal, world: World) -> None:
    run_id = uuid.uuid4().hex
    record(live_portal, world, spans_of(run_id, weather_run(), output=ANSWER))

    def follows(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if any(part.part_kind == "tool-return" for message in messages for part in message.parts):
            return ModelResponse([TextPart(ANSWER)])
        return ModelResponse([ToolCallPart("weather", {"city": "Paris"})])

    agent = Agent(FunctionModel(follows), tools=[weather])
    found = evals.replay(portal, run_id, call=evals_pydantic_ai.agent_call(agent))
    tools = [row for row in found.diff["rows"] if row["differs"] == []]
    assert len(tools) == 1 and found.diff["output_same"], found.diff


def test_an_openai_agents_agent_is_replayed(portal: Any, live_portal: Portal, world: World) -> None:
    run_id = uuid.uuid4().hex
    models = {"kind": "llm", "model": "gpt-4o-2024-08-06", "input_tokens": 100, "output_tokens": 20}
    record(live_portal, world, spans_of(run_id, [models, *weather_run(), models], output=ANSWER))
    with model_server() as server:
        found = evals.replay(portal, run_id, call=openai_call(server))
    assert found.is_same, (str(found), found.diff)
    assert found.diff["totals"]["steps"] == [3, 3]


def test_a_replay_takes_one_result_and_only_its_own_organisations(
    portal: Any, live_portal: Portal, world: World
) -> None:
    run_id = uuid.uuid4().hex
    record(live_portal, world, spans_of(run_id, sixteen_steps()))
    found = evals.replay(portal, run_id, call=adds_up, tools=[amount_of])
    path = f"/api/v1/replays/{found.id}/result"
    with pytest.raises(PortalError) as refused:
        evals._ask(portal, "POST", path, {"output": "x", "steps": [], "usage": {}})
    assert refused.value.code == "already_done"
    with Client(live_portal.url, world.globex.keys["evals"]) as stranger:
        for call in (
            lambda: evals.replay(stranger, run_id, call=adds_up),
            lambda: evals._ask(stranger, "POST", path, {"output": "x"}),
            lambda: evals._ask(stranger, "GET", f"/api/v1/runs/{run_id}/tape"),
        ):
            with pytest.raises(PortalError) as refused:
                call()
            assert refused.value.status == 404
    assert world.acme.actions().count("replay.asked") == 1
