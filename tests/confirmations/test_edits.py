"""A person changes what waits: another action, checked like any other, and agreed to by nobody yet."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from agentops.catalog import services as catalog
from agentops.common import clock
from agentops.common.errors import InvalidInput
from agentops.common.scope import tenant_scope
from agentops.confirmations import services
from agentops.confirmations.errors import AlreadyVoted, Decided, EditNeedsAccount, NotEligible
from agentops.confirmations.models import Confirmation, Payment
from agentops.confirmations.policies.rules import RuleTerms
from agentops.confirmations.types import Asked
from agentops.confirmations.types import Person as Who
from agentops.runtime import services as runtime
from agentops.runtime.errors import EditNotPossible
from agentops.runtime.models import GuardCall, GuardedRun
from tests.confirmations.asked import Desk
from tests.confirmations.paying import asked_for, because, pay, paying
from tests.runtime.guarded import Caller, answered, apply, shift
from tests.world import OPERATOR, Person, World


@pytest.fixture
def acme(world: World) -> Caller:
    apply(world.acme, paying())
    return Caller(world.acme)


def edit(desk: Desk, call: dict[str, Any], by: Person, **arguments: Any) -> Asked:
    person = desk.person(by)
    with tenant_scope(desk.id):
        return runtime.edit(
            tenant=desk.id,
            confirmation=uuid.UUID(call["confirmation"]["id"]),
            arguments=arguments,
            by=person,
            at=clock.now(),
        )


def test_an_edit_is_a_new_confirmation_that_runs_in_place_of_the_old_one(
    acme: Caller, world: World, desk: Desk
) -> None:
    run = acme.run()
    call = pay(run, "ACME", 100, more={"note": "lunch"})
    new = edit(desk, call, world.uma, to="ACME", amount=80)
    assert (new.state, new.tier, new.call_id) == ("pending", 2, call["call_id"])
    assert run.redeem(call["call_id"], status=409)["code"] == "confirmation_pending"  # an edit is no agreement
    desk.approve(new, world.uma)
    assert run.redeem(call["call_id"])["arguments"] == {"to": "ACME", "amount": 80}
    run.result(call["call_id"])
    assert [desk.state(each) for each in (asked_for(desk, call), new)] == ["edited", "executed"]
    assert desk.events() == [
        "approval.requested",
        "approval.edited",
        "approval.requested",
        "approval.confirmed",
        "tool_call.redeemed",
        "approval.executed",
    ]
    [edited] = [entry for entry in world.acme.entries() if entry.action == "approval.edited"]
    told = edited.told()
    assert (told["changed"], told["new"]) == (["/amount", "/note"], str(new.id))


def test_the_agent_is_led_from_the_old_one_to_the_new(acme: Caller, world: World, desk: Desk) -> None:
    call = pay(acme.run())
    new = edit(desk, call, world.uma, to="ACME", amount=80)
    look = answered(acme.call("GET", f"/api/v1/confirmations/{call['confirmation']['id']}?wait=5"), 200)
    assert look["state"] == "edited"
    assert look["superseded_by"] == {
        "id": str(new.id),
        "state": "pending",
        "tier": 2,
        "url": f"http://testserver/t/acme/confirmations/{new.id}/",
        "expires_at": clock.rfc3339(new.expires_at),
    }
    newer = answered(acme.call("GET", f"/api/v1/confirmations/{new.id}"), 200)
    assert "superseded_by" not in newer


def test_who_asks_again_for_the_same_meets_the_edited_one(acme: Caller, world: World, desk: Desk) -> None:
    run = acme.run()
    first, again = pay(run), pay(run)
    assert first["confirmation"]["id"] == again["confirmation"]["id"]
    new = edit(desk, first, world.uma, to="ACME", amount=80)
    with tenant_scope(desk.id):
        waiting = set(GuardCall.objects.filter(run_id=run.uuid).values_list("confirmation_id", flat=True))
    assert waiting == {new.id}
    desk.approve(new, world.uma)
    assert run.redeem(again["call_id"])["arguments"]["amount"] == 80
    assert run.redeem(first["call_id"], status=409)["code"] == "already_redeemed"


@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [
        ({"to": "ACME"}, "/amount"),
        ({"to": "ACME", "amount": 1, "more": 1}, "/more"),
        ({"to": "nobody", "amount": 1}, "/to"),
        ({"to": "ACME", "amount": 100}, ""),  # nothing was changed
    ],
)
def test_what_the_agent_could_not_ask_for_a_person_cannot_either(
    acme: Caller, world: World, desk: Desk, arguments: dict[str, Any], pointer: str
) -> None:
    call = pay(acme.run())
    with pytest.raises(InvalidInput) as refused:
        edit(desk, call, world.uma, **arguments)
    assert [problem.pointer for problem in refused.value.problems] == [pointer]
    assert desk.state(asked_for(desk, call)) == "pending"


def test_a_tier_only_rises_by_an_edit_and_keeps_its_reasons(acme: Caller, world: World, desk: Desk) -> None:
    call = pay(acme.run(), "pаypal", 100)
    assert call["confirmation"]["tier"] == 3
    plain = edit(desk, call, world.uma, to="paypal", amount=100)
    assert plain.tier == 3
    assert desk.look(plain).raised_because == because(desk, call)
    other = pay(acme.run())
    raised = edit(desk, other, world.uma, to="\u200bACME", amount=100)
    assert raised.tier == 3
    assert "cannot be seen" in desk.look(raised).raised_because[0]


def test_an_edited_payment_is_weighed_anew_and_counts_once(acme: Caller, world: World, desk: Desk) -> None:
    call = pay(acme.run(), "shop", 100)
    new = edit(desk, call, world.uma, to="shop", amount=60_000)
    assert new.tier == 3
    with tenant_scope(desk.id):
        assert [payment.amount for payment in Payment.objects.all()] == [60_000]


def test_strangers_and_those_who_may_not_decide_change_nothing(acme: Caller, world: World, desk: Desk) -> None:
    call = pay(acme.run())
    for person in (world.audrey, world.stella, world.cleo):
        with pytest.raises(NotEligible):
            edit(desk, call, person, to="ACME", amount=1)
    assert desk.state(asked_for(desk, call)) == "pending"


def test_what_is_over_is_not_changed_any_more(acme: Caller, world: World, desk: Desk) -> None:
    run = acme.run()
    call = pay(run)
    desk.approve(asked_for(desk, call), world.uma)
    with pytest.raises(Decided):
        edit(desk, call, world.uma, to="ACME", amount=1)
    other = pay(run, "other")
    run.finish()
    with pytest.raises((EditNotPossible, Decided)):
        edit(desk, other, world.uma, to="ACME", amount=1)


def test_a_stopped_run_and_another_definition_are_not_edited_into_life(acme: Caller, world: World, desk: Desk) -> None:
    call = pay(acme.run())
    changed = paying()
    changed["tools"][3]["arguments"]["properties"]["amount"] = {"type": "integer", "maximum": 50}
    apply(world.acme, changed)
    with pytest.raises(EditNotPossible, match="another by now"):
        edit(desk, call, world.uma, to="ACME", amount=10)
    other = pay(acme.run(), "other", 10)
    with tenant_scope(desk.id):
        catalog.withdraw_approval(
            tenant=desk.id, agent="refund-desk", version="1", reason="it went wrong", by=OPERATOR, at=clock.now()
        )
    with pytest.raises(EditNotPossible, match="may not be called"):
        edit(desk, other, world.uma, to="ACME", amount=10)


def test_a_kill_switch_stops_edits_too(acme: Caller, world: World, desk: Desk) -> None:
    call = pay(acme.run())
    body = {"scope": "tenant", "mode": "stop_next_step", "reason": "stop"}
    answered(acme.call("POST", "/api/v1/kill-switches", body, scope="admin"), 201)
    with pytest.raises(EditNotPossible, match="stopped"):
        edit(desk, call, world.uma, to="ACME", amount=10)


def test_who_edits_an_action_of_two_people_is_none_of_them(acme: Caller, world: World, desk: Desk) -> None:
    call = acme.run().refund(tainted=True)
    asked = asked_for(desk, call)
    assert asked.tier == 4
    desk.approve(asked, world.pete)
    with pytest.raises(AlreadyVoted):
        edit(desk, call, world.pete, order_id="ord_1", amount_minor=10, currency="EUR")
    new = edit(desk, call, world.ben, order_id="ord_1", amount_minor=10, currency="EUR")
    assert (new.tier, new.state) == (4, "pending")  # whoever agreed before has agreed to something else
    with pytest.raises(NotEligible):
        desk.approve(new, world.ben, code="00000000")
    with pytest.raises(EditNotPossible, match="not two others"):
        edit(desk, {"confirmation": {"id": str(new.id)}}, world.ada, order_id="ord_1", amount_minor=9, currency="EUR")
    assert desk.state(new) == "pending"


def test_an_edit_gives_people_their_time_anew_and_the_run_with_them(acme: Caller, world: World, desk: Desk) -> None:
    run = acme.run()
    call = pay(run)
    for table, column in (("runtime_guardedrun", "deadline"), ("confirmations_confirmation", "expires_at")):
        shift(world.acme, table, column, timedelta(minutes=-9))
    new = edit(desk, call, world.uma, to="ACME", amount=80)
    assert new.expires_at > clock.now() + timedelta(minutes=9)
    with tenant_scope(desk.id):
        assert GuardedRun.objects.get(run_id=run.uuid).deadline > new.expires_at


def test_a_floor_that_came_meanwhile_holds_for_the_edited_one(acme: Caller, world: World, desk: Desk) -> None:
    call = pay(acme.run())
    with tenant_scope(desk.id):
        services.set_rule(tenant=desk.id, terms=RuleTerms(tool="pay", tier_floor=3), by=OPERATOR, at=clock.now())
    assert edit(desk, call, world.uma, to="ACME", amount=80).tier == 3
    with tenant_scope(desk.id):
        assert Confirmation.objects.filter(state="edited").count() == 1


def test_what_a_link_opens_is_refused_or_agreed_to_but_not_edited(acme: Caller, world: World, desk: Desk) -> None:
    """People without an account here have no name under which an edit could stand."""
    call = pay(acme.run(user="u-7"))
    guest = Who(voter="end_user:u-7", label="u-7", end_users=("u-7",))
    with tenant_scope(desk.id), pytest.raises(EditNeedsAccount):
        runtime.edit(
            tenant=desk.id,
            confirmation=uuid.UUID(call["confirmation"]["id"]),
            arguments={"to": "ACME", "amount": 1},
            by=guest,
            at=clock.now(),
        )
    assert desk.state(asked_for(desk, call)) == "pending"
