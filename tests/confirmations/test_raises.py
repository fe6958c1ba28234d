"""Why a call takes one tier more than its tool says: the rule by itself, and the guard that asks it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.confirmations import queries, services
from agentops.confirmations.models import Payment
from agentops.confirmations.policies.raises import Paying, amount_of, names_media_types, reasons
from agentops.confirmations.policies.rules import RuleTerms
from tests.confirmations.asked import Desk, link
from tests.confirmations.paying import asked_for, because, pay, paying
from tests.runtime.guarded import Caller, apply, shift
from tests.world import OPERATOR, World

TEXT = {"type": "string"}


def raised(arguments: Any, schema: dict[str, Any] | None = None, **said: Any) -> list[str]:
    described = schema or {"type": "object"}
    given: dict[str, Any] = {"is_tainted": False, "paying": None, "threshold": Decimal(50_000), **said}
    return reasons(arguments=arguments, schema=described, names_media=names_media_types(described), **given)


# -- characters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"to": "pay\u200bpal"}, "there are characters that cannot be seen (at /to)"),
        ({"a": [{"b": "x\u202egpj"}]}, "there are characters that turn the direction of the text (at /a/0/b)"),
        ({"to": "сосе"}, "there are characters that look like others (at /to)"),
        ({"to": "pаypal"}, "there are words of mixed scripts (at /to)"),
        ({"to": "ann" + " " * 20 + "bob"}, "there are stretches of empty space that may hide what follows (at /to)"),
        ({"to\u200b": "ann"}, "there are characters that cannot be seen"),
        ({"m~/": "a\u200bb"}, "there are characters that cannot be seen (at /m~0~1)"),
    ],
)
def test_odd_characters_are_told_with_their_place(arguments: Any, reason: str) -> None:
    assert raised(arguments) == [reason]


def test_places_are_told_a_few_and_never_by_names_that_are_odd_themselves() -> None:
    [told] = raised({f"f{n}": "a\u200bb" for n in range(9)} | {"\u202e": "a\u200bb"})[:1]
    assert told.count("/f") == 5
    assert told.isascii()


def test_numbers_and_ordinary_text_raise_nothing() -> None:
    assert raised({"to": "Zoë Ðurić, Πάτρα 4, 東京", "amount": 7, "is": True, "no": None, "list": [1.5, "x"]}) == []


# -- what nobody can foresee by reading it ---------------------------------------------------------------------------

CODE = {"type": "string", "contentMediaType": "application/sql"}
PLAIN = {"type": "string", "contentMediaType": "text/plain; charset=utf-8"}


@pytest.mark.parametrize(
    ("arguments", "schema", "place"),
    [
        ({"sql": "DROP TABLE x"}, {}, "/sql"),
        ({"Command": ["rm", "-rf"]}, {}, "/Command/0"),
        ({"q": "x"}, {"properties": {"q": CODE}}, "/q"),
        ({"q": ["x"]}, {"properties": {"q": {"items": CODE}}}, "/q/0"),
        ({"q": ["a", "x"]}, {"properties": {"q": {"prefixItems": [TEXT, CODE]}}}, "/q/1"),
        ({"q": "x"}, {"allOf": [{"properties": {"q": CODE}}]}, "/q"),
        ({"q": "x"}, {"properties": {"q": {"anyOf": [TEXT, CODE]}}}, "/q"),
        ({"q": "x"}, {"properties": {"q": {"$ref": "#/$defs/c"}}, "$defs": {"c": CODE}}, "/q"),
        ({"q": "x"}, {"additionalProperties": CODE}, "/q"),
        ({"q": "x"}, {"patternProperties": {"^q": CODE}}, "/q"),
        ({"a": {"q": "x"}}, {"properties": {"a": {"$ref": "#"}, "q": CODE}}, "/a/q"),
        ({"q": "x"}, {"if": {"properties": {"q": CODE}}}, "/q"),
        ({"script": "x"}, {"properties": {"script": CODE}}, "/script"),
    ],
)
def test_code_raises_the_tier(arguments: Any, schema: dict[str, Any], place: str) -> None:
    assert raised(arguments, schema)[0].startswith("there is code that nobody can foresee by reading it")
    assert place in raised(arguments, schema)[0]


@pytest.mark.parametrize(
    ("arguments", "schema"),
    [
        ({"encode": "x", "sql_dialect": "x"}, {}),
        ({"code": 7, "script": None}, {}),
        ({"code": "SAVE10"}, {"properties": {"code": PLAIN}}),
        ({"code": "SAVE10"}, {"properties": {"code": {"enum": ["SAVE10", "SAVE20"]}}}),
        ({"q": "x"}, {"properties": {"q": PLAIN}}),
        ({"q": "x"}, {"properties": {"q": {"$ref": "https://elsewhere.example/x"}, "r": CODE}}),
        ({"q": "x"}, {"properties": {"q": {"$ref": "#/$defs/a"}, "r": CODE}, "$defs": {"a": {"$ref": "#/$defs/a"}}}),
    ],
)
def test_what_its_reviewer_has_read_or_called_plain_text_does_not(arguments: Any, schema: dict[str, Any]) -> None:
    assert raised(arguments, schema) == []


# -- payments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "is_new", "today", "words"),
    [
        ("50000", True, "50000", ""),
        ("50000.01", True, "50000.01", "not paid before more than 50000"),
        ("50000.01", False, "50000.01", ""),
        ("1", True, "50001", "within a day"),
        (None, True, "0", "cannot be told"),
        (None, False, "0", ""),
    ],
)
def test_a_new_payee_and_much_money_raise_it_only_together(
    amount: str | None, is_new: bool, today: str, words: str
) -> None:
    paying = Paying(amount=Decimal(amount) if amount else None, is_new_payee=is_new, today=Decimal(today))
    assert [words in reason for reason in raised({}, paying=paying)] == [True] * bool(words)


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (5, "5"),
        (-5, "5"),
        ("12.50", "12.5"),
        (0.1, "0.1"),
        ("0.0000001", "0.000001"),
        ("1e3", "1000"),
        ("9" * 33, "9" * 33),
        ("1e33", None),
        ("NaN", None),
        ("Infinity", None),
        ("12,50", None),
        ("", None),
        (True, None),
        (None, None),
        ([5], None),
    ],
)
def test_an_amount_is_read_exactly_or_not_at_all(value: Any, amount: str | None) -> None:
    assert amount_of(value) == (Decimal(amount) if amount else None)


# -- the guard asks ---------------------------------------------------------------------------------------------------


@pytest.fixture
def acme(world: World) -> Caller:
    apply(world.acme, paying())
    return Caller(world.acme)


def threshold(world: World, amount: int) -> None:
    rule(world, tool="pay", amount_threshold=Decimal(amount))


def rule(world: World, **said: Any) -> None:
    with tenant_scope(world.acme.id):
        services.set_rule(tenant=world.acme.id, terms=RuleTerms(**said), by=OPERATOR, at=clock.now())


def test_the_reasons_stand_with_the_confirmation_and_raise_it_by_one_in_all(acme: Caller, desk: Desk) -> None:
    call = pay(acme.run(), "pаypal\u200b", 60_000, tainted=True)
    assert call["confirmation"]["tier"] == 3
    told = because(desk, call)
    assert len(told) == 4
    assert told[0] == "the arguments come from content that nobody vouches for"
    assert told[3] == "it pays somebody who was not paid before more than 50000"


def test_small_payments_to_new_people_add_up_over_the_day_whatever_run_they_come_from(
    acme: Caller, world: World, desk: Desk
) -> None:
    threshold(world, 100)
    tiers = [pay(acme.run(), f"shop {n}", 40)["confirmation"]["tier"] for n in range(4)]
    assert tiers == [2, 2, 3, 3]
    assert pay(acme.run(user="u-2"), "shop 9", 40)["confirmation"]["tier"] == 2  # another person's day
    with tenant_scope(world.acme.id):
        assert Payment.objects.count() == 5
    shift(world.acme, "confirmations_payment", "at", timedelta(days=-1))
    assert pay(acme.run(), "shop 5", 40)["confirmation"]["tier"] == 2


def test_the_same_question_again_is_no_further_payment(acme: Caller, world: World) -> None:
    threshold(world, 100)
    run = acme.run()
    first = pay(run, "shop", 60)
    assert pay(run, "shop", 60)["confirmation"]["id"] == first["confirmation"]["id"]
    with tenant_scope(world.acme.id):
        assert Payment.objects.count() == 1


def test_a_payee_is_known_from_the_day_after_a_payment_that_went_well(acme: Caller, world: World, desk: Desk) -> None:
    threshold(world, 100)
    for outcome, to in (("ok", "good shop"), ("error", "bad shop")):
        run = acme.run()
        call = pay(run, to, 500)
        desk.approve(asked_for(desk, call), world.pete)
        run.redeem(call["call_id"])
        run.result(call["call_id"], outcome=outcome)
    assert pay(acme.run(), "good shop", 500)["confirmation"]["tier"] == 3  # today it is new still
    shift(world.acme, "confirmations_payment", "at", timedelta(days=-1))
    assert pay(acme.run(), "good shop", 500)["confirmation"]["tier"] == 2
    assert pay(acme.run(), "bad shop", 500)["confirmation"]["tier"] == 3


def test_an_amount_that_nobody_can_read_is_looked_at_closely_when_the_payee_is_new(acme: Caller, desk: Desk) -> None:
    call = pay(acme.run(), "shop", "a lot")
    assert call["confirmation"]["tier"] == 3
    assert because(desk, call) == ("it pays somebody who was not paid before, and how much cannot be told",)


def test_floors_of_the_organisation_hold_from_the_next_call_on(acme: Caller, world: World) -> None:
    run = acme.run()
    assert run.look_up()["decision"] == "allow"
    rule(world, tool="look_up_order", tier_floor=2)
    assert run.look_up("ord_2")["confirmation"]["tier"] == 2
    rule(world, agent="refund-desk", tier_floor=3)
    assert run.tool_call("search_help", {"text": "x"})["confirmation"]["tier"] == 3
    assert run.tool_call("search_help", {"text": "x\u200b"})["confirmation"]["tier"] == 4


def test_a_fourth_tier_that_nobody_could_decide_is_refused(world: World) -> None:
    apply(world.globex, paying())  # Cleo is alone there
    answer = pay(Caller(world.globex).run(), "pаypal", 60_000, tainted=True)
    assert answer["confirmation"]["tier"] == 3
    answer = Caller(world.globex).run().refund(tainted=True)
    assert (answer["decision"], answer["code"]) == ("reject", "approvers_missing")


def test_the_people_of_an_action_do_not_count_as_its_approvers(acme: Caller, world: World) -> None:
    """Ada, Ben and Pete may approve at Acme; where two of them have asked for it, one is left."""
    link(world.acme, world.ada, "u-ada")
    assert acme.run(user="u-ada").refund(tainted=True)["confirmation"]["tier"] == 4
    with tenant_scope(world.acme.id):
        people = queries.eligible_people(
            tenant=world.acme.id, agent="refund-desk", tool="refund", acting_user="u-ada", tier=4
        )
    assert world.ada.user.pk not in people


# -- what it costs ----------------------------------------------------------------------------------------------------


def test_a_call_that_asks_nobody_and_pays_nobody_costs_no_further_statement(acme: Caller, world: World) -> None:
    """Rules, characters and code are told from what the process knows: the verb's statements are those of before."""
    rule(world, tool="pay", tier_floor=3)
    run = acme.run()
    run.look_up()  # what is kept per process is known from here on
    with CaptureQueriesContext(connection) as plain:
        assert run.tool_call("search_help", {"text": "hello"})["decision"] == "allow"
    texts = [query["sql"] for query in plain.captured_queries]
    assert [text for text in texts if "confirmations_" in text] == []
    with CaptureQueriesContext(connection) as foreign:
        assert run.tool_call("search_help", {"text": "Здравствуйте, 東京"})["decision"] == "allow"
    assert len(foreign) == len(plain)
    queries.forget_rules()
    with CaptureQueriesContext(connection) as unknown:
        assert run.tool_call("search_help", {"text": "hello again"})["decision"] == "allow"
    assert len(unknown) == len(plain) + 1  # the rules, once
