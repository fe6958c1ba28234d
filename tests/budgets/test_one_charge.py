"""A guarded call and its span are one charge, in whichever order they come, and every total says so."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import connections, transaction

from agentops.budgets import forgetting
from agentops.budgets import services as budgets
from agentops.budgets.types import Period, Scope, Usage
from agentops.common import clock
from agentops.common.forgetting import Forgotten, Step
from agentops.common.money import usd_text
from agentops.common.scope import tenant_scope
from agentops.traces import forgetting as forgetting_traces
from agentops.traces import policy, services
from tenants import machines
from tests.budgets.money import MODEL, TOKEN, Purse
from tests.ingest.test_ledger_check import check
from tests.ingest.wire import Sender, native, new_span, new_trace, span
from tests.traces import otlp_build as build
from tests.world import World

LLM = {"kind": "llm", "model": MODEL, "provider": "house", "input_tokens": 0, "output_tokens": 30, "user_id": "u1"}


@pytest.fixture
def acme(world: World, key_for: Callable[..., str]) -> Sender:
    policy.forget_cached_policies()
    machines.forget_cached_keys()
    return Sender(key_for(world.acme, "ingest"), read_key=key_for(world.acme, "read"))


class Guarded:
    """A run under the guard, whose agent also sends spans."""

    def __init__(self, purse: Purse, acme: Sender) -> None:
        purse.at = clock.now()
        self.purse, self.acme, self.trace = purse, acme, purse.run("r").hex

    def send(self, **more: Any) -> str:
        sent = {**native("ask", trace_id=self.trace, **LLM), **more}
        self.acme.native(sent)
        return str(sent["span_id"])

    def settle(self, call: str, tokens: int | None, outcome: str = "ok") -> None:
        """As the guard does it: the charge, and the run's part of it, in one transaction."""
        tenant, run = self.purse.tenant, self.purse.run("r")
        usage = None if tokens is None else Usage(output_tokens=tokens)
        with tenant_scope(tenant):
            settled = budgets.settle(
                tenant=tenant, run=run, call_id=call, outcome=outcome, usage=usage, at=self.purse.at
            )
            before = settled.hold_nano_usd if settled.was_unknown else 0
            services.add_guard_charge(tenant=tenant, run=run, amount_nano_usd=settled.cost_nano_usd - before)

    def cost(self) -> int:
        """Tokens, by the run's total, which must be the ledger's."""
        assert check()["equal"]
        ledger = self.purse.sum(
            "SELECT sum(amount_nano_usd) FROM budgets_ledgerentry WHERE run_id = %s", self.purse.run("r")
        )
        assert self.acme.run(self.trace)["cost_usd"] == usd_text(ledger)
        return ledger // TOKEN


@pytest.fixture
def guarded(purse: Purse, acme: Sender) -> Guarded:
    return Guarded(purse, acme)


@pytest.mark.parametrize("order", sorted(set(itertools.permutations(["span", "settle", "span"]))))
def test_a_call_is_charged_once_in_any_order_and_with_resends(guarded: Guarded, order: tuple[str, ...]) -> None:
    budget = guarded.purse.budget("0.001")
    guarded.purse.reserve("r", "c1", 100)
    span_id = new_span()
    for step in order:
        if step == "span":
            guarded.send(span_id=span_id, call_id="c1", output_tokens=31)  # it says something else than the settlement
        else:
            guarded.settle("c1", 30)
    assert guarded.cost() == 30
    assert guarded.purse.used(budget) == 30
    run = guarded.acme.run(guarded.trace)
    assert (run["llm_calls"], run["output_tokens"], run["cost_state"]) == (1, 31, "priced")
    [sent] = guarded.acme.spans_of(guarded.trace)
    assert (sent["cost_usd"], sent["guarded"], sent["call_id"]) == (usd_text(30 * TOKEN), True, "c1")


def test_before_it_is_settled_a_guarded_span_costs_nothing_yet(guarded: Guarded) -> None:
    budget = guarded.purse.budget("0.001")
    guarded.purse.reserve("r", "c1", 100)
    guarded.send(call_id="c1")
    assert guarded.cost() == 0
    assert guarded.purse.used(budget) == 100
    assert guarded.acme.spans_of(guarded.trace)[0]["cost_usd"] is None


def test_spans_that_claim_a_call_the_guard_never_admitted_are_charged(guarded: Guarded) -> None:
    budget = guarded.purse.budget("0.001")
    guarded.purse.reserve("r", "c1", 100)
    guarded.send(call_id="c1")
    guarded.send(call_id="c2")
    guarded.send()
    guarded.acme.native(native("elsewhere", call_id="c1", **LLM))
    guarded.settle("c1", 20)
    assert guarded.cost() == 20 + 30 + 30
    assert guarded.purse.used(budget) == 20 + 3 * 30


def test_several_spans_of_one_call_show_its_charge_once(guarded: Guarded) -> None:
    guarded.purse.reserve("r", "c1", 100)
    for _ in range(3):
        guarded.send(call_id="c1")
    guarded.settle("c1", 20)
    assert guarded.cost() == 20
    costs = sorted(str(one["cost_usd"]) for one in guarded.acme.spans_of(guarded.trace))
    assert costs == ["0.000020", "None", "None"]


@pytest.mark.parametrize("first", ["outer", "inner", "together"])
@pytest.mark.parametrize("kind", ["llm", "other"])
def test_what_another_instrumentation_sees_below_a_guarded_span_is_the_same_call(
    guarded: Guarded, first: str, kind: str
) -> None:
    budget = guarded.purse.budget("0.001")
    guarded.purse.reserve("r", "c1", 100)
    outer = {**native("model_call", trace_id=guarded.trace, kind=kind), "call_id": "c1"}
    inner = {**native("chat", trace_id=guarded.trace, **LLM), "parent_span_id": outer["span_id"]}
    if first == "together":
        guarded.acme.native(inner, outer)
    else:
        for one in [outer, inner] if first == "outer" else [inner, outer]:
            guarded.acme.native(one)
    guarded.settle("c1", 30)
    assert guarded.cost() == 30
    assert guarded.purse.used(budget) == 30
    assert guarded.acme.run(guarded.trace)["llm_calls"] == 1


def test_a_trace_of_another_id_names_the_guarded_run(guarded: Guarded) -> None:
    guarded.purse.reserve("r", "c1", 100)
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": MODEL,
        "gen_ai.usage.output_tokens": 30,
        "agentops.call_id": "c1",
        "agentops.run_id": guarded.trace,
    }
    sent = span("chat", attributes=attributes)
    assert guarded.acme.otlp(build.protobuf_request([sent])).is_full_success
    guarded.settle("c1", 30)
    assert guarded.purse.charged() == 30
    assert check()["equal"]


def test_an_unknown_call_that_is_settled_late_corrects_its_run(guarded: Guarded) -> None:
    guarded.purse.reserve("r", "c1", 100)
    guarded.send(call_id="c1")
    guarded.settle("c1", None, "unknown")
    assert guarded.cost() == 100
    guarded.settle("c1", 12)
    assert guarded.cost() == 12


def test_a_run_that_was_settled_before_any_span_begins_with_its_cost(guarded: Guarded) -> None:
    for call in ("c1", "c2"):
        guarded.purse.reserve("r", call, 100)
        guarded.settle(call, 20)
    guarded.purse.reserve("r", "c3", 100)
    guarded.send(kind="run", model=None, provider=None, input_tokens=None, output_tokens=None)
    assert guarded.cost() == 40
    guarded.settle("c3", 5)
    assert guarded.cost() == 45


def test_what_is_only_observed_counts_against_the_budgets_too(guarded: Guarded) -> None:
    tenant = guarded.purse.budget("0.0001")
    guarded.acme.native(native("one", **LLM), native("two", **{**LLM, "user_id": "u2"}))
    user = guarded.purse.budget("0.001", scope=Scope.USER, of="u2")
    assert (guarded.purse.used(tenant), guarded.purse.used(user)) == (60, 30)
    guarded.acme.native(native("three", **{**LLM, "user_id": "u2"}))
    assert (guarded.purse.used(tenant), guarded.purse.used(user)) == (90, 60)
    refused = guarded.purse.reserve("r", "c1", 11)
    assert getattr(refused, "free_nano_usd", None) == 10 * TOKEN
    guarded.purse.reserve("r", "c1", 10)
    guarded.acme.native(native("four", **LLM))
    assert guarded.purse.used(tenant) == 130
    assert check()["equal"]


@pytest.mark.parametrize(
    "batches",
    [
        ["root ask own"],
        ["root", "ask own"],
        ["ask own", "root"],
        ["ask", "user", "own", "root"],
        ["ask", "root", "user", "own"],
    ],
    ids=["together", "the root first", "the root last", "the user first", "the root in the middle"],
)
def test_a_call_that_names_nobody_is_charged_to_whom_its_run_is_of(
    acme: Sender, purse: Purse, batches: list[str]
) -> None:
    """As most instrumentations send it: whose a run is stands on its root, which comes last."""
    trace, root = new_trace(), new_span()
    nameless = {name: value for name, value in LLM.items() if name != "user_id"}
    spans = {
        "root": native("run", trace_id=trace, span_id=root, kind="run", agent="planner", user_id="u9"),
        "user": native("step", trace_id=trace, parent_span_id=root, kind="tool", user_id="u8"),
        "ask": native("ask", trace_id=trace, parent_span_id=root, **nameless),
        "own": native("own", trace_id=trace, parent_span_id=root, **nameless, agent="scout"),
    }
    purse.at = clock.now()
    budget = purse.budget(1, scope=Scope.USER, of="u9", period=Period.MONTH)
    for batch in [*batches, *batches]:  # and all of it once more
        acme.native(*(spans[name] for name in batch.split()))
    found = purse.rows(
        "SELECT agent, user_id, calls, amount_nano_usd FROM budgets_usagehour WHERE calls <> 0 ORDER BY agent"
    )
    assert found == [("planner", "u9", 1, 30 * TOKEN), ("scout", "u9", 1, 30 * TOKEN)]
    assert purse.sum("SELECT sum(amount_nano_usd) FROM budgets_usagehour") == 60 * TOKEN
    assert purse.used(budget) == 60
    sent = purse.rows("SELECT agent, user_id FROM traces_span WHERE kind = 2 ORDER BY agent")
    assert sent == [("", ""), ("scout", "")]
    assert check()["equal"]


def test_what_was_a_forgotten_persons_does_not_go_back_to_a_name_that_comes_late(acme: Sender, purse: Purse) -> None:
    trace, root, forgotten = new_trace(), new_span(), "erased-0123456789abcdef"
    nameless = {name: value for name, value in LLM.items() if name != "user_id"}
    acme.native(
        native("step", trace_id=trace, parent_span_id=root, kind="tool", user_id=forgotten),
        native("ask", trace_id=trace, parent_span_id=root, **nameless),
    )
    acme.native(native("run", trace_id=trace, span_id=root, kind="run", agent="planner", user_id="u9"))
    found = purse.rows("SELECT agent, user_id, calls FROM budgets_usagehour WHERE calls <> 0")
    assert found == [("planner", forgotten, 1)]
    assert check()["equal"]


FORGOTTEN = "erased-0123456789abcdef"
NAMELESS = {name: value for name, value in LLM.items() if name != "user_id"}


def forget(purse: Purse, *held: str) -> None:
    """What an erasure of "u3" walks of money and traces, but the runs that are held."""
    who = Forgotten(purse.tenant, ("u3",), (), FORGOTTEN, tuple(uuid.UUID(run) for run in held), clock.now())
    steps: Sequence[Step] = (*forgetting.STEPS, *forgetting_traces.STEPS)
    for step in steps:
        after: list[str] | None = []
        while after is not None:
            with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
                after, _ = step.slice(cursor, who, after)


@pytest.mark.parametrize("is_held", [True, False], ids=["its run is held", "its run names another one since"])
def test_what_a_forgotten_person_spent_keeps_their_pseudonym_when_its_run_is_named(
    acme: Sender, purse: Purse, is_held: bool
) -> None:
    trace, root = new_trace(), new_span()
    acme.native(
        native("step", trace_id=trace, parent_span_id=root, kind="tool", user_id="u3"),
        native("ask", trace_id=trace, parent_span_id=root, **NAMELESS),
    )
    forget(purse, *([trace] if is_held else []))
    if not is_held:
        acme.native(native("late", trace_id=trace, parent_span_id=root, kind="run", user_id="u9"))
    acme.native(native("run", trace_id=trace, span_id=root, kind="run", agent="planner"))
    found = purse.rows("SELECT agent, user_id, calls FROM budgets_usagehour WHERE calls <> 0")
    assert found == [("planner", FORGOTTEN, 1)]
    assert check()["equal"]


def test_a_call_beside_an_erasure_counts_under_a_limit_that_went_by_the_pseudonym(acme: Sender, purse: Purse) -> None:
    """There is none for everybody, so their name counted nowhere."""
    purse.at = clock.now()
    own = purse.budget(1, scope=Scope.USER, of="u3", period=Period.MONTH)
    for tokens in (30, 60):
        acme.native(native("ask", **NAMELESS, user_id="u3"))
        forget(purse)
        assert purse.rows("SELECT charged_nano_usd FROM budgets_counter WHERE budget_id = %s", own) == [
            (tokens * TOKEN,)
        ]
        assert check()["equal"]


def test_a_correction_after_an_erasure_leaves_no_counter_behind(acme: Sender, purse: Purse) -> None:
    """Their own limit went by the pseudonym; a call that came beside the erasure counted under the limit of everybody."""
    purse.at = clock.now()
    everybody = purse.budget(1, scope=Scope.USER, period=Period.MONTH)
    purse.budget(1, scope=Scope.USER, of="u3", period=Period.MONTH)
    trace, above = new_trace(), new_span()
    for span_id in (new_span(), above):
        acme.native(native("ask", trace_id=trace, span_id=span_id, **NAMELESS, user_id="u3"))
        forget(purse)
        assert check()["equal"]
    acme.native(native("inside", trace_id=trace, parent_span_id=above, **NAMELESS, user_id="u9"))
    assert check()["equal"]
    counted = "SELECT subject, charged_nano_usd FROM budgets_counter WHERE is_based AND budget_id {} %s"
    assert purse.rows(counted.format("="), everybody) == [("u9", 30 * TOKEN)]
    assert purse.rows(counted.format("<>"), everybody) == [(FORGOTTEN, 30 * TOKEN)]
