"""Many callers at once: no budget is passed, none is refused what is there, and nothing stays held."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from agentops.budgets import queries
from agentops.budgets import services as budgets
from agentops.budgets.errors import AlreadySettled
from agentops.budgets.types import Action, Hold, Refused, Scope, Settled, Usage
from agentops.common import clock
from agentops.common.money import NANO
from agentops.common.scope import staff_scope, tenant_scope
from agentops.runtime import services as runtime
from agentops.traces import policy
from agentops.traces import services as traces
from tenants import machines
from tests.budgets.money import MODEL, TOKEN, Purse
from tests.budgets.test_minutes import one_call, spent
from tests.ingest.test_ledger_check import check
from tests.ingest.wire import Sender, native
from tests.races.test_ingest_races import at_once, deadlocks, post
from tests.world import World

pytestmark = pytest.mark.race

THREADS = 8
SPAN = {"kind": "llm", "model": MODEL, "provider": "house", "input_tokens": 0, "output_tokens": 30, "user_id": "u1"}


@pytest.fixture
def purse(world: World) -> Purse:
    policy.forget_cached_policies()
    machines.forget_cached_keys()
    return Purse(world.acme.id).priced()


def in_turns(work: Sequence[Callable[[], Any]], threads: int = THREADS) -> list[Any]:
    """All of the work, dealt to some threads; their results, in order."""
    shares = at_once([lambda n=n: [one() for one in work[n::threads]] for n in range(threads)])
    found: list[Any] = [None] * len(work)
    for place, share in enumerate(shares):
        found[place::threads] = share
    return found


@pytest.mark.parametrize("runs", [1, 20, 400])
def test_of_400_calls_against_room_for_100_exactly_100_are_admitted(purse: Purse, runs: int) -> None:
    budget, before = purse.budget("0.001"), deadlocks()  # 1000 tokens
    calls = [(f"r{n % runs}", f"c{n}") for n in range(400)]
    for run, _ in calls:
        purse.run(run)
    answers = in_turns([lambda run=run, call=call: purse.reserve(run, call, 10) for run, call in calls], threads=24)
    admitted = [call for call, answer in zip(calls, answers, strict=True) if isinstance(answer, Hold)]
    assert len(admitted) == 100
    assert all(isinstance(answer, Refused) and answer.is_ceiling for answer in answers if not isinstance(answer, Hold))
    assert (purse.held(), purse.used(budget)) == (1000, 1000)

    def end(place: int, run: str, call: str) -> int:
        return purse.settle(run, call, 4).cost_nano_usd if place % 2 else purse.expire(run, call) or 0

    ended = in_turns([lambda n=n, one=one: end(n, *one) for n, one in enumerate(admitted)])
    assert (purse.held(), purse.charged()) == (0, 50 * 4 + 50 * 10)
    assert sum(ended) == purse.sum("SELECT sum(amount_nano_usd) FROM budgets_ledgerentry")
    purse.close(*purse.runs)
    assert purse.used(budget) == 700
    assert purse.rows("SELECT 1 FROM budgets_lease") == []
    assert deadlocks() == before


@pytest.mark.parametrize("attempt", range(4))
def test_two_runs_race_for_the_last_slice(purse: Purse, attempt: int) -> None:
    purse.budget("0.0001", action=Action.THROTTLE)
    purse.run("a"), purse.run("b")
    answers = at_once([lambda run=run: purse.reserve(run, "c", 60) for run in ("a", "b")])
    assert sorted(type(answer).__name__ for answer in answers) == ["Hold", "Refused"]
    assert purse.held() == 60


@pytest.mark.parametrize("attempt", range(4))
def test_settling_and_expiring_one_hold_charge_it_once(purse: Purse, attempt: int) -> None:
    budget = purse.budget("0.001")
    purse.reserve("r", "c", 100)

    def settle() -> Settled | str:
        try:
            return purse.settle("r", "c", 30)
        except AlreadySettled:
            return "settled before"

    answers = at_once([settle, lambda: purse.expire("r", "c"), settle, lambda: purse.expire("r", "c")])
    assert sum(isinstance(answer, Settled) for answer in answers) == 1
    assert (purse.charged(), purse.held(), purse.used(budget)) == (30, 0, 30)
    assert purse.sum("SELECT sum(calls) FROM budgets_usagehour") == 1


@pytest.mark.parametrize("attempt", range(3))
def test_calls_of_many_runs_users_and_budgets_that_change_never_wait_in_a_circle(purse: Purse, attempt: int) -> None:
    """Everything at once: slow and quick holds, settlements, ends of runs, and a budget that is set again."""
    dice, before = random.Random(attempt), deadlocks()
    budgets = [
        purse.budget("0.02"),
        purse.budget("0.004", scope=Scope.USER, action=Action.THROTTLE),
        purse.budget("0.01", scope=Scope.AGENT),
    ]
    runs = {f"r{n}": (f"u{n % 5}", f"bot{n % 3}") for n in range(24)}
    for run in runs:
        purse.run(run)

    def life(run: str, seed: int) -> None:
        luck = random.Random(seed)
        user, agent = runs[run]
        for call in range(12):
            answer = purse.reserve(run, f"c{call}", luck.randint(1, 60), user=user, agent=agent)
            if isinstance(answer, Refused):
                continue
            match luck.randrange(4):
                case 0 | 1:
                    purse.settle(run, f"c{call}", luck.randint(0, 80))
                case 2:
                    purse.expire(run, f"c{call}")
        purse.close(run)

    def change(n: int) -> None:
        purse.budget(f"0.0{20 + n}")
        purse.budget("0.001", scope=Scope.USER, of=f"u{n}")

    work: list[Callable[[], Any]] = [lambda run=run: life(run, dice.random()) for run in runs]
    work[5:5] = [lambda n=n: change(n) for n in range(3)]
    in_turns(work, threads=12)
    assert deadlocks() == before
    left = purse.rows("SELECT run_id, call_id FROM budgets_reservation WHERE state = 'held'")
    names = {run_id: name for name, run_id in purse.runs.items()}
    in_turns([lambda run=names[run], call=call: purse.expire(run, call, after=timedelta(days=1)) for run, call in left])
    assert purse.held() == 0
    assert purse.rows("SELECT 1 FROM budgets_lease") == []
    for budget in budgets[:1]:
        assert purse.used(budget) == purse.charged()


@pytest.mark.parametrize("attempt", range(3))
def test_spans_and_settlements_of_the_same_calls_meet_and_are_one_charge(
    purse: Purse, world: World, key_for: Callable[..., str], attempt: int
) -> None:
    """New runs and known ones, in overlapping batches, while their calls are settled and expire, with budgets."""
    dice, before = random.Random(attempt), deadlocks()
    purse.at = clock.now()
    budget = purse.budget(1, scope=Scope.TENANT)
    purse.budget(1, scope=Scope.USER)
    acme = Sender(key_for(world.acme, "ingest"), read_key=key_for(world.acme, "read"))
    calls = [(f"r{n % 6}", f"c{n}") for n in range(48)]
    for run, call in calls:
        purse.reserve(run, call, 100)
    spans = [
        {
            **native(call, trace_id=purse.run(run).hex, span_id=f"{n + 1:016x}", **SPAN),
            "call_id": call if n % 4 else None,
        }
        for n, (run, call) in enumerate(calls)
    ]
    batches = [dice.sample(spans, 16) for _ in range(12)]
    sent = {int(item["span_id"], 16) - 1 for batch in batches for item in batch}

    def end(place: int, run: str, call: str) -> int:
        with tenant_scope(purse.tenant):
            arguments: dict[str, Any] = {"tenant": purse.tenant, "run": purse.run(run), "call_id": call}
            if place % 3:
                usage = Usage(output_tokens=7)
                cost = budgets.settle(**arguments, outcome="ok", usage=usage, at=purse.at).cost_nano_usd
            else:
                cost = budgets.expire_hold(**arguments, at=purse.at + timedelta(hours=1)) or 0
            traces.add_guard_charge(tenant=purse.tenant, run=purse.run(run), amount_nano_usd=cost)
        return cost

    work: list[Callable[[], Any]] = [lambda n=n, one=one: end(n, *one) for n, one in enumerate(calls)]
    work += [lambda batch=batch: post(acme, batch) for batch in batches]
    dice.shuffle(work)
    in_turns(work)
    assert deadlocks() == before
    guarded = sum(100 if n % 3 == 0 else 7 for n in range(48))
    observed = 30 * sum(n % 4 == 0 for n in sent)
    assert (purse.charged(), purse.used(budget), purse.held()) == (guarded + observed, guarded + observed, 0)
    assert check()["equal"]


def test_200_users_at_once_around_their_limits(purse: Purse) -> None:
    """Each has room for ten calls, and asks for twelve in three runs: ten are made, and each threshold is told once."""
    purse.budget("1")
    budget, before = purse.budget("0.001", scope=Scope.USER), deadlocks()
    calls = [(f"u{user}", f"u{user}-{n % 3}", f"c{n}") for n in range(12) for user in range(200)]
    for _, run, _ in calls:
        purse.run(run)

    def call(user: str, run: str, name: str) -> bool:
        if isinstance(purse.reserve(run, name, 100, user=user), Refused):
            return False
        purse.settle(run, name, 100)
        return True

    def sweep() -> bool:
        with staff_scope():
            spending = queries.spending_in_slices()
        for tenant, counters in spending.items():
            with tenant_scope(tenant):
                budgets.look_at_slices(tenant=tenant, counters=counters)
        return False

    work: list[Callable[[], bool]] = [lambda one=one: call(*one) for one in calls]
    for place in range(0, len(work), 300):
        work.insert(place, sweep)
    assert sum(in_turns(work, threads=16)) == 200 * 10
    purse.close(*purse.runs)
    by_user = purse.rows("SELECT user_id, sum(amount_nano_usd) FROM budgets_ledgerentry GROUP BY 1")
    assert {int(amount) for _, amount in by_user} == {1000 * TOKEN} and len(by_user) == 200
    told = purse.rows(
        "SELECT subject, array_agg(percent ORDER BY crossed_at, id) FROM budgets_notice WHERE budget_id = %s GROUP BY 1",
        budget,
    )
    assert len(told) == 200 and {tuple(percents) for _, percents in told} == {(50, 75, 100)}
    entries = purse.sum("SELECT count(*) FROM audit_entry WHERE action = 'budget.threshold_crossed'")
    assert entries == 600
    assert deadlocks() == before
    assert check()["equal"]


def test_one_call_that_jumps_over_thresholds_tells_each_in_order(purse: Purse) -> None:
    purse.budget("0.001", action=Action.THROTTLE)
    purse.reserve("r", "c1", 400), purse.settle("r", "c1", 800)  # a debt beyond its hold
    purse.close("r")
    purse.reserve("r2", "c1", 150), purse.settle("r2", "c1", 150)
    refused = purse.reserve("r3", "c1", 100)  # 950 are used: it does not fit, so the limit is reached
    assert isinstance(refused, Refused)
    rows = purse.rows("SELECT percent, because FROM budgets_notice ORDER BY crossed_at, id")
    assert rows == [(50, "spent"), (75, "spent"), (100, "refused")]
    assert isinstance(purse.reserve("r4", "c1", 100), Refused)
    assert len(purse.rows("SELECT 1 FROM budgets_notice")) == 3


def test_a_day_that_is_charged_while_it_is_added_up_is_added_up_again(purse: Purse) -> None:
    """Its mark is there already, so whoever charges it adds none; the sweep must not take it away with what it has not seen."""
    day = clock.now() - timedelta(days=4)
    spent(purse.tenant, 4, at=clock.now())
    spent(purse.tenant, 1, at=day, told=clock.now())
    charged, reading = threading.Event(), threading.Event()

    def charge() -> None:
        with tenant_scope(purse.tenant):
            budgets.charge_many(tenant=purse.tenant, charges=[one_call(2, at=day)], at=clock.now())
            charged.set()
            reading.wait(1)  # the sweep comes by before this commits

    def sweep() -> None:
        charged.wait(10)
        runtime.add_up_days(tenant=purse.tenant, at=clock.now())
        reading.set()

    at_once([charge, sweep])
    runtime.add_up_days(tenant=purse.tenant, at=clock.now())
    assert purse.sum("SELECT sum(amount_nano_usd) FROM budgets_spendday") == 7 * NANO
