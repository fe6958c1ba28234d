"""The scope of a grant: a table of calls that are within it, and of those that are not."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.catalog import scopes

STATED: dict[str, Any] = {
    "user": {"order_ids": ["ord_1", "ord_2"], "account": "acc_1", "numbers": [1, 2], "none": None, "empty": []},
    "run": {"agent": "support-bot"},
    "contacts": {"payees": frozenset({"a@b.example"})},
}

WITHIN: list[tuple[dict[str, str], Any]] = [
    ({}, {"anything": 1}),
    ({"id": "user.order_ids"}, {"id": "ord_1"}),
    ({"/id": "user.order_ids"}, {"id": "ord_2"}),
    ({"ids": "user.order_ids"}, {"ids": ["ord_2", "ord_1"]}),
    ({"/lines/0/id": "user.order_ids"}, {"lines": [{"id": "ord_1"}]}),
    ({"account": "user.account"}, {"account": "acc_1"}),
    ({"n": "user.numbers"}, {"n": 1}),
    ({"to": "contacts.payees"}, {"to": "a@b.example"}),
    ({"a/b": "user.account"}, {"a/b": "acc_1"}),
]
OUTSIDE: list[tuple[dict[str, str], Any, str]] = [
    ({"id": "user.order_ids"}, {"id": "ord_9"}, "/id"),
    ({"id": "user.order_ids"}, {"id": "all"}, "/id"),
    ({"id": "user.order_ids"}, {"id": "*"}, "/id"),
    ({"id": "user.order_ids"}, {"id": None}, "/id"),
    ({"id": "user.order_ids"}, {}, "/id"),
    ({"id": "user.order_ids"}, {"id": ""}, "/id"),
    ({"ids": "user.order_ids"}, {"ids": ["ord_1", "ord_9"]}, "/ids"),
    ({"ids": "user.order_ids"}, {"ids": []}, "/ids"),
    ({"ids": "user.order_ids"}, {"ids": [["ord_1"]]}, "/ids"),
    ({"id": "user.order_ids"}, {"id": {"$ne": None}}, "/id"),
    ({"id": "user.orders"}, {"id": "ord_1"}, "/id"),
    ({"id": "user.order_ids.deeper"}, {"id": "ord_1"}, "/id"),
    ({"id": "user.none"}, {"id": None}, "/id"),
    ({"id": "user.empty"}, {"id": "ord_1"}, "/id"),
    ({"n": "user.numbers"}, {"n": True}, "/n"),
    ({"n": "user.numbers"}, {"n": "1"}, "/n"),
    ({"to": "contacts.payees"}, {"to": "x@evil.example"}, "/to"),
    ({"to": "contacts.payees"}, {"to": ["a@b.example", "x@evil.example"]}, "/to"),
    ({"to": "contacts.others"}, {"to": "a@b.example"}, "/to"),
    ({"/lines/1/id": "user.order_ids"}, {"lines": [{"id": "ord_1"}]}, "/lines/1/id"),
    ({"id": "user.order_ids"}, ["ord_1"], "/id"),
    ({"id": "user.order_ids"}, None, "/id"),
]  # fmt: skip


@pytest.mark.parametrize(("scope", "args"), WITHIN)
def test_what_is_within_is_let_through(scope: dict[str, str], args: Any) -> None:
    assert scopes.check(scope, STATED | {"args": args}) == []


@pytest.mark.parametrize(("scope", "args", "pointer"), OUTSIDE)
def test_what_is_not_within_is_refused_at_its_place(scope: dict[str, str], args: Any, pointer: str) -> None:
    [rejection] = scopes.check(scope, STATED | {"args": args})
    assert (rejection.code, rejection.pointer) == ("out_of_scope", pointer)
    assert rejection.expected and rejection.hint


def test_a_refusal_says_what_would_be_within_but_no_contacts() -> None:
    [rejection] = scopes.check({"id": "user.order_ids"}, STATED | {"args": {"id": "ord_9"}})
    assert "ord_1, ord_2" in rejection.expected
    [rejection] = scopes.check({"to": "contacts.payees"}, STATED | {"args": {"to": "x"}})
    assert "a@b.example" not in rejection.expected + rejection.hint


def test_every_argument_that_is_outside_is_told() -> None:
    found = scopes.check(
        {"id": "user.order_ids", "account": "user.account"}, STATED | {"args": {"id": "ord_1", "account": "acc_2"}}
    )
    assert [rejection.pointer for rejection in found] == ["/account"]
