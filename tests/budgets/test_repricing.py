"""A period is priced anew by entries, and every total follows at every commit; nothing is done twice, or half."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from agentops.budgets import queries
from agentops.budgets import services as budgets
from agentops.budgets.types import EntryKind
from agentops.common import clock
from agentops.common.errors import Conflict, InvalidInput
from agentops.common.scope import tenant_scope
from agentops.traces import policy, services, tasks
from agentops.traces import queries as traces
from agentops.traces.services import repricing
from tenants import machines
from tests.budgets.money import MODEL, TOKEN, Purse
from tests.budgets.test_one_charge import Guarded
from tests.ingest.test_ledger_check import check
from tests.ingest.wire import Sender, native, new_span, new_trace
from tests.world import OPERATOR, World

CALL = {"kind": "llm", "model": MODEL, "provider": "house", "input_tokens": 100, "output_tokens": 0, "user_id": "u1"}
HOUR = timedelta(hours=1)


class Book:
    """What acme's model costs, and the pricing anew of its last hours."""

    def __init__(self, purse: Purse) -> None:
        self.purse, self.tenant = purse, purse.tenant

    def costs(self, usd: str, *, cache_read: str | None = None, model: str = MODEL) -> None:
        """From a day ago on, a token of the model costs a millionth of this."""
        rates = {"input": Decimal(usd), "output": Decimal(usd)}
        if cache_read:
            rates["cache_read"] = Decimal(cache_read)
        self._do(
            budgets.set_price, provider="", model=model, rates=rates, by=OPERATOR, at=clock.now(),
            valid_from=clock.now() - 24 * HOUR,
        )  # fmt: skip
        policy.forget_cached_policies()

    def plan(self, reason: str = "new terms") -> uuid.UUID:
        now = clock.now()
        found = self._do(budgets.plan_repricing, since=now - 2 * HOUR, until=now, reason=reason, by=OPERATOR, at=now)
        return uuid.UUID(str(found.id))

    def some(self, plan: uuid.UUID, at: datetime | None = None) -> bool:
        at = at or clock.now() + budgets.BEGINS_AFTER
        return bool(self._do(services.reprice_some, repricing_id=plan, at=at))

    def reprice(self) -> Any:
        """All of it; the ledger equals everything after each slice."""
        plan = self.plan()
        while self.some(plan):
            assert check()["equal"]
        assert check()["equal"]
        return self.got(plan)

    def got(self, plan: uuid.UUID) -> Any:
        return self._do(queries.repricing, repricing_id=plan)

    def preview(self) -> Any:
        now = clock.now()
        return self._do(traces.preview_repricing, since=now - 2 * HOUR, until=now)

    def _do(self, service: Callable[..., Any], **arguments: Any) -> Any:
        with tenant_scope(self.tenant):
            return service(tenant=self.tenant, **arguments)


@pytest.fixture
def acme(world: World, key_for: Callable[..., str]) -> Sender:
    policy.forget_cached_policies()
    machines.forget_cached_keys()
    return Sender(key_for(world.acme, "ingest"), read_key=key_for(world.acme, "read"))


@pytest.fixture
def book(purse: Purse) -> Book:
    return Book(purse)


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repricing, "SLICE", 2)


def test_spans_runs_ledger_sums_and_budgets_follow_a_new_price(book: Book, acme: Sender, world: World) -> None:
    book.purse.at = clock.now()
    budget = book.purse.budget("100")
    trace = new_trace()
    acme.native(*(native("call", trace_id=trace, **CALL) for _ in range(4)), native("other", **CALL))
    foreseen, before = None, world.acme.actions()
    book.costs("3")
    foreseen = book.preview()
    done = book.reprice()
    assert (done.state, done.calls_seen, done.calls_changed) == ("done", 5, 5)
    assert done.amount_nano_usd == 5 * 100 * 2 * TOKEN == foreseen.dearer_nano_usd
    assert (foreseen.calls, foreseen.is_all, [one.model for one in foreseen.models]) == (5, True, [MODEL])
    assert acme.run(trace)["cost_usd"] == "0.001200"
    assert {one["cost_usd"] for one in acme.spans_of(trace)} == {"0.000300"}
    assert book.purse.used(budget) == 5 * 300
    kinds = book.purse.rows("SELECT kind, reason FROM budgets_ledgerentry WHERE reason <> '' ORDER BY kind")
    assert kinds == [
        (int(kind), "priced anew: new terms") for kind in (EntryKind.CHARGE, EntryKind.CORRECTION) for _ in range(5)
    ]
    assert world.acme.actions()[len(before) :] == ["price.set", "repricing.planned", "repricing.done"]


def test_the_same_again_changes_nothing(book: Book, acme: Sender) -> None:
    acme.native(*(native("call", **CALL) for _ in range(3)))
    book.costs("3")
    assert book.reprice().calls_changed == 3
    entries = book.purse.sum("SELECT count(*) FROM budgets_ledgerentry")
    again = book.reprice()
    assert (again.calls_seen, again.calls_changed, again.amount_nano_usd) == (3, 0, 0)
    assert book.purse.sum("SELECT count(*) FROM budgets_ledgerentry") == entries
    assert (book.preview().calls, book.preview().looked_at) == (0, 3)


def test_calls_without_a_price_get_one_and_lose_it_again(book: Book, acme: Sender) -> None:
    trace = new_trace()
    acme.native(
        native("call", trace_id=trace, **{**CALL, "model": "new"}),
        native("said nothing", trace_id=trace, kind="llm", model="new"),
    )
    assert acme.run(trace)["cost_state"] == "unpriced"
    book.costs("2", model="new")
    assert book.preview().models[0].get_a_price == 1
    assert book.reprice().calls_changed == 1, "a call that said nothing stays unknown"
    assert (acme.run(trace)["cost_usd"], acme.run(trace)["cost_state"]) == ("0.000200", "partial")
    with tenant_scope(book.tenant):
        [history] = [one for one in queries.price_histories(tenant=book.tenant, at=clock.now()) if one.model == "new"]
        assert history.now is not None
        budgets.remove_price(tenant=book.tenant, price_id=history.now.id, by=OPERATOR, at=clock.now())
    assert book.preview().models[0].lose_their_price == 1
    assert book.reprice().amount_nano_usd == -200 * TOKEN
    assert (acme.run(trace)["cost_usd"], acme.run(trace)["cost_state"]) == ("0.000000", "unpriced")


def test_a_settled_call_of_the_guard_follows_and_one_of_unknown_cost_stays_at_its_hold(
    book: Book, acme: Sender
) -> None:
    guarded = Guarded(book.purse, acme)
    budget = book.purse.budget("1")
    for call in ("settled", "unknown", "held"):
        book.purse.reserve("r", call, 100)
    guarded.send(call_id="settled")
    guarded.settle("settled", 30)
    guarded.settle("unknown", None, outcome="unknown")
    book.costs("2")
    done = book.reprice()
    assert (done.calls_seen, done.calls_changed, done.amount_nano_usd) == (2, 1, 30 * TOKEN)
    assert guarded.cost() == 60 + 100
    assert book.purse.used(budget) == 60 + 100 + 100
    book.purse.close("r")
    assert book.purse.used(budget) == 60 + 100 + 100
    guarded.settle("unknown", 10)
    guarded.settle("held", 10)
    assert guarded.cost() == 60 + 20 + 20, "later settlements are by the new price"
    assert book.purse.used(budget) == 100
    costs = book.purse.rows("SELECT call_id, cost_nano_usd FROM budgets_reservation ORDER BY 1")
    assert costs == [("held", 20 * TOKEN), ("settled", 60 * TOKEN), ("unknown", 20 * TOKEN)]


def test_a_guarded_call_whose_model_has_no_price_any_more_keeps_what_it_cost(book: Book, acme: Sender) -> None:
    guarded = Guarded(book.purse, acme)
    book.purse.reserve("r", "c", 100)
    guarded.settle("c", 30)
    with tenant_scope(book.tenant):
        [history] = queries.price_histories(tenant=book.tenant, at=clock.now())
        assert history.now is not None
        budgets.remove_price(tenant=book.tenant, price_id=history.now.id, by=OPERATOR, at=clock.now())
    assert book.reprice().calls_changed == 0
    assert book.purse.charged() == 30


def test_runs_whose_spans_are_gone_are_priced_anew_from_the_ledger(book: Book, acme: Sender) -> None:
    acme.native(native("call", **CALL), native("said nothing", kind="llm", model=MODEL, provider="house"))
    with tenant_scope(book.tenant):
        tomorrow = (clock.now() + 24 * HOUR).date()
        assert services.apply_retention(tenant=book.tenant, before=tomorrow, at=clock.now()) == 2
    book.costs("3")
    done = book.reprice()
    assert (done.calls_seen, done.calls_changed, done.amount_nano_usd) == (2, 1, 200 * TOKEN)
    assert book.purse.charged() == 300


def test_what_is_taken_back_later_is_what_it_was_charged_anew(book: Book, acme: Sender) -> None:
    book.costs("2", cache_read="1")
    trace, root = new_trace(), new_span()
    call = {**CALL, "cache_read_tokens": 60}
    acme.native(native("outer", trace_id=trace, span_id=root, **call))
    book.costs("4", cache_read="1")
    book.reprice()
    assert book.purse.sum("SELECT sum(saved_nano_usd) FROM budgets_usagehour") == 60 * 3 * TOKEN
    acme.native(native("inner", trace_id=trace, parent_span_id=root, **call))
    assert check()["equal"]
    assert acme.run(trace)["cost_usd"] == "0.000220"
    assert book.purse.rows("SELECT calls, amount_nano_usd, saved_nano_usd FROM budgets_usagehour") == [
        (1, (40 * 4 + 60) * TOKEN, 60 * 3 * TOKEN)
    ]


def test_a_call_whose_run_is_named_between_two_prices_is_charged_once_and_to_whom_it_is_of(
    book: Book, acme: Sender
) -> None:
    trace, root, call = new_trace(), new_span(), new_span()
    nameless = {name: value for name, value in CALL.items() if name not in ("agent", "user_id")}
    acme.native(native("outer", trace_id=trace, span_id=call, parent_span_id=root, **nameless))
    book.costs("2")
    assert book.reprice().calls_changed == 1
    acme.native(native("run", trace_id=trace, span_id=root, kind="run", agent="planner", user_id="u9"))
    assert check()["equal"]
    charged = "SELECT agent, user_id, calls, amount_nano_usd FROM budgets_usagehour WHERE calls <> 0"
    assert book.purse.rows(charged) == [("planner", "u9", 1, 200 * TOKEN)]
    book.costs("3")
    assert book.reprice().calls_changed == 1
    assert book.purse.rows(charged) == [("planner", "u9", 1, 300 * TOKEN)]
    acme.native(native("inner", trace_id=trace, parent_span_id=call, **nameless))
    assert check()["equal"]
    assert book.purse.rows(charged) == [("planner", "u9", 1, 300 * TOKEN)]
    assert book.purse.sum("SELECT sum(amount_nano_usd) FROM budgets_usagehour") == 300 * TOKEN


def test_calls_that_were_taken_back_are_left_alone(book: Book, acme: Sender) -> None:
    trace, root = new_trace(), new_span()
    acme.native(native("outer", trace_id=trace, span_id=root, **CALL))
    acme.native(native("inner", trace_id=trace, parent_span_id=root, **CALL))
    book.costs("2")
    assert book.reprice().calls_changed == 1
    assert acme.run(trace)["cost_usd"] == "0.000200"


def test_it_begins_when_no_process_charges_by_the_old_prices(book: Book, acme: Sender) -> None:
    acme.native(native("call", **CALL))
    book.costs("2")
    plan = book.plan()
    assert not book.some(plan, at=clock.now() + timedelta(seconds=5))
    assert (book.got(plan).state, book.got(plan).calls_seen) == ("planned", 0)
    assert book.some(plan)
    assert book.got(plan).state == "running"


def test_what_is_stopped_stays_where_it_is(book: Book, acme: Sender, world: World) -> None:
    acme.native(*(native("call", **CALL) for _ in range(5)))
    book.costs("2")
    plan = book.plan()
    book.some(plan)
    with tenant_scope(book.tenant):
        budgets.stop_repricing(tenant=book.tenant, repricing_id=plan, by=OPERATOR, at=clock.now())
    assert not book.some(plan)
    assert (book.got(plan).state, book.got(plan).calls_changed) == ("stopped", 2)
    assert book.purse.charged() == 2 * 200 + 3 * 100
    assert check()["equal"]
    with tenant_scope(book.tenant), pytest.raises(Conflict, match="over already"):
        budgets.stop_repricing(tenant=book.tenant, repricing_id=plan, by=OPERATOR, at=clock.now())
    assert book.reprice().calls_changed == 3, "another one does what is left"


def test_the_sweep_prices_anew_what_every_organisation_asked_for(
    book: Book, acme: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.native(*(native("call", **CALL) for _ in range(5)))
    book.costs("2")
    plan = book.plan()
    assert tasks.reprice() == 1
    assert book.got(plan).state == "planned", "not yet"
    later = clock.now() + budgets.BEGINS_AFTER
    monkeypatch.setattr(clock, "now", lambda: later)
    assert tasks.reprice() == 4
    assert (book.got(plan).state, book.got(plan).calls_changed) == ("done", 5)
    assert tasks.reprice() == 0


@pytest.mark.parametrize(
    ("since", "until", "reason", "message"),
    [
        (-HOUR, HOUR, "why", "not in the future"),
        (-HOUR, -HOUR, "why", "ends after it begins"),
        (-401 * 24 * HOUR, -HOUR, "why", "At most 400 days"),
        (-2 * HOUR, -HOUR, " ", "Say why"),
    ],
    ids=["future", "empty", "long", "silent"],
)
def test_a_plan_that_is_a_slip_is_refused(
    book: Book, since: timedelta, until: timedelta, reason: str, message: str
) -> None:
    now = clock.now()
    with tenant_scope(book.tenant), pytest.raises(InvalidInput, match=message):
        budgets.plan_repricing(
            tenant=book.tenant, since=now + since, until=now + until, reason=reason, by=OPERATOR, at=now
        )
