"""Many callers at once: no budget is passed, none is refused what is there, and nothing stays held."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from agentops.budgets.errors import AlreadySettled
from agentops.budgets.types import Action, Hold, Refused, Scope, Settled
from tests.budgets.money import Purse
from tests.races.test_ingest_races import at_once, deadlocks
from tests.world import World

pytestmark = pytest.mark.race

THREADS = 8


@pytest.fixture
def purse(world: World) -> Purse:
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
