"""The client by itself against the real portal: runs, children, people, permits, kill switches."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from agentops_client import Aborted, AsyncClient, Client, ModelCall, PortalError, Rejected, Usage, model_call, tool
from agentops_client.permits import PermitRefused, PermitVerifier

from tests.client.desk import COST_USD, MODEL, REFUND, USAGE, Desk
from tests.client.playing import play_out
from tests.world import World

COUNTED = Usage(input_tokens=USAGE["input"], output_tokens=USAGE["output"], cache_read_tokens=USAGE["cached"])


def client_of(desk: Desk) -> Client:
    return Client(desk.portal.url, desk.key())


def test_a_run_with_its_calls_and_its_receipt(desk: Desk) -> None:
    @model_call(model=MODEL, provider="openai", input_tokens=lambda prompt: 1_000, max_output_tokens=100)
    def ask(call: ModelCall, prompt: str) -> str:
        call.used(COUNTED)
        return call.model

    look_up = tool("look_up_order")(desk.look_up_order)
    with client_of(desk) as client, client.run(**desk.run, session="s-1") as run:
        assert run.models[0] == MODEL and run.tools["refund"].tier == 2
        assert ask("hello") == MODEL
        assert look_up("ord_1") == "ord_1 was delivered"
        with pytest.raises(Rejected) as refused:
            look_up("ord_9")
    assert refused.value.errors[0].pointer == "/order_id" and refused.value.attempts_left == 2
    assert (run.receipt.status, run.receipt.cost_usd) == ("ok", COST_USD)  # type: ignore[union-attr]
    assert run.receipt.counted["decisions"] == {"allow": 2, "reject": 1}  # type: ignore[union-attr]


def test_a_call_that_broke_off_is_charged_at_its_hold(desk: Desk) -> None:
    with (
        client_of(desk) as client,
        client.run(**desk.run) as run,
        contextlib.suppress(RuntimeError),
        run.model_call(model=MODEL, provider="openai", input_tokens=1_000, max_output_tokens=100) as call,
    ):
        raise RuntimeError("the connection broke")
    assert call.cost_usd == call.reserved_usd != "0.000000"
    assert run.receipt.counted["held_usd"] == "0.000000"  # type: ignore[union-attr]


def test_a_child_run_counts_on_its_parent(desk: Desk) -> None:
    with client_of(desk) as client, client.run(**desk.run) as parent:
        with client.run(**desk.run, parent=parent) as child, child.tool_call("look_up_order", {"order_id": "ord_1"}):
            pass
        assert child.run_id != parent.run_id
    assert parent.receipt.counted["tool_calls"] == 1  # type: ignore[union-attr]


def test_a_confirmed_call_has_a_permit_that_a_tool_server_uses_once(desk: Desk) -> None:
    verifier = PermitVerifier(desk.portal.url, desk.key())
    paid: list[str] = []

    @verifier.permitted("refund")
    def refund(order_id: str, amount_minor: int) -> None:
        paid.append(order_id)

    pay: Any = refund
    with (
        desk.person(),
        client_of(desk) as client,
        client.run(**desk.run) as run,
        run.tool_call("refund", REFUND) as call,
    ):
        with pytest.raises(PermitRefused) as other:
            pay(permit=call.permit, order_id="ord_1", amount_minor=50_000)
        pay(permit=call.permit, **call.arguments)
        with pytest.raises(PermitRefused) as again:
            pay(permit=call.permit, **call.arguments)
        call.took_effect(external_system="bank", external_id="re_1")
    verifier.close()
    assert (other.value.code, again.value.code) == ("permit_mismatch", "already_consumed")
    assert paid == ["ord_1"] and desk.confirmations() == ["executed"]


def test_a_tool_server_is_told_why_a_permit_is_not_good_any_more(desk: Desk) -> None:
    permits, arguments = PermitVerifier(desk.portal.url, desk.key()), {"order_id": "ord_1"}

    def why_not(permit: str) -> str:
        with pytest.raises(PermitRefused) as refused:
            permits.use(permit, tool="look_up_order", arguments=arguments)
        return refused.value.code

    with pytest.raises(Aborted), client_of(desk) as client, client.run(**desk.run) as run:
        with run.tool_call("look_up_order", arguments) as told:
            pass
        assert why_not(told.permit) == "call_over"
        with run.tool_call("look_up_order", arguments) as stopped:
            desk.kill()
            assert why_not(stopped.permit) == "run_finished"
        run.ask("look_up_order", arguments)
    permits.close()


def test_the_keys_of_another_organisation_open_nothing(desk: Desk, world: World) -> None:
    with (
        client_of(desk) as client,
        client.run(**desk.run) as run,
        run.tool_call("look_up_order", {"order_id": "ord_1"}) as call,
    ):
        stranger = PermitVerifier(desk.portal.url, world.globex.keys["guard"])
        with pytest.raises(PermitRefused) as refused:
            stranger.use(call.permit, tool="look_up_order", arguments=call.arguments)
        stranger.close()
        with (
            Client(desk.portal.url, world.globex.keys["guard"]) as other,
            pytest.raises(PortalError) as unknown,
            other.resume(run.detach()) as stolen,
            stolen.tool_call("look_up_order", {"order_id": "ord_1"}),
        ):
            raise AssertionError("it ran")
    assert refused.value.code == "permit_mismatch" and unknown.value.code == "run_unknown"


def test_a_kill_switch_stops_every_run_at_its_next_step(desk: Desk) -> None:
    async def work(client: AsyncClient, number: int, ready: asyncio.Barrier) -> str:
        try:
            async with client.run(**desk.run | {"user": f"u-{number}"}) as run:
                async with run.tool_call("look_up_order", {"order_id": "ord_1"}):
                    pass
                await ready.wait()
                await ready.wait()  # killed meanwhile
                async with run.tool_call("look_up_order", {"order_id": "ord_1"}):
                    return "ran"
        except Aborted as aborted:
            return f"{aborted.code} {run.receipt.status if run.receipt else ''}"

    async def story() -> list[str]:
        ready = asyncio.Barrier(6)
        async with AsyncClient(desk.portal.url, desk.key()) as client:
            tasks = [asyncio.create_task(work(client, number, ready)) for number in range(5)]
            await ready.wait()
            await asyncio.to_thread(desk.kill)
            await ready.wait()
            return await asyncio.gather(*tasks)

    assert play_out(story()) == ["killed killed"] * 5


def test_a_run_that_may_not_start_says_why(desk: Desk) -> None:
    with client_of(desk) as client:
        with pytest.raises(Rejected) as unknown, client.run(**desk.run | {"agent": "nobody"}):
            pass
        desk.kill()
        with pytest.raises(Aborted, match="it refunds everybody"), client.run(**desk.run):
            pass
    assert unknown.value.code == "agent_unknown"
