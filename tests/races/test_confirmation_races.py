"""Many people, agents and clocks at one confirmation: each decision is one of before or after any other."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from agentops.catalog import queries as catalog
from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.scope import tenant_scope
from agentops.confirmations import queries, services
from agentops.confirmations.models import MailedCode, Vote
from agentops.confirmations.types import Asked
from agentops.confirmations.types import Person as Who
from agentops.runtime import services as runtime
from tenants import machines
from tests.confirmations import deciding
from tests.confirmations.asked import Desk, fresh, link
from tests.confirmations.deciding import Bank
from tests.confirmations.paying import asked_for
from tests.confirmations.test_release import pass_time
from tests.confirmations.test_votes import edit
from tests.races.test_ingest_races import at_once, deadlocks
from tests.runtime.guarded import answered
from tests.world import Person, World

pytestmark = pytest.mark.race

THREADS = 8
ROUNDS = 5


@pytest.fixture
def desk(world: World) -> Desk:
    machines.forget_cached_keys()
    catalog.forget()
    queries.forget_rules()
    link(world.acme, world.uma, "u-1")
    return Desk(world.acme)


@pytest.fixture(autouse=True)
def _no_deadlock(world: World) -> Any:
    before = deadlocks()
    yield
    assert deadlocks() == before


def came_to(work: Callable[[], Any]) -> str:
    """The state it led to, or the name of the refusal."""
    try:
        found = work()
    except DomainError as error:
        return type(error).__name__
    return found.state.value if isinstance(found, Asked) else str(found)


def race(*works: Callable[[], Any]) -> list[str]:
    return at_once([partial(came_to, work) for work in works])


def ready(desk: Desk, asked: Asked, known: Person) -> Callable[[], Asked]:
    """An approval with everything at hand, so that only the decision itself runs in the race."""
    by = desk.person(known)
    given: dict[str, Any] = {**desk.seen(asked), "proofs": fresh(), "phrase": desk.phrase(asked)}
    if asked.tier == 4:
        given["code"] = desk.code(asked, by)
    return partial(decide, desk, services.approve, asked, by, given)


def decide(desk: Desk, service: Callable[..., Asked], asked: Asked, by: Who, given: dict[str, Any]) -> Asked:
    with tenant_scope(desk.id):
        return service(tenant=desk.id, confirmation=asked.id, by=by, at=clock.now(), **given)


def refusal(desk: Desk, asked: Asked, known: Person) -> Callable[[], Asked]:
    return partial(decide, desk, services.refuse, asked, desk.person(known), {**desk.seen(asked), "reason": "no"})


def stop(desk: Desk, asked: Asked, known: Person) -> Callable[[], Asked]:
    return partial(decide, desk, services.cancel, asked, desk.person(known), {"reason": "stop"})


def votes(desk: Desk, asked: Asked) -> list[tuple[str, int]]:
    with tenant_scope(desk.id):
        found = Vote.objects.filter(confirmation_id=asked.id).order_by("stage")
        return list(found.values_list("choice", "stage"))


def test_of_n_redeemers_one_takes_it(desk: Desk, world: World) -> None:
    asked = desk.ask(2)
    desk.approve(asked, world.uma)
    came = Counter(race(*[partial(desk.redeem, asked)] * THREADS))
    assert came == {str(desk.look(asked).arguments): 1, "NotRedeemable": THREADS - 1}
    assert desk.state(asked) == "executing"


def test_approve_against_cancel_and_refuse(desk: Desk, world: World) -> None:
    for _ in range(ROUNDS):
        asked = desk.ask(3)
        came = race(ready(desk, asked, world.uma), stop(desk, asked, world.pete), refusal(desk, asked, world.ada))
        assert came.count("Decided") == 2
        assert desk.state(asked) in came
        decisions = [event for event in desk.events() if event in ("approval.confirmed", *_ENDS)]
        assert len(decisions) == 1
        desk.organisation.skip_entries()


_ENDS = ("approval.cancelled", "approval.refused", "approval.edited", "approval.expired")


def test_two_first_votes_at_once_are_a_first_and_a_second(desk: Desk, world: World) -> None:
    for _ in range(ROUNDS - 3):
        asked = desk.ask(4)
        came = race(ready(desk, asked, world.pete), ready(desk, asked, world.ada))
        assert sorted(came) == ["cooling", "half"]
        assert votes(desk, asked) == [("approve", 1), ("approve", 2)]
        assert desk.look(asked).cooling_until is not None


def test_of_three_votes_at_once_two_count(desk: Desk, world: World) -> None:
    asked = desk.ask(4)
    came = race(*[ready(desk, asked, known) for known in (world.pete, world.ada, world.ben)])
    assert sorted(came) == ["Decided", "cooling", "half"]
    assert votes(desk, asked) == [("approve", 1), ("approve", 2)]


def test_one_person_with_many_browsers_is_one_person(desk: Desk, world: World) -> None:
    asked = desk.ask(4)
    approval = ready(desk, asked, world.pete)
    came = Counter(race(*[approval] * THREADS))
    assert came == {"half": 1, "AlreadyVoted": THREADS - 1}
    assert votes(desk, asked) == [("approve", 1)]


def test_the_second_vote_against_a_cancel_by_the_first(desk: Desk, world: World) -> None:
    """The cancel holds either way: before the vote it ends it, after it, it stops the delay."""
    asked = desk.ask(4)
    ready(desk, asked, world.pete)()
    came = race(ready(desk, asked, world.ada), stop(desk, asked, world.pete))
    assert came[1] == "cancelled" and came[0] in ("cooling", "Decided")
    assert desk.state(asked) == "cancelled"


def test_an_edit_against_an_approval(desk: Desk, world: World) -> None:
    """What was approved is not replaced, and what was replaced is not approved."""
    for _ in range(ROUNDS):
        asked = desk.ask(2)
        change = partial(edit, desk, asked, desk.person(world.pete), amount_minor=1)
        came = race(ready(desk, asked, world.uma), change)
        assert sorted(came) in (["Decided", "approved"], ["Decided", "pending"])
        assert desk.state(asked) == ("approved" if came[0] == "approved" else "edited")


def test_stopping_against_the_end_of_the_delay(desk: Desk, world: World) -> None:
    for _ in range(ROUNDS - 3):
        asked = desk.ask(4)
        for known in (world.pete, world.ada):
            ready(desk, asked, known)()
        desk.pass_time(timedelta(minutes=16))
        came = race(stop(desk, asked, world.ben), partial(desk.release, asked), partial(desk.release, asked))
        assert sorted(came) in (["Decided", "False", "True"], ["False", "False", "cancelled"])
        assert desk.state(asked) == ("approved" if "True" in came else "cancelled")


def test_the_clock_against_a_decision(desk: Desk, world: World) -> None:
    """At its very end something is decided or expired, and the job never takes back what was decided in time."""
    for _ in range(ROUNDS):
        asked = desk.ask(2)
        approval = ready(desk, asked, world.uma)
        desk.pass_time(timedelta(minutes=9, seconds=59, milliseconds=990))
        came = race(approval, *[desk.expire] * 3)
        time.sleep(0.02)
        desk.expire()
        assert came[0] in ("approved", "Decided")
        assert desk.state(asked) == "expired", "its time is over by now, approved or not"
        with tenant_scope(desk.id):
            voted = Vote.objects.filter(confirmation_id=asked.id).count()
        assert voted == (1 if came[0] == "approved" else 0)


def test_wrong_codes_at_once_are_counted_one_by_one(desk: Desk, world: World) -> None:
    asked = desk.ask(4)
    right = desk.code(asked, world.pete)
    by = desk.person(world.pete)
    wrong = {**desk.seen(asked), "proofs": fresh(), "code": f"{(int(right) + 1) % 10**8:08}"}
    came = Counter(race(*[partial(decide, desk, services.approve, asked, by, wrong)] * THREADS))
    assert came == {"WrongCode": 5, "CodeExpired": THREADS - 5}
    with tenant_scope(desk.id):
        assert MailedCode.objects.get().attempts == 5
    assert desk.events().count("approval.attempt_refused") == 5


def test_codes_asked_for_at_once_are_five_an_hour(desk: Desk, world: World) -> None:
    several = [desk.ask(4) for _ in range(THREADS)]
    by = desk.person(world.pete)

    def send(asked: Asked) -> str:
        with tenant_scope(desk.id):
            services.send_code(tenant=desk.id, confirmation=asked.id, to=by, at=clock.now())
        return "sent"

    came = Counter(race(*[partial(send, asked) for asked in several]))
    assert came == {"sent": 5, "TooManyCodes": THREADS - 5}


def test_a_kill_switch_during_cooling_against_the_sweep_and_the_agent(desk: Desk, world: World) -> None:
    """The delay is over, and at once come the sweep, the agent and the switch. Whatever was redeemed was so before the
    switch; after it nothing is, and the permit cannot be used any more."""
    bank = Bank(world)
    asked = bank.asked("raise_limit")
    for known in (world.pete, world.ada):
        desk.approve(asked_for(desk, asked.call), known)
    pass_time(desk, timedelta(minutes=16))
    path = f"/api/v1/guard/runs/{asked.run.id}/tool-calls/{asked.call['call_id']}/redemption"
    switch = {"scope": "user", "id": deciding.MIA, "mode": "stop_next_step", "reason": "race"}
    came = at_once(
        [
            lambda: bank.call("POST", path).status_code,
            lambda: bank.call("POST", path).status_code,
            partial(runtime.sweep, tenant=desk.id),
            lambda: answered(bank.call("POST", "/api/v1/kill-switches", switch, scope="admin"), 201)["id"],
        ]
    )
    runtime.sweep(tenant=desk.id)
    was_redeemed = 200 in came[:2]
    assert set(came[:2]) <= {200, 409}
    assert bank.call("POST", path).status_code == 409, "after the switch nothing is redeemed"
    found = desk.look(asked_for(desk, asked.call))
    assert found.state in (("executing",) if was_redeemed else ("invalidated",))
    assert desk.events().count("tool_call.redeemed") == (1 if was_redeemed else 0)
    if was_redeemed:
        assert bank.call("POST", f"/api/v1/permits/{found.permit_jti}/consumption").status_code == 409
