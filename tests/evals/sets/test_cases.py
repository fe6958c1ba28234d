"""The form of a case: what is taken, and what is said of what is not."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.common.errors import InvalidInput
from evals.sets import cases, jsonpath
from tests.evals.sets.made import case, value


def refused(**more: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refusal:
        cases.read(value(**more))
    return {problem.pointer: problem.detail for problem in refusal.value.problems}


@pytest.mark.parametrize(
    "expectation",
    [
        {"kind": "exact", "value": None},
        {"kind": "exact", "value": {"a": 1}, "path": "$.a"},
        {"kind": "contains", "any": ["a", "b"], "case_sensitive": True},
        {"kind": "json_path", "path": "$..sku", "one_of": ["A-1", 2]},
        {"kind": "json_path", "path": "$.items[-1]['a b']", "exists": False},
        {"kind": "json_path", "path": "$.items[*]", "count": 0},
        {"kind": "json_path", "path": "$", "equals": None},
        {"kind": "schema", "schema": {"type": "object"}},
        {"kind": "cel", "expression": "run.calls.exists(c, c.tool == 'refund') && run.tool_calls <= 3"},
        {"kind": "rubric", "judge": "goal", "at_least": 0.5},
        {
            "kind": "must_call",
            "tool": "refund",
            "arguments_include": {"order_id": "ord_1"},
            "at_least": 2,
            "at_most": 2,
        },
        {"kind": "must_not_call", "tools": ["send"], "modes": ["plain"]},
        {"kind": "must_confirm", "tool": "refund"},
        {"kind": "max_calls", "most": 0},
        {"kind": "calls_in_order", "tools": ["a", "b", "a"]},
    ],
)
def test_each_kind_of_expectation_is_kept_as_it_was_written(expectation: dict[str, Any]) -> None:
    assert case(expect=[expectation]).expect == [expectation]


@pytest.mark.parametrize(
    ("expectation", "pointer", "said"),
    [
        ({"kind": "like"}, "/expect/0/kind", "one of exact"),
        ("exact", "/expect/0", "object"),
        ({"kind": "exact"}, "/expect/0/value", "required"),
        ({"kind": "exact", "value": 1, "path": "items"}, "/expect/0/path", "begins with $"),
        ({"kind": "contains"}, "/expect/0", "one of all, any and none"),
        ({"kind": "contains", "all": ["a"], "none": ["b"]}, "/expect/0/none", "another expectation"),
        ({"kind": "contains", "all": "a"}, "/expect/0/all", "list"),
        ({"kind": "contains", "all": [" "]}, "/expect/0/all", "texts"),
        ({"kind": "json_path", "path": "$[?(@.a)]", "exists": True}, "/expect/0/path", "CEL"),
        ({"kind": "json_path", "path": "$.a"}, "/expect/0", "exactly one"),
        ({"kind": "json_path", "path": "$.a", "equals": 1, "count": 1}, "/expect/0", "exactly one"),
        ({"kind": "json_path", "path": "$.a", "one_of": []}, "/expect/0/one_of", "at least one"),
        ({"kind": "json_path", "path": "$.a", "count": None}, "/expect/0/count", "whole number"),
        ({"kind": "schema", "schema": {"type": "objekt"}}, "/expect/0/schema/type", ""),
        ({"kind": "schema", "schema": None}, "/expect/0/schema/type", "object"),
        ({"kind": "schema", "schema": {"$ref": "https://x.example"}}, "/expect/0/schema/$ref", ""),
        ({"kind": "cel", "expression": "run.output +"}, "/expect/0/expression", ""),
        ({"kind": "cel", "expression": "args.a == 1"}, "/expect/0/expression", "run.output"),
        ({"kind": "cel", "expression": "size(run.text)"}, "/expect/0/expression", "condition"),
        ({"kind": "rubric", "judge": "goal", "at_least": True}, "/expect/0/at_least", "0 to 1"),
        ({"kind": "must_call", "tool": "a", "at_least": 3, "at_most": 2}, "/expect/0/at_most", "from 3"),
        ({"kind": "must_call", "tool": "a", "arguments": []}, "/expect/0/arguments", "object"),
        ({"kind": "must_not_call", "tools": []}, "/expect/0/tools", "names"),
        ({"kind": "max_calls", "most": "3"}, "/expect/0/most", "whole number"),
        ({"kind": "must_confirm", "tool": "a", "modes": ["wild"]}, "/expect/0/modes", "plain, chaos"),
        ({"kind": "must_confirm", "tool": "a", "tier": 2}, "/expect/0/tier", "these are taken"),
    ],
)
def test_an_expectation_that_is_none_is_refused_where_it_is_wrong(expectation: Any, pointer: str, said: str) -> None:
    found = refused(expect=[expectation])
    assert pointer in found and said in found[pointer], found


@pytest.mark.parametrize(
    ("member", "given", "pointer"),
    [
        ("title", None, "/title"),
        ("title", "a\0b", "/title"),
        ("input", None, "/input"),
        ("expect", [], "/expect"),
        ("tags", ["Money"], "/tags/0"),
        ("tags", ["a", "a"], "/tags/1"),
        ("tags", "money", "/tags"),
        ("tools", [{"tool": "a"}], "/tools/0"),
        ("tools", [{"tool": "a", "result": 1, "error": {"type": "x"}}], "/tools/0"),
        ("tools", [{"tool": "a", "error": "timeout"}], "/tools/0/error"),
        ("tools", [{"tool": "a", "result": 1, "times": 0}], "/tools/0/times"),
        ("tools", [{"tool": "a", "result": 1, "arguments": {}, "arguments_include": {}}], "/tools/0/arguments_include"),
        ("tools", [{"tool": "a", "result": 1, "confirmation": "refused"}], "/tools/0/result"),
        ("tools", [{"tool": "a", "result": 1}] * 201, "/tools"),
        ("offers", [{"name": "a", "description": "b", "arguments": {"type": 1}}], "/offers/0/arguments/type"),
        ("offers", [{"name": "a", "description": "b"}] * 2, "/offers/1/name"),
        ("provenance", {"kind": "guess"}, "/provenance/kind"),
        ("priority", 1, "/priority"),
    ],
)
def test_what_is_wrong_elsewhere_is_named_too(member: str, given: Any, pointer: str) -> None:
    assert pointer in refused(**{member: given})


def test_all_that_is_wrong_is_told_at_once() -> None:
    found = refused(title=None, tags=["A B"], tools=[{"tool": ""}], expect=[{"kind": "cel"}])
    assert {"/title", "/tags/0", "/tools/0/tool", "/tools/0", "/expect/0/expression"} <= set(found)


def test_a_result_of_null_is_a_result_and_an_empty_object_of_arguments_is_exact() -> None:
    tool = {"tool": "a", "arguments": {}, "result": None}
    assert case(tools=[tool]).tools == [tool]


def test_the_same_case_has_the_same_digest_however_it_is_written() -> None:
    plain = case()
    assert plain.digest == case(tags=[], offers=None, notes="", agent="").digest
    assert case(input={"a": 1.0, "b": 2}).digest == case(input={"b": 2, "a": 1}).digest
    assert plain.digest != case(title="Another refund").digest
    assert cases.kept(plain.text) == plain


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 2**60, -(2**53)])
def test_a_number_that_programs_write_differently_is_no_input(number: float) -> None:
    with pytest.raises(InvalidInput):
        case(input={"n": number})


DOCUMENT = {"items": [{"sku": "A-1", "of": {"sku": "B"}}, {"sku": "A-2"}], "a b": {"c'd": 1}, "n": None}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("$", [DOCUMENT]),
        ("$.items[0].sku", ["A-1"]),
        ("$.items[-1].sku", ["A-2"]),
        ("$.items[*].sku", ["A-1", "A-2"]),
        ("$..sku", ["A-1", "B", "A-2"]),
        ("$['a b'][\"c'd\"]", [1]),
        ("$['a b']['c\\'d']", [1]),
        ("$.n", [None]),
        ("$.items[2]", []),
        ("$.items.sku", []),
        ("$.n[0]", []),
        ("$..[0].sku", ["A-1"]),
    ],
)
def test_a_path_finds_what_rfc_9535_says(path: str, values: list[Any]) -> None:
    assert jsonpath.problem(path) == ""
    assert jsonpath.find(path, DOCUMENT) == values


@pytest.mark.parametrize(
    "path", ["", "items", "$items", "$.", "$[01]", "$[1:2]", "$..", "$.a[?@.b]", "$['a", "$['\\x']"]
)
def test_what_is_no_path_is_refused(path: str) -> None:
    assert jsonpath.problem(path)


def test_a_path_that_looks_at_too_much_is_stopped() -> None:
    nested: Any = [0] * 100
    for _ in range(3):
        nested = [nested] * 20
    with pytest.raises(ValueError, match="more than"):
        jsonpath.find("$..*", nested)
