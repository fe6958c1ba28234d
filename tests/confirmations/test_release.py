"""When a delay is over everything is looked at once more, and what was approved is taken up once."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from agentops.catalog import services as catalog
from agentops.common import clock
from agentops.common.scope import staff_scope, tenant_scope
from agentops.common.strictjson import canonical
from agentops.confirmations import services
from agentops.confirmations.models import Confirmation
from agentops.confirmations.policies.rules import RuleTerms
from agentops.confirmations.policies.standing import Constraint, Kind
from agentops.confirmations.types import Asked
from agentops.confirmations.types import Person as Who
from agentops.runtime import services as runtime
from agentops.runtime.services.finish import tenants_with_work
from tenants import services as tenants
from tests.confirmations.asked import Desk
from tests.confirmations.paying import asked_for, pay, paying
from tests.runtime.guarded import Caller, Run, answered, apply, shift
from tests.runtime.test_permits import _verified as verified
from tests.world import OPERATOR, World, new_key

DELAY = timedelta(minutes=16)


@pytest.fixture
def acme(world: World) -> Caller:
    apply(world.acme, paying())
    return Caller(world.acme)


def cooling(acme: Caller, world: World, desk: Desk) -> tuple[Run, dict[str, Any], Asked]:
    """A call of tier 4 to which Ben and Pete have agreed."""
    run = acme.run()
    call = run.refund(tainted=True)
    asked = asked_for(desk, call)
    for person in (world.ben, world.pete):
        asked = desk.approve(asked, person)
    assert asked.state == "cooling"
    return run, call, asked


def pass_time(desk: Desk, by: timedelta) -> None:
    """For the confirmation and for the family's clock."""
    desk.pass_time(by)
    for column in ("paused_at", "paused_deadline", "deadline"):
        shift(desk.organisation, "runtime_guardedrun", column, -by)
    shift(desk.organisation, "runtime_guardedrun", "lease_until", timedelta(0))


# -- the end of a delay -----------------------------------------------------------------------------------------------


def test_the_sweep_releases_what_nobody_stopped(acme: Caller, world: World, desk: Desk) -> None:
    run, call, asked = cooling(acme, world, desk)
    assert run.redeem(call["call_id"], status=409)["code"] == "confirmation_pending"
    with staff_scope():
        assert tenants_with_work(clock.now()) == []
    assert runtime.sweep(tenant=desk.id) == 0
    pass_time(desk, DELAY)
    with staff_scope():
        assert tenants_with_work(clock.now()) == [desk.id]
    assert runtime.sweep(tenant=desk.id) == 1
    assert desk.state(asked) == "approved"
    assert runtime.sweep(tenant=desk.id) == 0
    assert run.redeem(call["call_id"])["arguments"]["amount_minor"] == 4_810
    assert desk.events()[-2:] == ["approval.released", "tool_call.redeemed"]


def test_an_agent_that_comes_before_the_sweep_is_served(acme: Caller, world: World, desk: Desk) -> None:
    run, call, _ = cooling(acme, world, desk)
    pass_time(desk, DELAY)
    assert run.redeem(call["call_id"])["decision"] == "allow"
    assert desk.events()[-2:] == ["approval.released", "tool_call.redeemed"]


def _revoke_definition(acme: Caller, world: World) -> None:
    changed = paying()
    changed["tools"][2]["arguments"]["properties"]["amount_minor"]["maximum"] = 10
    apply(world.acme, changed)


def _withdraw_approval(acme: Caller, world: World) -> None:
    with tenant_scope(world.acme.id):
        catalog.withdraw_approval(
            tenant=world.acme.id, agent="refund-desk", version="1", reason="wrong", by=OPERATOR, at=clock.now()
        )


def _remove_pete(acme: Caller, world: World) -> None:
    assert world.pete.membership_id is not None
    with tenant_scope(world.acme.id):
        tenants.change_role(
            tenant=world.acme.id,
            member=world.pete.membership_id,
            role="auditor",
            by=world.ada.actor,
            at=clock.now(),
        )


@pytest.mark.parametrize("path", ["sweep", "redemption"])
@pytest.mark.parametrize(
    ("meanwhile", "reason"),
    [
        (_revoke_definition, "definition of refund is another"),
        (_withdraw_approval, "not approved any more"),
        (_remove_pete, "somebody who agreed to it may not"),
    ],
)
def test_what_has_changed_in_the_delay_lapses(
    acme: Caller, world: World, desk: Desk, meanwhile: Any, reason: str, path: str
) -> None:
    run, call, asked = cooling(acme, world, desk)
    meanwhile(acme, world)
    pass_time(desk, DELAY)
    if path == "sweep":
        assert runtime.sweep(tenant=desk.id) == 1
    told = run.redeem(call["call_id"], status=409)
    assert told["code"] == "confirmation_expired"
    with tenant_scope(desk.id):
        found = Confirmation.objects.get(id=asked.id)
    assert (found.state, reason in found.reason) == ("invalidated", True)


def test_a_kill_switch_during_cooling_ends_it(acme: Caller, world: World, desk: Desk) -> None:
    run, call, asked = cooling(acme, world, desk)
    body = {"scope": "tenant", "mode": "stop_next_step", "reason": "stop"}
    answered(acme.call("POST", "/api/v1/kill-switches", body, scope="admin"), 201)
    pass_time(desk, DELAY)
    assert runtime.sweep(tenant=desk.id) == 1
    assert desk.state(asked) == "invalidated"
    assert run.redeem(call["call_id"], status=409)["code"] == "run_finished"
    assert ("abort", "killed") in run.decisions()


def test_a_run_whose_delay_ends_after_its_own_time_lives_on(acme: Caller, world: World, desk: Desk) -> None:
    run, call, asked = cooling(acme, world, desk)
    shift(world.acme, "runtime_guardedrun", "deadline", timedelta(hours=-30))
    runtime.sweep(tenant=desk.id)
    assert desk.state(asked) == "cooling"
    desk.pass_time(DELAY)
    runtime.sweep(tenant=desk.id)
    assert run.redeem(call["call_id"])["decision"] == "allow"


# -- taking it up -----------------------------------------------------------------------------------------------------


def approved(acme: Caller, world: World, desk: Desk, **said: Any) -> tuple[Run, dict[str, Any]]:
    run = acme.run()
    call = pay(run, more={"invoice": "inv-7"}, **said)
    desk.approve(asked_for(desk, call), world.uma)
    return run, call


def redeem(run: Run, call: dict[str, Any], *, status: int = 200, **body: Any) -> dict[str, Any]:
    return run.post(f"tool-calls/{call['call_id']}/redemption", body, status=status)


def test_the_permit_names_the_resource_and_its_version(acme: Caller, world: World, desk: Desk) -> None:
    run, call = approved(acme, world, desk, resource_version="7", current={"open": "120.00"})
    claims = verified(redeem(run, call)["permit"])
    assert (claims["resource"], claims["resource_version"]) == ("inv-7", "7")
    found = desk.look(asked_for(desk, call))
    assert (found.resource, found.resource_version, found.current) == ("inv-7", "7", '{"open":"120.00"}')
    bound = json.loads(found.binding)
    assert (bound["resource"], bound["resource_version"]) == ("inv-7", "7")
    assert claims["action_digest"] == f"sha256:{found.action_digest.hex()}"
    plain = verified(acme.run().look_up(resource_version="3")["permit"])
    assert (plain["resource"], plain["resource_version"]) == ("", "3")


def test_a_resource_that_changed_after_approval_is_not_acted_on(acme: Caller, world: World, desk: Desk) -> None:
    run, call = approved(acme, world, desk, resource_version="7")
    told = redeem(run, call, resource_version="8", status=409)
    assert (told["code"], "the resource has changed" in told["detail"]) == ("confirmation_expired", True)
    assert desk.state(asked_for(desk, call)) == "invalidated"


def test_the_same_version_and_none_at_all_are_no_change(acme: Caller, world: World, desk: Desk) -> None:
    for bound, seen in (("7", "7"), ("7", ""), ("", "8")):
        run, call = approved(acme, world, desk, resource_version=bound)
        assert redeem(run, call, resource_version=seen)["decision"] == "allow"


def test_a_lost_answer_does_not_lose_the_approval(acme: Caller, world: World, desk: Desk) -> None:
    run, call = approved(acme, world, desk)
    first = redeem(run, call)
    assert redeem(run, call) == first | {"repeated": True}
    other = new_key(world.acme, "guard")
    path = f"/api/v1/guard/runs/{run.id}/tool-calls/{call['call_id']}/redemption"
    stranger = acme.client.post(path, headers={"authorization": f"Bearer {other}"})
    assert (stranger.status_code, stranger.json()["code"]) == (409, "already_redeemed")
    jti = verified(first["permit"])["jti"]
    answered(acme.call("POST", f"/api/v1/permits/{jti}/consumption"), 200)
    assert redeem(run, call, status=409)["code"] == "already_redeemed"
    assert desk.events().count("tool_call.redeemed") == 1


def test_a_permit_is_not_told_again_after_the_result_was(acme: Caller, world: World, desk: Desk) -> None:
    run, call = approved(acme, world, desk)
    jti = verified(redeem(run, call)["permit"])["jti"]
    run.result(call["call_id"])
    assert redeem(run, call, status=409)["code"] == "already_redeemed"
    path = f"/api/v1/permits/{jti}/consumption"
    assert answered(acme.call("POST", path), 409)["code"] == "call_over"
    assert world.acme.actions()[-2:] == ["tool.called", "permit.refused"]


def test_nor_does_it_live_longer_by_that(acme: Caller, world: World, desk: Desk) -> None:
    run, call = approved(acme, world, desk)
    redeem(run, call)
    shift(world.acme, "runtime_guardcall", "permit_expires_at", timedelta(seconds=-60))
    assert redeem(run, call, status=409)["code"] == "already_redeemed"
    run, call = approved(acme, world, desk)
    redeem(run, call)
    body = {"scope": "tenant", "mode": "stop_next_step", "reason": "stop"}
    answered(acme.call("POST", "/api/v1/kill-switches", body, scope="admin"), 201)
    assert redeem(run, call, status=409)["code"] == "run_finished"


def test_a_rule_that_asks_for_more_by_now_takes_the_approval_back(acme: Caller, world: World, desk: Desk) -> None:
    run, call = approved(acme, world, desk)
    with tenant_scope(desk.id):
        services.set_rule(tenant=desk.id, terms=RuleTerms(tool="pay", tier_floor=3), by=OPERATOR, at=clock.now())
    assert "takes tier 3 by now" in redeem(run, call, status=409)["detail"]


# -- what ran ---------------------------------------------------------------------------------------------------------


def digest_of(arguments: Any) -> str:
    return f"sha256:{hashlib.sha256(canonical(arguments)).hexdigest()}"


def test_other_arguments_than_the_permits_are_refused_and_told(acme: Caller, world: World, desk: Desk) -> None:
    run, call = approved(acme, world, desk)
    redeemed = redeem(run, call)
    path = f"/api/v1/permits/{verified(redeemed['permit'])['jti']}/consumption"
    wrong = answered(acme.call("POST", path, {"args_digest": digest_of({"to": "me", "amount": 9})}), 409)
    assert wrong["code"] == "arguments_changed"
    assert world.acme.actions()[-1] == "permit.refused"
    right = digest_of(redeemed["arguments"])
    answered(acme.call("POST", path, {"args_digest": right}), 200)  # the permit was not used up by that
    run.result(call["call_id"])
    with tenant_scope(desk.id):
        found = Confirmation.objects.get(state="executed")
    assert f"sha256:{bytes(found.executed_digest).hex()}" == right


def test_a_permit_of_tier_1_knows_its_arguments_too(acme: Caller) -> None:
    answer = acme.run().look_up()
    path = f"/api/v1/permits/{verified(answer['permit'])['jti']}/consumption"
    for told, status in (
        ("nonsense", 400),
        (digest_of({"order_id": "ord_2"}), 409),
        (digest_of(answer["arguments"]), 200),
    ):
        answered(acme.call("POST", path, {"args_digest": told}), status)


def test_a_result_tells_what_ran_where_no_tool_server_did(acme: Caller, world: World, desk: Desk) -> None:
    run, call = approved(acme, world, desk)
    redeem(run, call)
    other = digest_of({"to": "me", "amount": 9})
    assert run.result(call["call_id"], args_digest=other)["recorded"] is True
    with tenant_scope(desk.id):
        found = Confirmation.objects.get(state="executed")
    assert f"sha256:{bytes(found.executed_digest).hex()}" == other  # done is done: the receipt shows that it differs


def test_what_never_told_its_end_is_of_unknown_outcome_and_not_repeated(acme: Caller, world: World, desk: Desk) -> None:
    run, call = approved(acme, world, desk)
    redeem(run, call)
    desk.pass_time(timedelta(minutes=14))
    assert runtime.close_lost(tenant=desk.id) == 0
    desk.pass_time(timedelta(minutes=2))
    with staff_scope():
        assert desk.id in tenants_with_work(clock.now())
    assert runtime.close_lost(tenant=desk.id) == 1
    assert desk.state(asked_for(desk, call)) == "outcome_unknown"
    assert desk.events()[-1] == "approval.outcome_unknown"
    assert redeem(run, call, status=409)["code"] == "already_redeemed"
    assert run.result(call["call_id"])["recorded"] is True  # late, and kept with the call


# -- standing approvals -----------------------------------------------------------------------------------------------


def stand(world: World, **said: Any) -> None:
    at = clock.now()
    values: dict[str, Any] = {
        "acting_user": "u-1",
        "agent": "refund-desk",
        "tool": "pay",
        "constraints": [Constraint("/to", Kind.EQUALS, "ACME"), Constraint("/amount", Kind.AT_MOST, 200)],
        "uses_most": 2,
        "sum_most": Decimal(1_000),
        "expires_at": at + timedelta(days=7),
        **said,
    }
    with tenant_scope(world.acme.id):
        services.make_standing(
            tenant=world.acme.id,
            owner=Who(voter=f"user:{world.uma.user.pk}", label=world.uma.email, user_id=world.uma.user.pk),
            by=world.uma.actor,
            at=at,
            **values,
        )


def test_a_standing_approval_answers_at_once_and_is_written_down_like_any_other(
    acme: Caller, world: World, desk: Desk
) -> None:
    stand(world)
    run = acme.run()
    answer = pay(run)
    assert (answer["decision"], answer["arguments"]) == ("allow", {"to": "ACME", "amount": 100})
    with tenant_scope(desk.id):
        found = Confirmation.objects.get()
    claims = verified(answer["permit"])
    assert (found.state, found.standing_id is not None, found.permit_jti) == ("executing", True, claims["jti"])
    assert (claims["tier"], claims["action_digest"]) == (2, f"sha256:{bytes(found.action_digest).hex()}")
    assert desk.events() == ["approval.requested", "approval.stood", "tool_call.redeemed"]
    assert run.post(f"tool-calls/{answer['call_id']}/redemption", {}, status=409)["code"] == "already_redeemed"
    run.result(answer["call_id"])
    with tenant_scope(desk.id):
        assert Confirmation.objects.get().state == "executed"


def test_it_is_not_stretched_beyond_what_was_agreed_to(acme: Caller, world: World, desk: Desk) -> None:
    stand(world)
    assert pay(acme.run(), "ACME", 201)["decision"] == "confirm"
    assert pay(acme.run(), "ACME ", 100)["decision"] == "confirm"
    assert pay(acme.run(user="u-2"))["decision"] == "confirm"
    assert pay(acme.run(), tainted=True)["decision"] == "confirm"  # what was raised is looked at
    run = acme.run()
    assert pay(run, more={"invoice": "inv-1"})["decision"] == "confirm"  # nothing was agreed to about invoices
    assert pay(run)["decision"] == "allow"


def test_uses_run_out(acme: Caller, world: World, desk: Desk) -> None:
    stand(world)
    assert [pay(acme.run())["decision"] for _ in range(3)] == ["allow", "allow", "confirm"]


def test_a_resent_proposal_is_the_same_permit_and_one_use(acme: Caller, world: World, desk: Desk) -> None:
    stand(world)
    run = acme.run()
    assert pay(run, call_id="p") == pay(run, call_id="p")
    assert pay(acme.run())["decision"] == "allow"
