"""The failure modes of the brief that the guard stands against: 1 loops, 2 wrong arguments, 3 cost, 5 privileges."""

from __future__ import annotations

import copy
from typing import Any

from tests.runtime.guarded import MANIFEST, Caller, apply, manifest


def _with_tools(*tools: dict[str, Any], **agent: Any) -> dict[str, Any]:
    made = manifest(**agent)
    made["tools"] = [*copy.deepcopy(MANIFEST["tools"]), *tools]
    return made


RECORDS = {
    "name": "delete_record",
    "version": "1",
    "effect": "delete",
    "tier": 3,
    "arguments": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
    "rules": [
        {
            "code": "one_record",
            "expression": "args.id.matches('^rec_[0-9]+$')",
            "pointer": "/id",
            "expected": "the id of one record, such as rec_17",
        }
    ],
}
ACCOUNT = {
    "name": "update_account",
    "version": "1",
    "effect": "escalate",
    "tier": 3,
    "arguments": {"type": "object", "required": ["role"], "properties": {"role": {"type": "string"}}},
}


def test_1_an_agent_that_takes_turns_between_two_tools_is_stopped(acme: Caller) -> None:
    run = acme.run()
    answers = []
    for turn in range(8):
        answers.append(
            run.look_up(f"ord_{1 + turn // 2 % 2}")
            if turn % 2 == 0
            else run.tool_call("search_help", {"text": f"{turn}"})
        )
        if answers[-1]["decision"] != "allow":
            break
    last = answers[-1]
    assert (last["decision"], last["code"]) == ("abort", "repetition")
    assert "took turns" in last["detail"] or "same arguments" in last["detail"]
    assert len(answers) <= 7
    assert run.finish()["status"] == "aborted"


def test_2_a_wildcard_that_fits_the_schema_is_rejected_with_what_would_be_accepted(acme: Caller) -> None:
    apply(acme.organisation, _with_tools(RECORDS, version="2"))
    answer = acme.run(agent_version="2").tool_call("delete_record", {"id": "all"})
    assert answer["decision"] == "reject"
    (error,) = answer["errors"]
    assert (error["code"], error["pointer"]) == ("rule_violated", "/id")
    assert error["expected"] == "the id of one record, such as rec_17"
    assert "one_record" in error["hint"]
    assert answer["attempts_left"] > 0


def test_3_a_run_that_would_cost_too_much_stops_at_its_ceiling(acme: Caller) -> None:
    apply(acme.organisation, manifest(version="2", caps={"cost_usd": "0.01", "llm_calls": 200}))
    run = acme.run(agent_version="2")
    spent, admitted, last = 0.0, 0, {}
    for _ in range(60):
        last = run.model_call(input_tokens=20_000, max_output_tokens=1_000)
        if last["decision"] != "allow":
            break
        admitted += 1
        spent += float(run.settle(last["call_id"], input_tokens=20_000, output_tokens=900)["cost_usd"])
    assert (last["decision"], last["code"]) == ("reject", "cost_budget_exceeded")
    assert admitted > 1
    assert spent <= 0.01


def test_5_a_tool_that_was_not_granted_is_denied_whatever_the_prompt_said(acme: Caller) -> None:
    run = acme.run()
    answer = run.tool_call("update_account", {"role": "admin"})
    assert (answer["decision"], answer["code"]) == ("reject", "tool_not_granted")
    assert "look_up_order" in answer["errors"][0]["expected"]
    assert run.decisions() == [("allow", ""), ("reject", "tool_not_granted")]


def test_5_a_granted_tool_outside_the_scope_of_the_request_is_denied(acme: Caller) -> None:
    apply(acme.organisation, _with_tools(ACCOUNT, version="2"))
    run = acme.run(agent_version="2", scope={"tools": ["look_up_order"], "user": {"order_ids": ["ord_1"]}})
    assert run.tool_call("update_account", {"role": "admin"})["code"] == "out_of_scope"
    assert run.look_up("ord_99")["code"] == "out_of_scope"
    assert run.look_up("ord_1")["decision"] == "allow"
