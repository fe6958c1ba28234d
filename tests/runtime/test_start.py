"""A run begins, or is told why not."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.test import Client

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.confirmations import services as confirmations
from agentops.confirmations.models import Confirmation
from agentops.confirmations.policies.rules import RuleTerms
from agentops.runtime import services
from tests.runtime.guarded import Caller, Run, answered, apply, early_in_a_minute, manifest, shift
from tests.world import OPERATOR, World


def test_the_portal_makes_the_id_and_says_what_holds(acme: Caller) -> None:
    made = acme.start()
    assert uuid.UUID(made["run_id"]).version == 7
    assert made["caps"] == {
        "llm_calls": 20,
        "tool_calls": 60,
        "depth": 3,
        "tokens": 200_000,
        "cost_usd": "2.000000",
        "duration_seconds": 900,
    }
    assert [(tool["name"], tool["tier"]) for tool in made["tools"]] == [
        ("look_up_order", 1),
        ("search_help", 1),
        ("refund", 3),
    ]
    assert made["models"][0] == "gpt-4o-mini-2024-07-18"


def test_a_run_is_told_the_tier_below_which_the_organisation_lets_nothing_pass(acme: Caller) -> None:
    with tenant_scope(acme.organisation.id):
        terms = RuleTerms(tool="look_up_order", tier_floor=2)
        confirmations.set_rule(tenant=acme.organisation.id, terms=terms, by=OPERATOR, at=clock.now())
    told = {tool["name"]: tool["tier"] for tool in acme.start()["tools"]}
    assert told == {"look_up_order": 2, "search_help": 1, "refund": 3}


def test_the_smallest_cap_of_agent_organisation_and_plan_holds(acme: Caller, globex: Caller) -> None:
    wide = manifest(version="2", caps={"llm_calls": 150, "tool_calls": 10, "cost_usd": "5.00"})
    for caller in (acme, globex):
        apply(caller.organisation, wide)
    with tenant_scope(acme.organisation.id):
        services.set_organisation_caps(tenant=acme.organisation.id, caps={"llm_calls": 40}, by=OPERATOR, at=clock.now())
    ours, theirs = acme.start(agent_version="2")["caps"], globex.start(agent_version="2")["caps"]
    assert (ours["llm_calls"], ours["tool_calls"], ours["cost_usd"]) == (40, 10, "5.000000")
    assert (theirs["llm_calls"], theirs["tool_calls"], theirs["cost_usd"]) == (20, 10, "2.000000")  # the free plan's


def test_a_resend_finds_the_run_it_started(acme: Caller) -> None:
    first, again = acme.start(call_id="s"), acme.start(call_id="s")
    assert first == again
    assert acme.start(call_id="s", user="u-2", status=409)["code"] == "idempotency_mismatch"


def test_an_agent_nobody_knows_does_not_begin(acme: Caller) -> None:
    assert acme.start(agent="ghost", status=403)["code"] == "agent_unknown"
    assert acme.start(agent_version="99", status=403)["code"] == "agent_unknown"
    assert acme.organisation.actions()[-2:] == ["run.refused", "run.refused"]


def test_a_version_nobody_approved_does_not_begin(acme: Caller) -> None:
    apply(acme.organisation, manifest(version="2"), approve=False)
    assert acme.start(agent_version="2", status=403)["code"] == "agent_version_not_approved"


def test_runs_of_one_user_at_once_are_counted_by_leases(acme: Caller) -> None:
    apply(acme.organisation, manifest(version="2", caps={"runs_per_user": 2}))
    first = acme.run(agent_version="2")
    acme.run(agent_version="2")
    refused = acme.start(agent_version="2", status=429)
    assert refused["code"] == "concurrency_cap_reached"
    assert acme.start(agent_version="2", user="u-2")["run_id"]
    first.finish()
    second = acme.run(agent_version="2")
    shift(acme.organisation, "runtime_guardedrun", "lease_until", timedelta(minutes=-6))
    third = acme.run(agent_version="2")  # the silent ones hold no slot
    acme.run(agent_version="2")
    for _ in range(3):  # and get none while others have them, however often they ask
        assert second.look_up()["code"] == "concurrency_cap_reached"
    third.finish()
    assert second.look_up()["decision"] == "allow"


def test_runs_a_minute_are_limited_per_user(acme: Caller) -> None:
    apply(acme.organisation, manifest(version="2", caps={"runs_per_minute": 3}))
    early_in_a_minute()
    for _ in range(3):
        acme.run(agent_version="2").finish()
    response = acme.call(
        "POST", "/api/v1/guard/runs", {"call_id": "x", "agent": "refund-desk", "agent_version": "2", "user": "u-1"}
    )
    assert answered(response, 429)["code"] == "rate_limited"
    assert 1 <= int(response["Retry-After"]) <= 60


def test_a_child_draws_on_its_parents_caps_and_scope(acme: Caller) -> None:
    apply(acme.organisation, manifest(version="2", caps={"tool_calls": 3}))
    parent = acme.run(agent_version="2", scope={"tools": ["look_up_order"], "user": {"order_ids": ["ord_1"]}})
    child = acme.run(parent_run_id=parent.id, scope={"user": {"order_ids": ["ord_1", "ord_2"]}})
    assert child.tool_call("search_help", {"text": "x"})["code"] == "out_of_scope"
    assert child.look_up("ord_2")["code"] == "out_of_scope"
    assert [parent.look_up()["decision"], child.look_up()["decision"]] == ["allow", "allow"]
    assert parent.tool_call("look_up_order", {"order_id": "ord_1", "note": "again"})["decision"] == "allow"
    assert child.tool_call("look_up_order", {"order_id": "ord_1", "note": "?"})["code"] == "tool_cap_reached"
    assert parent.finish()["status"] == "aborted"  # the family ends together


def test_a_child_may_use_what_its_own_agent_may_and_no_more_than_its_parent(acme: Caller) -> None:
    apply(acme.organisation, manifest(version="2", caps={"llm_calls": 2, "tool_calls": 50, "duration_seconds": 60}))
    parent = acme.run()
    parent.model_call()
    answer = acme.start(agent_version="2", parent_run_id=parent.id)
    assert (answer["caps"]["llm_calls"], answer["caps"]["tool_calls"]) == (3, 50)  # one was used before it began
    child = Run(acme, answer["run_id"])
    told = [child.model_call(max_output_tokens=10) for _ in range(3)]
    assert [each["decision"] for each in told] == ["allow", "allow", "abort"]
    assert parent.model_call()["decision"] == "allow"  # the narrower cap was the child's alone


def test_a_child_that_is_past_its_own_time_ends_alone(acme: Caller) -> None:
    apply(acme.organisation, manifest(version="2", caps={"duration_seconds": 60}))
    parent = acme.run()
    child = acme.run(agent_version="2", parent_run_id=parent.id)
    assert child.look_up()["decision"] == "allow"
    shift(acme.organisation, "runtime_guardedrun", "deadline", timedelta(minutes=-2), f"run_id = '{child.uuid}'")
    answer = child.look_up("ord_2")
    assert (answer["decision"], answer["code"]) == ("abort", "run_finished")
    assert "its own deadline" in answer["detail"]
    assert parent.look_up("ord_2")["decision"] == "allow"


def test_what_a_child_began_ends_with_it_and_its_parent_goes_on(acme: Caller) -> None:
    parent = acme.run()
    child, other = acme.run(parent_run_id=parent.id), acme.run(parent_run_id=parent.id)
    below = acme.run(parent_run_id=child.id)
    held = below.model_call()["call_id"]
    child.finish("error")
    assert below.look_up(status=409)["code"] == "run_finished"
    assert below.settle(held, input_tokens=10, output_tokens=1)["state"] == "settled"
    assert [parent.look_up()["decision"], other.look_up("ord_2")["decision"]] == ["allow", "allow"]


def test_waiting_for_people_is_given_back_to_children_too(acme: Caller) -> None:
    apply(acme.organisation, manifest(version="2", caps={"duration_seconds": 60}))
    parent = acme.run()
    child = acme.run(agent_version="2", parent_run_id=parent.id)
    parent.refund()
    for column in ("paused_at", "paused_deadline", "deadline"):
        shift(acme.organisation, "runtime_guardedrun", column, timedelta(minutes=-2), "parent_id IS NULL")
    shift(acme.organisation, "runtime_guardedrun", "deadline", timedelta(minutes=-2), f"run_id = '{child.uuid}'")
    assert child.look_up()["decision"] == "allow"  # nobody has decided yet
    with tenant_scope(acme.organisation.id):
        Confirmation.objects.update(state="refused", decided_at=clock.now())
    assert child.look_up("ord_2")["decision"] == "allow"  # the two minutes were not its own


def test_a_child_is_refused_beyond_the_depth_for_others_users_and_in_ended_runs(acme: Caller, globex: Caller) -> None:
    apply(acme.organisation, manifest(version="2", caps={"depth": 1}))
    parent = acme.run(agent_version="2")
    child = acme.run(parent_run_id=parent.id)
    assert acme.start(parent_run_id=child.id, status=403)["code"] == "depth_cap_reached"
    assert acme.start(parent_run_id=parent.id, user="u-2", status=403)["code"] == "out_of_scope"
    assert globex.start(parent_run_id=parent.id, status=404)["code"] == "run_unknown"
    parent.finish()
    assert acme.start(parent_run_id=parent.id, status=409)["code"] == "run_finished"


def test_children_are_bounded_and_block_nobody(acme: Caller) -> None:
    apply(acme.organisation, manifest(version="2", caps={"tool_calls": 3, "runs_per_minute": 2, "depth": 3}))
    parent = acme.run(agent_version="2")
    for _ in range(3):
        acme.run(agent_version="2", parent_run_id=parent.id)
    assert acme.start(agent_version="2", parent_run_id=parent.id, status=403)["code"] == "step_cap_reached"
    assert acme.run(agent_version="2").look_up()["decision"] == "allow"  # the family counted once


def test_what_is_wrong_with_a_request_is_said_at_once(acme: Caller) -> None:
    body = {"call_id": "", "agent": 7, "user": "u\0", "scope": {"tools": "all"}, "budget": 1}
    problem = answered(acme.call("POST", "/api/v1/guard/runs", body), 400)
    assert {(error["pointer"], error["code"]) for error in problem["errors"]} == {
        ("/call_id", "required"),
        ("/agent", "type"),
        ("/agent_version", "required"),
        ("/user", "nul"),
        ("/scope/tools", "type"),
        ("/budget", "unknown"),
    }


def test_strict_json_names_the_place(acme: Caller) -> None:
    cases = {
        b'{"call_id": "a", "call_id": "b"}': ("/call_id", "duplicate"),
        b'{"input": [1, {"x": NaN}]}': ("", "not_finite"),
        b'{"input": 9007199254740993}': ("/input", "range"),
        b'{"input": {"a": "\\ud800"}}': ("/input/a", "surrogate"),
        b'{"input": ' + b"[" * 60 + b"]" * 60 + b"}": ("/input" + "/0" * 39, "too_deep"),
    }
    for raw, (pointer, code) in cases.items():
        problem = answered(acme.call("POST", "/api/v1/guard/runs", raw=raw), 400)
        assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [(pointer, code)], raw
    assert answered(acme.call("POST", "/api/v1/guard/runs", raw=b" " * 300_000), 413)["code"] == "too_large"
    assert answered(acme.call("POST", "/api/v1/guard/runs", raw=b"\xff{"), 400)["code"] == "invalid"


def test_keys_without_the_scope_and_of_nobody_are_refused(world: World, acme: Caller) -> None:
    assert answered(acme.call("POST", "/api/v1/guard/runs", {}, scope="ingest"), 403)["code"] == "forbidden"
    assert answered(Client().post("/api/v1/guard/runs"), 401)["code"] == "unauthenticated"
