"""A period is priced anew while its spans still come in and its calls are settled: nobody waits in a circle, nothing is lost."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from agentops.budgets import queries
from agentops.budgets import services as budgets
from agentops.budgets.types import Scope, Usage
from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.traces import policy, services
from agentops.traces.services import repricing
from tenants import machines
from tests.budgets.money import MODEL, Purse
from tests.ingest.test_ledger_check import check
from tests.ingest.wire import Sender, native
from tests.races.test_budget_races import SPAN, in_turns
from tests.races.test_ingest_races import deadlocks, post
from tests.world import OPERATOR, World

pytestmark = pytest.mark.race

CALLS, RUNS = 60, 6
HOUR = timedelta(hours=1)


@pytest.fixture
def purse(world: World) -> Purse:
    policy.forget_cached_policies()
    machines.forget_cached_keys()
    return Purse(world.acme.id).priced()


def dearer(purse: Purse) -> uuid.UUID:
    """A token costs two now; answers the plan to price the last hours anew, which may begin at once."""
    at = clock.now()
    with tenant_scope(purse.tenant):
        rates = {"input": Decimal(2), "output": Decimal(2)}
        budgets.set_price(
            tenant=purse.tenant, provider="", model=MODEL, rates=rates, by=OPERATOR, at=at, valid_from=at - 24 * HOUR
        )
    policy.forget_cached_policies()
    return plan(purse)


def plan(purse: Purse) -> uuid.UUID:
    at = clock.now() - budgets.BEGINS_AFTER
    with tenant_scope(purse.tenant):
        found = budgets.plan_repricing(
            tenant=purse.tenant, since=at - 2 * HOUR, until=at, reason="a race", by=OPERATOR, at=at
        )
    return uuid.UUID(str(found.id))


def some(purse: Purse, asked: uuid.UUID) -> bool:
    with tenant_scope(purse.tenant):
        return services.reprice_some(tenant=purse.tenant, repricing_id=asked, at=clock.now())


@pytest.mark.parametrize("attempt", range(3))
def test_spans_settlements_and_slices_meet(
    purse: Purse, world: World, key_for: Callable[..., str], attempt: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repricing, "SLICE", 5)
    dice, before = random.Random(attempt), deadlocks()
    purse.at = clock.now() - timedelta(minutes=5)
    budget = purse.budget(1, scope=Scope.TENANT)
    purse.budget(1, scope=Scope.USER)
    acme = Sender(key_for(world.acme, "ingest"), read_key=key_for(world.acme, "read"))
    calls = [(f"r{n % RUNS}", f"c{n}") for n in range(CALLS)]
    for run, call in calls:
        purse.reserve(run, call, 100)
    at = clock.to_ns(purse.at)
    spans = [
        {
            **native(call, at=at, trace_id=purse.run(run).hex, span_id=f"{n + 1:016x}", **SPAN),
            "call_id": call if n % 3 else None,
        }
        for n, (run, call) in enumerate(calls)
    ]

    def end(place: int, run: str, call: str) -> None:
        with tenant_scope(purse.tenant):
            arguments: dict[str, Any] = {"tenant": purse.tenant, "run": purse.run(run), "call_id": call}
            if place % 4:
                usage = Usage(output_tokens=7)
                cost = budgets.settle(**arguments, outcome="ok", usage=usage, at=purse.at).cost_nano_usd
            else:
                cost = budgets.expire_hold(**arguments, at=purse.at + HOUR) or 0
            services.add_guard_charge(tenant=purse.tenant, run=purse.run(run), amount_nano_usd=cost)

    post(acme, spans[: CALLS // 2])
    for n in range(0, CALLS, 2):
        end(n, *calls[n])
    asked = dearer(purse)
    work: list[Callable[[], Any]] = [lambda n=n: end(n, *calls[n]) for n in range(1, CALLS, 2)]
    work += [partial(post, acme, dice.sample(spans, 16)) for _ in range(8)]
    work += [partial(some, purse, asked)] * 40
    dice.shuffle(work)
    in_turns([*work, lambda: post(acme, spans)])
    assert deadlocks() == before
    assert check()["equal"]

    while some(purse, asked):
        pass
    again = plan(purse)  # for what came behind the first one's back by prices of before: there is nothing
    while some(purse, again):
        pass
    with tenant_scope(purse.tenant):
        states = [queries.repricing(tenant=purse.tenant, repricing_id=one) for one in (asked, again)]
    assert [one.state for one in states] == ["done", "done"]
    assert states[1].calls_changed == 0
    guarded = sum(14 if n % 4 else 100 for n in range(CALLS))
    observed = 60 * len([n for n in range(CALLS) if n % 3 == 0])
    assert (purse.charged(), purse.used(budget), purse.held()) == (guarded + observed, guarded + observed, 0)
    assert check()["equal"]
