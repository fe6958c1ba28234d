"""Whatever happens inside a model call, it is settled, once, and never for free when nobody knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from agentops_client import AsyncClient, Client, ModelCall, Rejected, Unreachable, Usage, estimate_tokens, model_call

from tests.client.playing import play_out
from tests.stubs.portal import Said, StubPortal

USAGE = Usage(input_tokens=100, output_tokens=20, cache_read_tokens=40, reasoning_tokens=5)
COUNTED = {
    "input_tokens": 100,
    "output_tokens": 20,
    "cache_read_tokens": 40,
    "cache_write_tokens": 0,
    "reasoning_tokens": 5,
}


class ProviderSaidNo(Exception):
    """What a provider's client raises."""


def said_nothing(call: ModelCall) -> None:
    pass


def told_its_usage(call: ModelCall) -> None:
    call.used(USAGE)


def broke(call: ModelCall) -> None:
    raise ProviderSaidNo


def told_its_usage_and_broke(call: ModelCall) -> None:
    call.used(USAGE)
    raise ProviderSaidNo


def was_refused_by_the_provider(call: ModelCall) -> None:
    call.failed(Usage())
    raise ProviderSaidNo


def was_interrupted(call: ModelCall) -> None:
    raise KeyboardInterrupt


def was_never_sent(call: ModelCall) -> None:
    call.not_sent()


ENDS: list[tuple[Callable[[ModelCall], None], dict[str, Any]]] = [
    (said_nothing, {"outcome": "unknown"}),
    (told_its_usage, {"outcome": "ok", "usage": COUNTED}),
    (broke, {"outcome": "unknown"}),
    (told_its_usage_and_broke, {"outcome": "error", "usage": COUNTED}),
    (was_refused_by_the_provider, {"outcome": "error", "usage": dict.fromkeys(COUNTED, 0)}),
    (was_interrupted, {"outcome": "unknown"}),
    (was_never_sent, {"outcome": "cancelled", "usage": dict.fromkeys(COUNTED, 0)}),
]


@pytest.mark.parametrize(("end", "body"), ENDS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_model_call_is_settled_once_however_it_ends(
    stub: StubPortal, run_of: Callable[..., Any], end: Callable[[ModelCall], None], body: dict[str, Any]
) -> None:
    stub.lose("settlement")  # taken, and the answer lost: the resend is the same
    with run_of() as run:
        try:
            with run.model_call(input_tokens=100, max_output_tokens=500) as call:
                end(call)
        except (ProviderSaidNo, KeyboardInterrupt):
            pass
        assert call.cost_usd == "0.001000"
    first, second = stub.of("settlement")
    assert first.raw == second.raw and first.path == second.path
    assert first.body == body


def test_the_model_and_the_length_are_those_the_portal_chose(stub: StubPortal, run_of: Callable[..., Any]) -> None:
    chosen = {
        "decision": "allow",
        "model": "cheap",
        "max_output_tokens": 64,
        "reserved_usd": "0.01",
        "advice": "wrap up",
    }
    stub.say("model-calls", Said(200, chosen))
    with run_of() as run, run.model_call(input_tokens=10, max_output_tokens=500, model="dear") as call:
        assert (call.model, call.max_output_tokens, call.advice) == ("cheap", 64, "wrap up")


def test_a_refused_model_call_is_not_made_and_not_settled(stub: StubPortal, run_of: Callable[..., Any]) -> None:
    stub.say("model-calls", Said(200, {"decision": "reject", "code": "cost_budget_exceeded", "detail": "no money"}))
    with (
        run_of() as run,
        pytest.raises(Rejected, match="no money"),
        run.model_call(input_tokens=1, max_output_tokens=1),
    ):
        raise AssertionError("it was called")
    assert stub.of("settlement") == []


def test_a_reservation_whose_answer_never_came_is_given_back(stub: StubPortal) -> None:
    stub.lose("model-calls", times=50)
    with (
        Client(stub.url, "aok_key", retry_seconds=0.2, timeout_seconds=2) as client,
        client.run(agent="a", agent_version="1", user="u") as run,
        pytest.raises(Unreachable),
        run.model_call(input_tokens=1, max_output_tokens=1),
    ):
        raise AssertionError("it was called")
    [settled] = stub.of("settlement")
    assert settled.body == {"outcome": "cancelled", "usage": dict.fromkeys(COUNTED, 0)}
    assert stub.of("model-calls")[0].body["call_id"] in settled.path


def test_a_decorated_function_gets_the_call_and_is_settled(stub: StubPortal, run_of: Callable[..., Any]) -> None:
    @model_call(max_output_tokens=50, input_tokens=lambda prompt: estimate_tokens(prompt), model="m")
    def ask(call: ModelCall, prompt: str) -> str:
        call.used(USAGE)
        return f"{call.model} {prompt}"

    with run_of():
        assert ask("hello") == "m hello"
    assert stub.of("model-calls")[0].body["input_tokens"] == 2
    assert stub.of("settlement")[0].body["outcome"] == "ok"


async def _cancelled(stub: StubPortal, moment: str) -> None:
    async with AsyncClient(stub.url, "aok_key", retry_seconds=2) as client:
        inside = asyncio.Event()

        async def work() -> None:
            async with (
                client.run(agent="a", agent_version="1", user="u") as run,
                run.model_call(input_tokens=1, max_output_tokens=1) as call,
            ):
                if moment == "after":
                    call.used(USAGE)
                inside.set()
                await asyncio.sleep(60)

        task = asyncio.create_task(work())
        await inside.wait()
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()  # once more, while it settles: what must be told is told all the same
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(("moment", "outcome"), [("during", "unknown"), ("after", "ok")])
def test_a_cancelled_model_call_is_settled_and_its_run_finished(stub: StubPortal, moment: str, outcome: str) -> None:
    play_out(_cancelled(stub, moment))
    assert [got.body["outcome"] for got in stub.of("settlement")] == [outcome]
    assert stub.verbs() == ["runs", "model-calls", "settlement", "finish"]
    assert stub.of("finish")[0].body == {"status": "error"}


async def _cancelled_while_asking(stub: StubPortal) -> None:
    stub.say("model-calls", Said(200, {"decision": "allow", "model": "m", "max_output_tokens": 1}, after_seconds=0.3))

    async def work(client: AsyncClient) -> None:
        async with (
            client.run(agent="a", agent_version="1", user="u") as run,
            run.model_call(input_tokens=1, max_output_tokens=1),
        ):
            raise AssertionError("it was called")

    async with AsyncClient(stub.url, "aok_key", retry_seconds=2) as client:
        task = asyncio.create_task(work(client))
        while not stub.of("model-calls"):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_a_reservation_that_was_cancelled_under_way_is_given_back(stub: StubPortal) -> None:
    play_out(_cancelled_while_asking(stub))
    [settled] = stub.of("settlement")
    assert settled.body == {"outcome": "cancelled", "usage": dict.fromkeys(COUNTED, 0)}
    assert stub.of("model-calls")[0].body["call_id"] in settled.path
