"""Tool calls: allowed with a permit, rejected so that the agent can plan anew, or waiting for a person."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection

from agentops.catalog import services as catalog
from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.confirmations.models import Confirmation
from tests.runtime.guarded import MANIFEST, Caller, answered, apply, manifest, shift
from tests.world import OPERATOR


def test_an_allowed_call_comes_back_with_its_arguments_and_a_permit(acme: Caller) -> None:
    run = acme.run()
    answer = run.look_up()
    assert (answer["decision"], answer["arguments"]) == ("allow", {"order_id": "ord_1"})
    assert answer["permit"].count(".") == 2
    assert run.result(answer["call_id"], external_id="x-1", external_system="shop") == {"recorded": True}
    assert acme.organisation.actions()[-3:] == ["run.started", "tool_call.decided", "tool.called"]


@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [
        ({}, "/order_id"),
        ({"order_id": 7}, "/order_id"),
        ({"order_id": "7"}, "/order_id"),
        ({"order_id": "ord_1", "all": True}, "/all"),
        ("ord_1", ""),
        (None, ""),
        ([], ""),
    ],
)
def test_arguments_that_do_not_fit_are_told_where_and_what_would(acme: Caller, arguments: Any, pointer: str) -> None:
    apply(acme.organisation, _without_scopes("2"))
    answer = acme.run(agent_version="2").tool_call("look_up_order", arguments)
    assert (answer["decision"], answer["code"]) == ("reject", "arguments_invalid")
    first = answer["errors"][0]
    assert first["pointer"] == pointer
    assert first["expected"]
    assert answer["attempts_left"] == 2


def _without_scopes(version: str) -> dict[str, Any]:
    made = copy.deepcopy(MANIFEST)
    made["agent"]["version"] = version
    for tool in made["tools"]:
        tool.pop("grant", None)
    return made


def test_the_same_refusal_again_and_again_ends_the_run(acme: Caller) -> None:
    run = acme.run()
    answers = [run.refund(0) for _ in range(3)]
    assert [(each["decision"], each["attempts_left"]) for each in answers] == [
        ("reject", 2),
        ("reject", 1),
        ("abort", 0),
    ]
    assert answers[0]["errors"][0] == {
        "code": "rule_violated",
        "pointer": "/amount_minor",
        "expected": "between 1 and 500000 minor units",
        "hint": answers[0]["errors"][0]["hint"],
    }
    assert "again and again" in answers[2]["detail"]
    assert run.refund(status=409)["code"] == "run_finished"


def test_asking_for_one_tool_after_another_that_there_is_not_ends_the_run(acme: Caller) -> None:
    run = acme.run()
    answers = [run.tool_call(f"delete_{number}", {}) for number in range(2)]
    run.look_up()  # on its way again
    answers += [run.tool_call(f"drop_{number}", {}) for number in range(3)]
    assert [each["attempts_left"] for each in answers] == [2, 1, 2, 1, 0]
    assert (answers[-1]["decision"], answers[-1]["code"]) == ("abort", "repetition")


def test_an_accepted_call_forgives_earlier_refusals(acme: Caller) -> None:
    run = acme.run()
    for turn in range(5):
        assert run.look_up("ord_99")["decision"] == "reject"
        assert run.look_up(f"ord_{1 + turn % 2}")["decision"] == "allow"
        run.tool_call("search_help", {"text": str(turn)})
        if turn == 2:
            run = acme.run()


def test_the_detectors_know_work_from_circles(acme: Caller) -> None:
    run = acme.run()
    identical = [run.tool_call("look_up_order", {"order_id": "ord_1", "note": f"try {n}"}) for n in range(4)]
    assert [each["decision"] for each in identical] == ["allow"] * 3 + ["abort"]  # a cosmetic field makes no difference
    assert "4 times with the same arguments" in identical[3]["detail"]
    run = acme.run()
    same_tool = [run.tool_call("search_help", {"text": f"{n}"}) for n in range(6)]
    assert [each["decision"] for each in same_tool] == ["allow"] * 5 + ["abort"]
    assert "6 times in a row" in same_tool[5]["detail"]


def test_thresholds_are_the_agents_own(acme: Caller) -> None:
    apply(acme.organisation, manifest(version="2", repetition={"same_tool": 2}))
    run = acme.run(agent_version="2")
    answers = [run.tool_call("search_help", {"text": f"{n}"}) for n in range(3)]
    assert [each["decision"] for each in answers] == ["allow", "allow", "abort"]


def test_the_same_failure_again_and_again_ends_the_run(acme: Caller) -> None:
    run = acme.run()
    told = []
    for number in range(3):
        call = run.tool_call("search_help", {"text": f"{number}"})
        told.append(run.result(call["call_id"], outcome="error", result={"error": "time-out"}))
    assert [each["attempts_left"] for each in told] == [2, 1, 0]
    assert (told[2]["decision"], told[2]["code"]) == ("abort", "repetition")


def test_a_tool_of_a_higher_tier_waits_for_a_person_and_is_asked_once(acme: Caller) -> None:
    run = acme.run()
    answer = run.refund()
    assert (answer["decision"], answer["code"]) == ("confirm", "confirmation_required")
    asked = answer["confirmation"]
    assert (asked["tier"], asked["url"].startswith("http://")) == (3, True)
    assert "permit" not in answer and "arguments" not in answer
    again = run.refund()
    assert again["confirmation"]["id"] == asked["id"]
    for _ in range(6):  # waiting is no repetition
        assert run.refund()["decision"] == "confirm"
    look = answered(acme.call("GET", f"/api/v1/confirmations/{asked['id']}"), 200)
    assert (look["state"], look["tier"]) == ("pending", 3)
    assert run.redeem(answer["call_id"], status=409)["code"] == "confirmation_pending"
    with tenant_scope(acme.organisation.id):
        assert Confirmation.objects.filter(tenant_id=acme.organisation.id).count() == 1


def test_what_was_approved_is_redeemed_once_with_the_stored_arguments(acme: Caller) -> None:
    run = acme.run()
    call = run.refund(4_810)
    _decide(acme, "approved")
    redeemed = run.redeem(call["call_id"])
    assert redeemed["arguments"] == {"order_id": "ord_1", "amount_minor": 4_810, "currency": "EUR"}
    assert redeemed["permit"].count(".") == 2
    assert run.redeem(call["call_id"]) == redeemed | {"repeated": True}  # the answer may have been lost on its way
    assert run.result(call["call_id"], external_id="re_1")["recorded"] is True
    assert run.redeem(call["call_id"], status=409)["code"] == "already_redeemed"
    with tenant_scope(acme.organisation.id):
        assert Confirmation.objects.get(tenant_id=acme.organisation.id).state == "executed"


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("refused", "confirmation_refused"),
        ("cancelled", "confirmation_refused"),
        ("expired", "confirmation_expired"),
        ("pending", "confirmation_pending"),
        ("executing", "already_redeemed"),
    ],
)
def test_what_was_not_approved_cannot_be_redeemed(acme: Caller, state: str, code: str) -> None:
    run = acme.run()
    call = run.refund()
    _decide(acme, state)
    assert run.redeem(call["call_id"], status=409)["code"] == code


def test_an_approval_does_not_outlive_its_time_nor_its_run(acme: Caller) -> None:
    run = acme.run()
    call = run.refund()
    _decide(acme, "approved")
    shift(acme.organisation, "confirmations_confirmation", "expires_at", timedelta(hours=-2))
    assert run.redeem(call["call_id"], status=409)["code"] == "confirmation_expired"
    other = acme.run(user="u-2")
    call = other.refund()
    other.finish()
    assert other.redeem(call["call_id"], status=409)["code"] == "run_finished"
    with tenant_scope(acme.organisation.id):
        states = set(Confirmation.objects.filter(run_id=other.uuid).values_list("state", flat=True))
    assert states == {"invalidated"}


def _decide(caller: Caller, state: str) -> None:
    """What people's pages do (issue 4): here only its outcome."""
    with tenant_scope(caller.organisation.id):
        Confirmation.objects.filter(tenant_id=caller.organisation.id).update(state=state, decided_at=clock.now())


def test_content_nobody_vouches_for_raises_the_tier(acme: Caller) -> None:
    run = acme.run()
    answer = run.look_up(tainted=True)
    assert (answer["decision"], answer["confirmation"]["tier"]) == ("confirm", 2)
    assert (
        run.refund(tainted=True)["confirmation"]["tier"] == 4 or run.refund(tainted=True)["code"] == "approvers_missing"
    )


def test_a_tool_that_lost_its_review_is_refused_from_the_next_call_on(acme: Caller) -> None:
    run = acme.run()
    assert run.tool_call("search_help", {"text": "a"})["decision"] == "allow"
    changed = copy.deepcopy(MANIFEST)
    changed["tools"][1]["arguments"]["properties"]["text"]["maxLength"] = 100
    apply(acme.organisation, changed, approve=False)
    answer = run.tool_call("search_help", {"text": "b"})
    assert answer["decision"] == "reject"
    assert answer["code"] in ("tool_not_reviewed", "agent_version_not_approved")


def test_a_version_that_lost_its_approval_takes_no_further_step(acme: Caller) -> None:
    run = acme.run()
    with tenant_scope(acme.organisation.id):
        catalog.withdraw_approval(
            tenant=acme.organisation.id,
            agent="refund-desk",
            version="1",
            reason="it went wrong",
            by=OPERATOR,
            at=clock.now(),
        )
    assert run.look_up()["code"] == "agent_version_not_approved"
    assert run.model_call()["code"] == "agent_version_not_approved"


def test_a_deadline_ends_the_run(acme: Caller) -> None:
    run = acme.run()
    shift(acme.organisation, "runtime_guardedrun", "deadline", timedelta(minutes=-20))
    answer = run.look_up()
    assert (answer["decision"], answer["code"]) == ("abort", "run_finished")
    assert run.finish()["status"] == "expired"


def test_tool_calls_are_capped(acme: Caller) -> None:
    apply(acme.organisation, manifest(version="2", caps={"tool_calls": 4}))
    run = acme.run(agent_version="2")
    answers = [
        run.look_up(f"ord_{1 + n % 2}") if n % 3 else run.tool_call("search_help", {"text": f"{n}"}) for n in range(5)
    ]
    assert [each["decision"] for each in answers] == ["allow"] * 4 + ["abort"]
    assert "75 %" in answers[2]["advice"]
    assert answers[4]["code"] == "tool_cap_reached"


def test_what_was_allowed_is_not_allowed_again_once_it_is_over(acme: Caller) -> None:
    run = acme.run()
    assert run.look_up(call_id="t") == run.look_up(call_id="t")
    run.result("t")
    assert run.look_up(call_id="t", status=409)["code"] == "call_over"
    run.look_up("ord_2", call_id="u")
    shift(acme.organisation, "runtime_guardcall", "permit_expires_at", timedelta(seconds=-61))
    assert run.look_up("ord_2", call_id="u", status=409)["code"] == "call_over"
    run.tool_call("search_help", {"text": "x"}, call_id="v")
    body = {"scope": "tenant", "mode": "stop_next_step", "reason": "stop"}
    assert acme.call("POST", "/api/v1/kill-switches", body, scope="admin").status_code == 201
    answer = run.tool_call("search_help", {"text": "x"}, call_id="v")
    assert (answer["decision"], answer["code"]) == ("abort", "killed")
    assert run.tool_call("search_help", {"text": "x"}, call_id="v", status=409)["code"] == "run_finished"


def test_what_people_approved_is_checked_once_more_when_it_is_redeemed(acme: Caller) -> None:
    changed = copy.deepcopy(MANIFEST)
    changed["tools"][2]["arguments"]["properties"]["amount_minor"]["maximum"] = 1_000
    run = acme.run()
    call = run.refund(4_810)
    _decide(acme, "approved")
    apply(acme.organisation, changed)  # another definition, reviewed by now
    refused = run.redeem(call["call_id"], status=409)
    assert refused["code"] == "confirmation_expired"
    assert "definition of refund is another" in refused["detail"]
    with tenant_scope(acme.organisation.id):
        assert Confirmation.objects.get(tenant_id=acme.organisation.id).state == "invalidated"
    assert acme.organisation.actions()[-1] == "approval.invalidated"


def test_what_people_look_at_serves_only_what_takes_no_more(acme: Caller) -> None:
    run = acme.run()
    first = run.refund()["confirmation"]
    assert first["tier"] == 3
    closer = run.refund(tainted=True)["confirmation"]
    assert (closer["tier"], closer["id"] != first["id"]) == (4, True)
    assert run.refund()["confirmation"]["id"] in (first["id"], closer["id"])


def test_the_runs_own_clock_stands_still_while_people_are_asked_and_no_longer(acme: Caller) -> None:
    run = acme.run()
    run.refund()
    shift(acme.organisation, "runtime_guardedrun", "started_at", timedelta(minutes=-30))
    for column in ("paused_at", "paused_deadline"):
        shift(acme.organisation, "runtime_guardedrun", column, timedelta(minutes=-30))
    shift(acme.organisation, "runtime_guardedrun", "lease_until", timedelta(minutes=30))
    assert run.look_up()["decision"] == "allow"  # half an hour later, still within the hour people have
    with tenant_scope(acme.organisation.id):
        Confirmation.objects.update(state="refused", decided_at=clock.now() - timedelta(minutes=29))
    assert (
        run.tool_call("search_help", {"text": "x"})["code"] == "run_finished"
    )  # decided at once: 14 minutes were left


def test_names_of_any_length_do_not_grow_what_is_kept(acme: Caller) -> None:
    run = acme.run()
    answer = run.tool_call("look_up_order", {"order_id": "ord_1", "x" * 100_000: 1})
    assert answer["decision"] == "reject"
    assert max(len(error["pointer"]) for error in answer["errors"]) <= 200
    with tenant_scope(acme.organisation.id), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_column_size(history), (SELECT max(length(answer)) FROM runtime_guardcall) FROM runtime_guardedrun"
        )
        history, kept = cursor.fetchone()
    assert history < 1_000
    assert kept < 3_000


@pytest.mark.parametrize("call_id", ["a/b", "a b", "ünï", "100%", "x?y#z"])
def test_call_ids_of_frameworks_are_taken_as_they_are(acme: Caller, call_id: str) -> None:
    run = acme.run()
    run.look_up(call_id=call_id)
    assert run.result(quote(call_id, safe=""), external_id="1")["recorded"] is True


@pytest.mark.parametrize("call_id", ["a\nb", ".."])
def test_an_id_that_no_address_carries_is_refused_before_anything_is_held_for_it(acme: Caller, call_id: str) -> None:
    run = acme.run()
    for refused in (run.look_up(call_id=call_id, status=400), run.model_call(call_id=call_id, status=400)):
        assert [(each["pointer"], each["code"]) for each in refused["errors"]] == [("/call_id", "form")]


def test_a_resend_is_the_same_decision_and_another_body_is_refused(acme: Caller) -> None:
    run = acme.run()
    first, again = run.look_up(call_id="t"), run.look_up(call_id="t")
    assert first == again
    assert run.look_up("ord_2", call_id="t", status=409)["code"] == "idempotency_mismatch"
    assert run.result("t", external_id="a") == run.result("t", external_id="a")
    assert run.result("t", external_id="b", status=409)["code"] == "idempotency_mismatch"
    rejected = run.look_up("ord_9")["call_id"]
    assert run.result(rejected, status=409)["code"] == "not_admitted"
    assert run.result("nothing", status=404)["code"] == "call_unknown"


def test_large_arguments_and_wrong_members_are_refused_before_anything_is_decided(acme: Caller) -> None:
    run = acme.run()
    path = f"/api/v1/guard/runs/{run.id}/tool-calls"
    assert (
        answered(acme.call("POST", path, raw=b'{"arguments": "' + b"x" * 10_000_000 + b'"}'), 413)["code"]
        == "too_large"
    )
    problem = answered(acme.call("POST", path, {"call_id": "a", "tool": "", "tainted": "yes"}), 400)
    assert {error["pointer"] for error in problem["errors"]} == {"/tool", "/tainted", "/arguments"}
    duplicate = b'{"call_id":"a","tool":"refund","arguments":{"amount_minor":1,"amount_minor":9999}}'
    problem = answered(acme.call("POST", path, raw=duplicate), 400)
    assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [
        ("/arguments/amount_minor", "duplicate")
    ]
    assert run.decisions() == [("allow", "")]
