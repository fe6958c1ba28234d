"""What each expectation says of what an agent did."""

from __future__ import annotations

from typing import Any

import pytest

from evals.sets import checking, replaying
from evals.sets.checking import Seen
from tests.evals.sets.made import case

LOOKED = {
    "kind": "tool",
    "tool": "look_up",
    "arguments": {"id": "ord_1", "deep": True},
    "result": {"state": "sent"},
    "recorded": True,
}
REFUNDED = {
    "kind": "tool",
    "tool": "refund",
    "arguments": {"id": "ord_1"},
    "error": {"type": "timeout"},
    "recorded": True,
}
STRANGE = {"kind": "tool", "tool": "send", "arguments": {"to": "x"}, "error": {"type": "unrecorded"}, "recorded": False}
MET = {**LOOKED, "result": None, "error": {"type": "timeout"}, "fault": "timeout"}
ASKED = {"kind": "model", "model": "m", "input_tokens": 10, "output_tokens": 2}


def seen(output: Any = "Your refund\n is  on its way.", *steps: dict[str, Any], **more: Any) -> Seen:
    return Seen(input="Refund ord_1", output=output, steps=steps or (ASKED, LOOKED, ASKED, REFUNDED), **more)


def said(expectation: dict[str, Any], what: Seen, mode: str = "plain") -> tuple[Any, str]:
    [found] = checking.check(case(expect=[expectation]).expect, what, mode=mode)
    return found["holds"], found["said"]


ANSWER = {"items": [{"sku": "A-1"}, {"sku": "B-2"}], "total": 10.0, "ok": True, "note": "Fine, THANKS"}


@pytest.mark.parametrize(
    ("expectation", "output", "holds"),
    [
        ({"kind": "exact", "value": "yes"}, "yes", True),
        ({"kind": "exact", "value": "yes"}, "yes ", False),
        ({"kind": "exact", "value": {"ok": True, "n": 1}}, '{"n": 1.0, "ok": true}', True),
        ({"kind": "exact", "value": {"ok": True}}, {"ok": 1}, False),
        ({"kind": "exact", "value": 10, "path": "$.total"}, ANSWER, True),
        ({"kind": "exact", "value": "A-1", "path": "$.items[*].sku"}, ANSWER, False),
        ({"kind": "exact", "value": None}, None, True),
        ({"kind": "contains", "all": ["REFUND is on", "way."]}, "Your refund\n is  on its way.", True),
        ({"kind": "contains", "all": ["refund", "never"]}, "Your refund", False),
        ({"kind": "contains", "any": ["never", "refund"]}, "Your refund", True),
        ({"kind": "contains", "any": ["never"]}, "Your refund", False),
        ({"kind": "contains", "none": ["as an AI"]}, "As an ai, I", False),
        ({"kind": "contains", "none": ["as an AI"], "case_sensitive": True}, "As an ai, I", True),
        ({"kind": "contains", "none": ["x"]}, None, True),
        ({"kind": "json_path", "path": "$.items[*].sku", "equals": "B-2"}, ANSWER, True),
        ({"kind": "json_path", "path": "$.items[0].sku", "equals": "B-2"}, ANSWER, False),
        ({"kind": "json_path", "path": "$.none", "equals": None}, ANSWER, False),
        ({"kind": "json_path", "path": "$.total", "one_of": [9, 10]}, ANSWER, True),
        ({"kind": "json_path", "path": "$.note", "contains": "thanks"}, ANSWER, True),
        ({"kind": "json_path", "path": "$.total", "contains": "10"}, ANSWER, False),
        ({"kind": "json_path", "path": "$.items", "exists": False}, ANSWER, False),
        ({"kind": "json_path", "path": "$..sku", "count": 2}, ANSWER, True),
        ({"kind": "json_path", "path": "$.a", "exists": True}, "no json", False),
        ({"kind": "schema", "schema": {"type": "object", "required": ["ok"]}}, ANSWER, True),
        ({"kind": "schema", "schema": {"type": "object", "required": ["no"]}}, ANSWER, False),
        (
            {"kind": "cel", "expression": "run.output.total == 10.0 && run.output.items.exists(i, i.sku == 'A-1')"},
            ANSWER,
            True,
        ),
        ({"kind": "cel", "expression": "run.output.missing == 1"}, ANSWER, False),
        ({"kind": "cel", "expression": "run.tools == ['look_up', 'refund'] && run.model_calls == 2"}, ANSWER, True),
        (
            {"kind": "cel", "expression": "run.calls[1].error == 'timeout' && run.calls[0].result.state == 'sent'"},
            1,
            True,
        ),
        ({"kind": "cel", "expression": "run.cost_usd < 0.5 && run.cost_usd >= 0.0"}, 1, False),
        ({"kind": "must_call", "tool": "refund"}, "", True),
        ({"kind": "must_call", "tool": "refund", "arguments": {"id": "ord_1"}, "at_most": 1}, "", True),
        ({"kind": "must_call", "tool": "look_up", "arguments": {"id": "ord_1"}}, "", False),
        ({"kind": "must_call", "tool": "look_up", "arguments_include": {"deep": True}}, "", True),
        ({"kind": "must_call", "tool": "look_up", "arguments_include": {"deep": 1}}, "", False),
        ({"kind": "must_call", "tool": "look_up", "at_least": 2}, "", False),
        ({"kind": "must_not_call", "tools": ["send", "refund"]}, "", False),
        ({"kind": "must_not_call", "tools": ["refund"], "arguments_include": {"id": "ord_2"}}, "", True),
        ({"kind": "max_calls", "most": 1}, "", False),
        ({"kind": "max_calls", "most": 1, "tool": "refund"}, "", True),
        ({"kind": "calls_in_order", "tools": ["look_up", "refund"]}, "", True),
        ({"kind": "calls_in_order", "tools": ["refund", "look_up"]}, "", False),
    ],
)
def test_an_expectation_holds_or_does_not_and_says_so(expectation: dict[str, Any], output: Any, holds: bool) -> None:
    found, words = said(expectation, seen(output))
    assert found is holds, words
    assert words


def test_what_is_wrong_is_told_with_what_was_found() -> None:
    assert said({"kind": "must_call", "tool": "look_up", "arguments": {"id": "ord_1"}}, seen())[1] == (
        'look_up was called so never; at least once is expected; it called it with {"id": "ord_1", "deep": true}'
    )
    assert said({"kind": "contains", "all": ["thanks"]}, seen())[1] == "it does not say “thanks”"
    assert said({"kind": "cel", "expression": "run.tool_calls < 2", "expected": "one call"}, seen())[1] == (
        "one call is expected; it does not hold"
    )


def test_people_were_asked_by_the_catalogs_tier_or_by_the_step() -> None:
    expectation = {"kind": "must_confirm", "tool": "refund"}
    assert said(expectation, seen())[0] is False
    assert said(expectation, seen(asks=frozenset({"refund"})))[0] is True
    assert said(expectation, seen("", {**REFUNDED, "confirmation": "approved"}))[0] is True
    assert said(expectation, seen("", LOOKED))[0] is True


def state(what: Seen, *expect: dict[str, Any], mode: str = "plain") -> str:
    findings = checking.check(case(expect=list(expect)).expect, what, mode=mode)
    return str(checking.state_of(findings, what, mode=mode)[0])


ANY = {"kind": "max_calls", "most": 9}


@pytest.mark.parametrize(
    ("what", "expect", "mode", "expected"),
    [
        (seen(), [ANY], "plain", "passed"),
        (seen(), [ANY, {"kind": "contains", "all": ["no"]}], "plain", "failed"),
        (seen("", MET), [ANY, {"kind": "contains", "all": ["no"]}], "chaos", "passed"),
        (seen("", MET), [ANY, {"kind": "contains", "all": ["no"], "modes": ["chaos"]}], "chaos", "failed"),
        (seen(), [ANY, {"kind": "contains", "all": ["no"]}], "chaos", "errored"),  # no fault was met: nothing was tried
        (seen("", STRANGE), [ANY, {"kind": "contains", "all": ["no"]}], "plain", "diverged"),
        (seen("", STRANGE), [{"kind": "must_not_call", "tools": ["send"]}], "plain", "failed"),
        (seen(None, LOOKED, broke="KeyError: 1"), [ANY], "plain", "errored"),
        (seen(None, MET, broke="KeyError: 1"), [ANY], "chaos", "failed"),
        (seen(), [{"kind": "rubric", "judge": "goal"}, ANY], "plain", "judging"),
        (seen(), [{"kind": "rubric", "judge": "goal"}, {"kind": "contains", "all": ["no"]}], "plain", "failed"),
    ],
)
def test_findings_come_to_a_state(what: Seen, expect: list[dict[str, Any]], mode: str, expected: str) -> None:
    assert state(what, *expect, mode=mode) == expected


def test_arguments_are_compared_as_json_is() -> None:
    call = {"kind": "tool", "tool": "set", "arguments": {"on": 1, "at": 1.0, "to": [{"a": True}]}}
    for written, holds in (({"on": 1}, True), ({"on": True}, False), ({"at": 1}, True), ({"to": [{"a": 1}]}, False)):
        expectation = {"kind": "must_call", "tool": "set", "arguments_include": written}
        assert said(expectation, seen("", call))[0] is holds, written
    assert said({"kind": "must_call", "tool": "set", "arguments": {**call["arguments"], "at": 1}}, seen("", call))[0]


def test_a_replay_that_does_something_else_all_along_is_compared_at_once_and_alike_steps_stay_beside_each_other() -> (
    None
):
    def told(*tools: str) -> dict[str, Any]:
        steps = [{"kind": "model"} if tool == "m" else {"kind": "tool", "tool": tool} for tool in tools]
        return {"steps": steps, "output": "x", "input_tokens": 0, "output_tokens": 0, "cost_usd": "0"}

    rows = replaying.compare(told("m", "a", "m", "b", "c"), told("m", "m", "b", "d", "m"))["rows"]
    assert [(row["before"], row["after"]) for row in rows] == [
        (0, 0), (1, None), (2, 1), (3, 2), (4, None), (None, 3), (None, 4),
    ]  # fmt: skip
    assert replaying.compare(told("m", "a"), told("m", "m", "a"))["first"] == 1, "alike from the beginning on"
    assert replaying.compare(told(), told("a"))["first"] == 0
    long = [told(*(tool for n in range(1_000) for tool in ("m", f"{side}{n}"))) for side in "ab"]
    found = replaying.compare(*long)  # difflib took a minute for these
    assert sum(row["after"] is not None and row["before"] is not None for row in found["rows"]) == 1_000
    assert (found["first"], len(found["rows"])) == (1, 3_000)


def test_an_expression_over_a_huge_output_is_stopped_and_does_not_hold() -> None:
    holds, words = said({"kind": "cel", "expression": "run.output.all(x, x > 0)"}, seen([1] * 100_000))
    assert holds is False and "too many values" in words
