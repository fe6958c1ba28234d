"""The price book: each price and discount has its time, and what a cache saved is exact."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentops.budgets import queries, services
from agentops.budgets.book import Book, DatedDiscount, DatedRates, Key
from agentops.budgets.prices import price
from agentops.common.errors import Conflict, InvalidInput
from agentops.common.scope import tenant_scope
from tests.budgets.test_prices import MODELS, of, tokens
from tests.world import OPERATOR, World

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)
MTOK = {"input": Decimal(1), "output": Decimal(1)}


def booked(discounts: dict[Key, int]) -> Book:
    return Book(discounts={key: [DatedDiscount(ALWAYS, None, share)] for key, share in discounts.items()})


def priced(book: Book, provider: str = "openai", model: str = "gpt-4o", **counts: int | None) -> Any:
    named: dict[str, Any] = dict.fromkeys(("input", "output", "cache_read", "cache_write", "reasoning"))
    return price(provider, model, at=AT, overrides=book, **{**named, **counts})


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(MODELS), tokens, tokens, tokens, tokens, st.integers(0, 10_000))
def test_a_discount_is_taken_off_the_exact_price_and_rounded_once(
    named: tuple[str, Any], fresh: int, read: int, write: int, answered: int, share: int
) -> None:
    provider, model = named
    counts = {"input": fresh + read + write, "output": answered, "cache_read": read, "cache_write": write}
    listed = of(provider, model.id, at=AT, **counts)
    found = priced(booked({(provider, ""): share} if share else {}), provider, model.id, **counts)
    if listed.nano_usd is None:
        assert found.nano_usd is None
        return
    exact = Decimal(sum(listed.parts)) / listed.scale * (10_000 - share) / 10_000
    assert found.nano_usd == int(exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
    assert sum(found.breakdown.values()) == found.nano_usd
    assert found.source == ("discount" if share else "table")


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(MODELS), tokens, tokens, tokens, tokens, st.sampled_from([0, 1, 1250, 9_999]))
def test_what_a_cache_saved_is_the_price_without_it_less_the_price(
    named: tuple[str, Any], fresh: int, read: int, write: int, answered: int, share: int
) -> None:
    provider, model = named
    book = booked({("", ""): share} if share else {})
    counts = {"input": fresh + read + write, "output": answered}
    found = priced(book, provider, model.id, **counts, cache_read=read, cache_write=write)
    if found.nano_usd is None:
        assert found.saved_nano_usd == 0
        return
    plain = priced(book, provider, model.id, **counts)
    assert found.saved_nano_usd == (0 if plain.nano_usd is None else plain.nano_usd - found.nano_usd)


def test_writing_to_a_cache_that_is_dearer_than_fresh_tokens_saves_less_than_nothing() -> None:
    found = priced(Book(), "anthropic", "claude-sonnet-4-5-20250929", input=1000, output=0, cache_write=1000)
    assert found.saved_nano_usd < 0


def test_the_discount_that_says_most_holds() -> None:
    table = {("openai", "gpt-4o"): 400, ("", "gpt-4o"): 300, ("openai", ""): 200, ("", ""): 100}
    for key in list(table):
        expected = table[key]
        assert priced(booked(table), input=10**6, output=0).nano_usd == 2_500_000_000 * (10_000 - expected) // 10_000
        del table[key]
    assert priced(booked({("openai", ""): 5000}), "", "gpt-4o", input=1000).hundredths_off == 5000, (
        "by the table's name"
    )
    assert priced(booked({("anthropic", ""): 5000}), input=1000).hundredths_off == 0


def test_nothing_comes_off_a_price_of_ones_own() -> None:
    book = Book({("openai", "gpt-4o"): [DatedRates(ALWAYS, None, MTOK)]}, booked({("", ""): 5000}).discounts)
    found = priced(book, input=1000, output=0)
    assert (found.nano_usd, found.source, found.hundredths_off) == (1_000_000, "override", 0)


# -- in the database --------------------------------------------------------------------------------------------------


class Acme:
    """One organisation's book; prices are dollars per million tokens of any class."""

    def __init__(self, world: World) -> None:
        self.id = world.acme.id
        self.world = world

    def set(self, usd: int, since: datetime | None = None, model: str = "m") -> Any:
        rates = {"input": Decimal(usd), "output": Decimal(usd)}
        return self.do(services.set_price, provider="", model=model, rates=rates, valid_from=since)

    def do(self, service: Any, **arguments: Any) -> Any:
        with tenant_scope(self.id):
            return service(tenant=self.id, by=OPERATOR, at=AT, **arguments)

    def usd(self, at: datetime) -> int | None:
        """What a million tokens cost at a time."""
        with tenant_scope(self.id):
            book = queries.overrides(tenant=self.id, since=at)
        found = price("", "m", input=10**6, output=0, cache_read=0, cache_write=0, reasoning=0, at=at, overrides=book)
        return None if found.nano_usd is None else found.nano_usd // 10**9


@pytest.fixture
def acme(world: World) -> Iterator[Acme]:
    return Acme(world)


@pytest.mark.django_db
def test_a_new_price_ends_the_one_before_wherever_it_is_put_in(acme: Acme) -> None:
    acme.set(1, AT - 10 * DAY)
    acme.set(3, AT + 10 * DAY)
    acme.set(2, AT - 5 * DAY)
    days = (-11, -10, -6, -5, 9, 10, 400)
    assert [acme.usd(AT + day * DAY) for day in days] == [None, 1, 1, 2, 2, 3, 3]
    with tenant_scope(acme.id):
        [history] = queries.price_histories(tenant=acme.id, at=AT)
    assert history.now is not None
    assert [history.now.input_usd, *(one.input_usd for one in (*history.coming, *history.past))] == [2, 3, 1]
    assert acme.world.acme.actions() == ["price.set"] * 3


@pytest.mark.django_db
def test_without_a_time_a_price_holds_from_the_beginning_of_the_organisations_day(acme: Acme) -> None:
    with tenant_scope(acme.id):
        services.adopt_calendar(tenant=acme.id, time_zone="Asia/Kolkata", at=AT)
    begins = datetime(2026, 11, 19, 18, 30, tzinfo=UTC)
    acme.set(1)
    assert [acme.usd(begins - timedelta(microseconds=1)), acme.usd(begins)] == [None, 1]


@pytest.mark.django_db
def test_a_price_that_is_taken_back_never_held_and_the_one_before_holds_on(acme: Acme) -> None:
    acme.set(1, AT - 10 * DAY)
    second = acme.set(2, AT - 5 * DAY)
    acme.do(services.remove_price, price_id=second.id)
    assert [acme.usd(AT + day * DAY) for day in (-11, -6, -4, 1)] == [None, 1, 1, 1]
    with tenant_scope(acme.id):
        [history] = queries.price_histories(tenant=acme.id, at=AT)
    assert [one.id for one in history.past] == [second.id], "it stays to be seen"


@pytest.mark.django_db
@pytest.mark.parametrize("begins", [AT - 5 * DAY, AT - 3 * DAY], ids=["before its end", "at its end"])
def test_a_price_that_was_ended_does_not_come_back_when_the_next_one_is_taken_back(
    acme: Acme, begins: datetime
) -> None:
    first = acme.set(1, AT - 10 * DAY)
    acme.do(services.end_price, price_id=first.id, ends=AT - 3 * DAY)
    second = acme.set(2, begins)
    assert acme.usd(AT) == 2
    acme.do(services.remove_price, price_id=second.id)
    assert [acme.usd(AT + day * DAY) for day in (-9, -4, -3, 1)] == [1, 1, None, None]


@pytest.mark.django_db
def test_a_price_that_is_ended_holds_until_then_and_the_table_after(acme: Acme) -> None:
    first = acme.set(1, AT - 10 * DAY)
    acme.do(services.end_price, price_id=first.id, ends=AT + DAY)
    assert [acme.usd(AT), acme.usd(AT + DAY)] == [1, None]
    for wrong in (AT - 11 * DAY, AT - 10 * DAY, AT + DAY, AT + 2 * DAY):
        with pytest.raises(InvalidInput, match="ends after it began"):
            acme.do(services.end_price, price_id=first.id, ends=wrong)
    assert acme.world.acme.actions() == ["price.set", "price.ended"]


@pytest.mark.django_db
@pytest.mark.parametrize("since", [AT - timedelta(days=5_000), AT + timedelta(days=3_000)], ids=["past", "future"])
def test_a_beginning_that_is_a_slip_is_refused(acme: Acme, since: datetime) -> None:
    with pytest.raises(InvalidInput, match="begins within"):
        acme.set(1, since)


@pytest.mark.django_db
def test_discounts_have_their_time_too_and_are_recorded(acme: Acme) -> None:
    def off(at: datetime) -> int:
        with tenant_scope(acme.id):
            book = queries.overrides(tenant=acme.id, since=at)
        return book.hundredths_off(["openai"], ["gpt-4o"], at)

    first = acme.do(
        services.set_discount, provider="openai", model="", percent=Decimal("12.5"), valid_from=AT - 9 * DAY
    )
    second = acme.do(services.set_discount, provider="openai", model="", percent=Decimal(20), valid_from=AT)
    assert [off(AT + day * DAY) for day in (-10, -9, -1, 0, 5)] == [0, 1250, 1250, 2000, 2000]
    acme.do(services.remove_discount, discount_id=second.id)
    assert off(AT + DAY) == 1250
    acme.do(services.end_discount, discount_id=first.id, ends=AT + 2 * DAY)
    assert [off(AT + DAY), off(AT + 2 * DAY)] == [1250, 0]
    actions = ["discount.set", "discount.set", "discount.removed", "discount.ended"]
    assert acme.world.acme.actions() == actions


@pytest.mark.django_db
@pytest.mark.parametrize("percent", ["0", "-1", "100.01", "1.234", "NaN", "Infinity"])
def test_a_discount_that_is_none_is_refused(acme: Acme, percent: str) -> None:
    with pytest.raises(InvalidInput, match="above 0 and at most 100"):
        acme.do(services.set_discount, provider="", model="", percent=Decimal(percent))


@pytest.mark.django_db
def test_the_book_does_not_change_while_calls_are_priced_by_it(acme: Acme) -> None:
    asked = acme.do(services.plan_repricing, since=AT - DAY, until=AT, reason="new terms")
    with pytest.raises(Conflict, match="priced anew"):
        acme.set(1)
    with pytest.raises(Conflict, match="already"):
        acme.do(services.plan_repricing, since=AT - DAY, until=AT, reason="again")
    acme.do(services.stop_repricing, repricing_id=asked.id)
    acme.set(1)
    assert acme.world.acme.actions() == ["repricing.planned", "repricing.stopped", "price.set"]


@pytest.mark.django_db
def test_another_organisations_book_is_not_read(acme: Acme) -> None:
    acme.set(1, AT - DAY)
    other = acme.world.globex.id
    with tenant_scope(other):
        assert not queries.overrides(tenant=other)
