"""What the client does when the portal is slow, away, busy, or says no."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from agentops_client import (
    Aborted,
    AsyncClient,
    Client,
    NoRun,
    Pending,
    PortalError,
    Rejected,
    Throttled,
    Unreachable,
    current_call,
    model_call,
    tool,
)
from agentops_client.permits import digest

from tests.client.playing import play_out
from tests.stubs.portal import CONFIRMATION, RUN_ID, Said, StubPortal, confirm, confirmation

NO = {
    "decision": "reject",
    "code": "rule_violated",
    "detail": "refund was refused at /amount_minor: expected between 1 and 500000 minor units.",
    "errors": [
        {
            "code": "rule_violated",
            "pointer": "/amount_minor",
            "expected": "between 1 and 500000 minor units",
            "hint": "split the refund",
        }
    ],
    "attempts_left": 2,
}
NOTHING = digest({})  # the arguments of a call without any
Runs = Callable[..., Any]


# -- resends ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["runs", "tool-calls", "result", "finish"])
def test_a_lost_answer_is_asked_for_again_with_the_same_bytes(stub: StubPortal, run_of: Runs, verb: str) -> None:
    stub.lose(verb, times=2)
    with run_of() as run, run.tool_call("refund", {"order_id": "ord_1"}):
        pass
    sent = stub.of(verb)
    assert len(sent) == 3
    assert len({got.raw for got in sent}) == 1
    assert run.receipt.status == "ok"


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_portal_that_is_away_for_a_moment_is_asked_again(stub: StubPortal, run_of: Runs, status: int) -> None:
    stub.say("runs", Said(status, None), Said(status, {"code": "unavailable"}))
    with run_of() as run:
        assert run.run_id == RUN_ID
    assert len(stub.of("runs")) == 3


def test_retry_after_is_honoured(stub: StubPortal, run_of: Runs) -> None:
    stub.say("runs", Said(429, {"code": "rate_limited", "detail": "too fast"}, {"Retry-After": "1"}))
    began = time.monotonic()
    with run_of():
        assert time.monotonic() - began >= 1


def test_who_is_told_to_wait_longer_than_patience_is_told_so(stub: StubPortal, run_of: Runs) -> None:
    stub.say("runs", Said(429, {"code": "rate_limited", "detail": "too fast"}, {"Retry-After": "60"}))
    with pytest.raises(Throttled) as refused, run_of():
        pass
    assert (refused.value.code, refused.value.retry_after) == ("rate_limited", 60)
    assert len(stub.of("runs")) == 1


def test_a_throttled_decision_is_asked_for_again_under_its_call_id(stub: StubPortal, run_of: Runs) -> None:
    stub.say("tool-calls", Said(200, {"decision": "throttle", "code": "concurrency_cap_reached", "retry_after": 1}))
    with run_of() as run, run.tool_call("refund", {}) as call:
        assert call.permit
    assert len({got.raw for got in stub.of("tool-calls")}) == 1 and len(stub.of("tool-calls")) == 2


def test_a_portal_that_never_answers_refuses(stub: StubPortal) -> None:
    stub.stop()
    with (
        Client(stub.url, "aok_key", retry_seconds=0.3) as client,
        pytest.raises(Unreachable),
        client.run(agent="a", agent_version="1", user="u"),
    ):
        pass


def test_a_wrong_key_is_no_decision_and_not_asked_twice(stub: StubPortal, run_of: Runs) -> None:
    stub.say("runs", Said(401, {"code": "unauthenticated", "detail": "no such key"}))
    with pytest.raises(PortalError) as refused, run_of():
        pass
    assert refused.value.status == 401 and len(stub.of("runs")) == 1


@pytest.mark.parametrize(
    ("code", "kind"), [("agent_version_not_approved", Rejected), ("killed", Aborted), ("forbidden", PortalError)]
)
def test_a_run_that_may_not_start_says_why(stub: StubPortal, run_of: Runs, code: str, kind: type[Exception]) -> None:
    stub.say("runs", Said(403, {"code": code, "detail": "because"}))
    with pytest.raises(kind, match="because") as refused, run_of():
        pass
    assert refused.value.code == code  # type: ignore[attr-defined]


def test_an_answer_that_is_no_json_is_no_permission(stub: StubPortal, run_of: Runs) -> None:
    stub.say("tool-calls", Said(200, "allow"))
    with pytest.raises(PortalError), run_of() as run, run.tool_call("refund", {}):
        raise AssertionError("it ran")


# -- refusals ---------------------------------------------------------------------------------------------------------


def test_a_refused_call_does_not_run_and_tells_the_model_what_would_do(stub: StubPortal, run_of: Runs) -> None:
    stub.say("tool-calls", Said(200, NO))
    with run_of() as run:
        with pytest.raises(Rejected) as refused, run.tool_call("refund", {"amount_minor": 900_000}):
            raise AssertionError("it ran")
        text = refused.value.for_model()
    assert refused.value.attempts_left == 2
    for part in ("rule_violated", "/amount_minor", "between 1 and 500000 minor units", "split the refund", "left: 2"):
        assert part in text
    assert stub.verbs() == ["runs", "tool-calls", "finish"]


@pytest.mark.parametrize(
    "answer",
    [
        Said(200, {"decision": "abort", "code": "killed", "detail": "A kill switch is on"}),
        Said(409, {"code": "run_finished", "detail": "The run has ended"}),
    ],
)
def test_a_run_that_was_stopped_stops(stub: StubPortal, run_of: Runs, answer: Said) -> None:
    stub.say("tool-calls", answer)
    with pytest.raises(Aborted), run_of() as run, run.tool_call("refund", {}):
        raise AssertionError("it ran")
    assert stub.verbs() == ["runs", "tool-calls", "finish"]
    assert stub.of("finish")[0].body == {"status": "error"}


def test_one_failure_too_many_ends_the_run(stub: StubPortal, run_of: Runs) -> None:
    stub.say("result", Said(200, {"recorded": True, "decision": "abort", "code": "repetition", "detail": "Stopped"}))
    with pytest.raises(Aborted, match="Stopped"), run_of() as run, run.tool_call("refund", {}):
        raise ValueError("no such order")
    assert stub.of("result")[0].body == {
        "outcome": "error",
        "args_digest": NOTHING,
        "result": {"type": "ValueError", "message": "no such order"},
    }


def test_arguments_that_are_no_json_never_leave(stub: StubPortal, run_of: Runs) -> None:
    with run_of() as run:
        for arguments in ({"amount": float("nan")}, {"when": object()}):
            with pytest.raises((ValueError, TypeError)), run.tool_call("refund", arguments):
                raise AssertionError("it ran")
    assert stub.of("tool-calls") == []


# -- results ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [TimeoutError("late"), ConnectionError("reset"), KeyboardInterrupt()])
def test_a_tool_whose_answer_was_lost_has_an_unknown_outcome(
    stub: StubPortal, run_of: Runs, error: BaseException
) -> None:
    with pytest.raises(type(error)), run_of() as run, run.tool_call("refund", {}):
        raise error
    assert stub.of("result")[0].body == {"outcome": "unknown", "args_digest": NOTHING}


def test_what_the_other_system_calls_the_effect_is_told(stub: StubPortal, run_of: Runs) -> None:
    with run_of() as run, run.tool_call("refund", {}) as call:
        call.took_effect(external_system="stripe", external_id="re_1")
    assert stub.of("result")[0].body == {
        "outcome": "ok",
        "args_digest": NOTHING,
        "external_system": "stripe",
        "external_id": "re_1",
    }


def test_a_result_that_cannot_be_told_is_told_before_the_run_ends(stub: StubPortal) -> None:
    stub.lose("result", times=3)
    with (
        Client(stub.url, "aok_key", retry_seconds=0.2, timeout_seconds=2) as client,
        client.run(agent="a", agent_version="1", user="u") as run,
    ):
        with run.tool_call("refund", {}):
            pass
        assert run._owed
    assert not run._owed
    assert set(stub.verbs()[-2:]) == {"result", "finish"}
    assert len({got.raw for got in stub.of("result")}) == 1


def test_what_cannot_be_written_as_json_does_not_keep_an_end_from_being_told(stub: StubPortal, run_of: Runs) -> None:
    with run_of() as run:
        with pytest.raises(OSError), run.tool_call("refund", {}):
            raise OSError("no such file: \udcff.txt")
        run.refuse(output={"at": object()})
    assert stub.of("result")[0].body["result"] == {"type": "OSError", "message": "no such file: ?.txt"}
    assert stub.of("finish")[0].body == {"status": "refused"}


# -- people -----------------------------------------------------------------------------------------------------------


def test_what_people_approved_runs_with_the_arguments_that_came_back(stub: StubPortal, run_of: Runs) -> None:
    stub.say("tool-calls", confirm())
    stub.say("confirmations", Said(200, confirmation("pending")), Said(200, confirmation("approved")))
    with run_of() as run, run.tool_call("refund", {"order_id": "another"}) as call:
        assert call.arguments == {"order_id": "ord_1"}
    assert stub.verbs() == [*("runs", "tool-calls", "confirmations", "confirmations", "redemption", "result", "finish")]


def test_who_does_not_want_to_wait_is_told_where_a_person_decides(stub: StubPortal, run_of: Runs) -> None:
    stub.say("tool-calls", confirm())
    stub.say("confirmations", Said(200, confirmation("pending")))
    with run_of() as run, pytest.raises(Pending) as pending, run.tool_call("refund", {}, wait=0, call_id="c-1"):
        raise AssertionError("it ran")
    assert pending.value.call_id == "c-1"
    assert pending.value.confirmation.url == "http://portal/c"
    assert "http://portal/c" in pending.value.for_model()
    assert stub.of("redemption") == []


@pytest.mark.parametrize("code", ["confirmation_refused", "confirmation_expired", "already_redeemed"])
def test_what_people_did_not_approve_does_not_run(stub: StubPortal, run_of: Runs, code: str) -> None:
    stub.say("tool-calls", confirm())
    stub.say("confirmations", Said(200, confirmation("refused")))
    stub.say("redemption", Said(409, {"code": code, "detail": "A person refused it."}))
    with run_of() as run, pytest.raises(Rejected) as refused, run.tool_call("refund", {}):
        raise AssertionError("it ran")
    assert refused.value.code == code
    assert stub.of("result") == []


OTHER = "0193f3a0-c0de-7000-a000-0000000000cc"


def edited(state: str = "pending") -> dict[str, Any]:
    """A person changed the call; the changed one is asked for anew."""
    following = {"id": OTHER, "tier": 3, "url": "http://portal/c2", "expires_at": "2099-01-01T00:00:00Z"}
    return confirmation("edited") | {"superseded_by": following | {"state": state}}


def test_what_a_person_changed_is_waited_for_and_runs_as_it_was_changed(stub: StubPortal, run_of: Runs) -> None:
    stub.say("tool-calls", confirm())
    stub.say(
        "confirmations", Said(200, edited()), Said(200, confirmation("pending")), Said(200, confirmation("approved"))
    )
    with run_of() as run, run.tool_call("refund", {"order_id": "asked"}, call_id="c-1") as call:
        assert call.arguments == {"order_id": "ord_1"}
    asked = [got.path.split("/")[-1].partition("?")[0] for got in stub.of("confirmations")]
    assert asked == [CONFIRMATION, OTHER, OTHER]
    assert [got.path for got in stub.of("redemption")] == [f"/api/v1/guard/runs/{RUN_ID}/tool-calls/c-1/redemption"]
    assert stub.of("result")[0].body["args_digest"] == digest({"order_id": "ord_1"}), (
        "of what ran, not of what was asked"
    )


def test_who_does_not_wait_for_what_was_changed_is_told_where_that_is_decided(stub: StubPortal, run_of: Runs) -> None:
    stub.say("tool-calls", confirm())
    stub.say("confirmations", Said(200, edited()), Said(200, confirmation("pending")))
    with run_of() as run, pytest.raises(Pending) as pending, run.tool_call("refund", {}, wait=0):
        raise AssertionError("it ran")
    found = pending.value.confirmation
    assert (found.id, found.tier, found.url) == (OTHER, 3, "http://portal/c2")


def test_what_is_waited_for_is_asked_again_after_detaching_in_another_process(stub: StubPortal, client: Client) -> None:
    stub.say("tool-calls", confirm(), confirm())
    stub.say("confirmations", Said(200, confirmation("pending")), Said(200, confirmation("approved")))
    with client.run(agent="a", agent_version="1", user="u") as run:
        with pytest.raises(Pending), run.tool_call("refund", {"n": 1}, wait=0):
            raise AssertionError("it ran")
        state = json.loads(json.dumps(run.detach()))
    assert stub.of("finish") == []
    with client.resume(state) as again, again.tool_call("refund", {"n": 1}) as call:
        assert call.permit
    first, second = stub.of("tool-calls")
    assert first.raw == second.raw, "the same call under the same id: people are asked once"
    assert again.receipt and len(stub.of("finish")) == 1


async def _twice_at_once(stub: StubPortal) -> list[str]:
    """The same call, wanted twice in one turn of a model, before people have decided and again after it."""
    arguments = {"order_id": "ord_1"}
    async with (
        AsyncClient(stub.url, "aok_key", retry_seconds=2) as client,
        client.run(agent="a", agent_version="1", user="u") as run,
    ):

        async def refund(given: str | None) -> str:
            call_id = "" if given is None else run.call_id_for(given, "refund", arguments)
            async with run.tool_call("refund", arguments, wait=0, call_id=call_id) as call:
                return call.call_id

        for given in ((None, None), ("call_0", "call_0"), ("", "")):
            stub.say("tool-calls", confirm(), confirm())
            stub.say("confirmations", *[Said(200, confirmation("pending"))] * 2)
            waits = await asyncio.gather(*map(refund, given), return_exceptions=True)
            assert {type(each) for each in waits} == {Pending}
            stub.say("tool-calls", confirm(), confirm())
            ran = await asyncio.gather(*map(refund, given))
            assert len({*ran}) == 2, "each is decided by itself: what was approved once runs once"
    return [got.body["call_id"] for got in stub.of("tool-calls")]


def test_a_call_that_is_wanted_twice_at_once_is_two_calls(stub: StubPortal) -> None:
    asked = play_out(_twice_at_once(stub))
    for first, second, *again in (asked[place : place + 4] for place in range(0, 12, 4)):
        assert first != second and len({*again}) == 2
        assert {first, second} & {*again}, "who waited asks for the same call again"


def test_the_version_of_a_resource_is_told_and_looked_up_again_before_an_approval_is_taken_up(
    stub: StubPortal, run_of: Runs
) -> None:
    versions = iter(["7", "8"])
    stub.say("tool-calls", confirm())
    stub.say("redemption", Said(409, {"code": "confirmation_expired", "detail": "the resource has changed"}))
    with (
        run_of() as run,
        pytest.raises(Rejected, match="has changed"),
        run.tool_call("refund", {}, resource_version=lambda: next(versions), current={"owner": "ann"}),
    ):
        raise AssertionError("it ran")
    proposal = stub.of("tool-calls")[0].body
    assert (proposal["resource_version"], proposal["current"]) == ("7", {"owner": "ann"})
    assert stub.of("redemption")[0].body == {"resource_version": "8"}


def test_a_version_that_is_only_known_at_the_start_is_not_claimed_later(stub: StubPortal, run_of: Runs) -> None:
    stub.say("tool-calls", confirm())
    with run_of() as run, run.tool_call("refund", {}, resource_version="7"):
        pass
    assert stub.of("tool-calls")[0].body["resource_version"] == "7"
    assert stub.of("redemption")[0].body is None


def test_a_guarded_function_tells_the_version_of_what_its_arguments_name(stub: StubPortal, run_of: Runs) -> None:
    @tool("refund", resource_version=lambda order_id: f"v-{order_id}")
    def refund(order_id: str) -> str:
        return order_id

    with run_of():
        refund("ord_7")
    assert stub.of("tool-calls")[0].body["resource_version"] == "v-ord_7"


def test_the_digest_of_a_result_is_of_what_the_tool_was_given_not_of_what_it_made_of_it(
    stub: StubPortal, run_of: Runs
) -> None:
    with run_of() as run, run.tool_call("refund", {"list": [1]}) as call:
        call.arguments["list"].append(2)
    assert stub.of("result")[0].body["args_digest"] == digest({"list": [1]})


def test_a_portal_that_restarts_while_people_think_is_no_refusal(stub: StubPortal) -> None:
    stub.say("tool-calls", confirm())
    stub.lose("confirmations", times=3)
    with (
        Client(stub.url, "aok_key", retry_seconds=0.1, timeout_seconds=2) as client,
        client.run(agent="a", agent_version="1", user="u") as run,
        run.tool_call("refund", {}) as call,
    ):
        assert call.permit
    assert len(stub.of("confirmations")) == 4


# -- the portal is away -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "name", "runs"), [(True, "lookup", True), (True, "refund", False), (False, "lookup", False)]
)
def test_while_the_portal_is_away_only_reads_go_on_and_only_where_the_policy_says_so(
    stub: StubPortal, allowed: bool, name: str, runs: bool
) -> None:
    stub.reads_when_offline = allowed
    stub.lose("tool-calls", times=50)
    ran = False
    with (
        Client(stub.url, "aok_key", retry_seconds=0.2, timeout_seconds=2) as client,
        client.run(agent="a", agent_version="1", user="u") as run,
    ):
        if runs:
            with run.tool_call(name, {"q": "x"}) as call:
                ran = True
                assert (call.arguments, call.permit, call.is_offline) == ({"q": "x"}, "", True)
        else:
            with pytest.raises(Unreachable), run.tool_call(name, {"q": "x"}):
                ran = True
    assert ran is runs
    assert stub.of("result") == []


@pytest.mark.parametrize("why", ["people are asked", "past its deadline", "stopped before"])
def test_what_the_portal_would_not_let_run_by_itself_does_not_run_while_it_is_away(stub: StubPortal, why: str) -> None:
    stub.reads_when_offline = True
    if why == "people are asked":
        stub.tools[0]["tier"] = 2
    elif why == "past its deadline":
        stub.deadline = "2020-01-01T00:00:00Z"
    else:
        stub.say("tool-calls", Said(200, {"decision": "abort", "code": "killed", "detail": "stop"}))
    with (
        Client(stub.url, "aok_key", retry_seconds=0.2, timeout_seconds=2) as client,
        client.run(agent="a", agent_version="1", user="u") as run,
    ):
        if why == "stopped before":
            with pytest.raises(Aborted), run.tool_call("refund", {}):
                raise AssertionError("it ran")
        stub.lose("tool-calls", times=50)
        with pytest.raises(Unreachable), run.tool_call("lookup", {"q": "x"}):
            raise AssertionError("it ran")


def test_while_the_portal_is_known_to_be_away_each_call_asks_once(stub: StubPortal) -> None:
    stub.lose("tool-calls", times=50)
    with (
        Client(stub.url, "aok_key", retry_seconds=0.3, timeout_seconds=2) as client,
        client.run(agent="a", agent_version="1", user="u") as run,
    ):
        asked = []
        for _ in range(2):
            with pytest.raises(Unreachable), run.tool_call("refund", {}):
                raise AssertionError("it ran")
            asked.append(len(stub.of("tool-calls")))
    assert asked[0] > 1 and asked[1] - asked[0] == 1


# -- functions --------------------------------------------------------------------------------------------------------


def test_a_guarded_function_runs_with_the_arguments_that_came_back(stub: StubPortal, run_of: Runs) -> None:
    @tool()
    def refund(order_id: str, note: str = "") -> tuple[str, str, str]:
        call = current_call.get()
        assert call
        return order_id, note, call.permit

    stub.say("tool-calls", Said(200, {"decision": "allow", "permit": "p.e.r", "arguments": {"order_id": "checked"}}))
    with run_of():
        assert refund("asked") == ("checked", "", "p.e.r")
    assert stub.of("tool-calls")[0].body["arguments"] == {"order_id": "asked"}


def test_a_function_that_would_run_after_its_end_was_told_is_not_taken() -> None:
    def one_by_one(order_id: str) -> Any:
        yield order_id

    async def one_by_one_async(order_id: str) -> Any:
        yield order_id

    for function in (one_by_one, one_by_one_async):
        for guard in (tool("refund"), model_call(max_output_tokens=1, input_tokens=lambda **_: 1)):
            with pytest.raises(TypeError, match="generator"):
                guard(function)


def test_a_guarded_function_outside_a_run_does_not_run(stub: StubPortal) -> None:
    @tool("refund")
    def refund() -> None:
        raise AssertionError("it ran")

    with pytest.raises(NoRun):
        refund()


async def _async_story(stub: StubPortal) -> Any:
    @tool("refund", wait=None)
    async def refund(order_id: str) -> str:
        return order_id

    stub.say("tool-calls", Said(200, NO), confirm())
    async with (
        AsyncClient(stub.url, "aok_key", retry_seconds=2) as client,
        client.run(agent="a", agent_version="1", user="u") as run,
    ):
        with pytest.raises(Rejected):
            await refund(order_id="x")
        assert await refund(order_id="y") == "ord_1"
        run.escalate("to a person")
    return run


def test_the_async_client_plays_by_the_same_rules(stub: StubPortal) -> None:

    run = play_out(_async_story(stub))
    assert stub.verbs() == [*("runs", "tool-calls", "tool-calls", "confirmations", "redemption", "result", "finish")]
    assert stub.of("finish")[0].body == {"status": "escalated", "output": "to a person"}
    assert run.receipt.status == "escalated"


def test_one_client_serves_many_threads(stub: StubPortal, client: Client) -> None:
    done: list[str] = []

    def work(name: str) -> None:
        with client.run(agent="a", agent_version="1", user=name) as run, run.tool_call("refund", {"n": name}) as call:
            done.append(call.arguments["n"])

    threads = [threading.Thread(target=work, args=(f"u{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [f"u{number}" for number in range(8)]
