"""Kill switches: what is committed holds for the next step, and is shown with its proof."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from agentops.common import clock
from agentops.common.errors import InvalidInput
from agentops.common.scope import staff_scope
from agentops.runtime import queries, services
from agentops.runtime.errors import LiftNotAsked, SecondPersonNeeded, SwitchLifted
from agentops.runtime.models import ProductSwitch
from agentops.runtime.types import SwitchMode
from audit.types import Actor
from tests.runtime.guarded import Caller, answered, apply, manifest

SAM = Actor(type="staff", id="staff:1", label="sam@agentops.example")
KIM = Actor(type="staff", id="staff:2", label="kim@agentops.example")


def _press(caller: Caller, status: int = 201, **said: str) -> dict[str, object]:
    body = {"scope": "tenant", "mode": "stop_next_step", "reason": "it refunds everybody", **said}
    return answered(caller.call("POST", "/api/v1/kill-switches", body, scope="admin"), status)


def _lift(caller: Caller, switch: object, status: int = 200, reason: str = "mended") -> dict[str, object]:
    return answered(
        caller.call("POST", f"/api/v1/kill-switches/{switch}/lift", {"reason": reason}, scope="admin"), status
    )


def test_the_next_step_of_every_run_is_the_last(acme: Caller, globex: Caller) -> None:
    run, other = acme.run(), globex.run()
    assert run.look_up()["decision"] == "allow"
    switch = _press(acme)
    for answer in (run.model_call(), acme.start(status=403)):
        assert answer["code"] == "killed"
    assert "it refunds everybody" in run.finish()["detail"]
    assert other.look_up()["decision"] == "allow"
    shown = answered(acme.call("GET", f"/api/v1/kill-switches/{switch['id']}", scope="admin"), 200)
    assert shown["proof"] == {
        "refused_since": 2,
        "last_step_after": None,
        "permits_alive": 1,
        "runs_stopped": 1,
        "runs_in_progress": 0,
    }
    assert acme.organisation.actions()[-4:] == ["kill_switch.set", "run.ended", "model_call.decided", "run.refused"]


def test_lifting_needs_a_reason_and_ends_it_once(acme: Caller) -> None:
    switch = _press(acme)["id"]
    assert _lift(acme, switch, 400, reason=" ")["code"] == "invalid"
    assert _lift(acme, switch)["lift_reason"] == "mended"
    assert _lift(acme, switch, 409)["code"] == "already_lifted"
    assert acme.run().look_up()["decision"] == "allow"


def test_pressed_twice_it_is_one_switch(acme: Caller) -> None:
    first, again = _press(acme), _press(acme, 200, reason="me too")
    assert first["id"] == again["id"]
    assert len(answered(acme.call("GET", "/api/v1/kill-switches", scope="admin"), 200)["results"]) == 1


def test_new_runs_can_be_blocked_alone(acme: Caller) -> None:
    run = acme.run()
    _press(acme, mode="block_new")
    assert run.look_up()["decision"] == "allow"
    assert acme.start(status=403)["code"] == "killed"


def test_an_agent_and_a_user_are_stopped_alone(acme: Caller) -> None:
    apply(acme.organisation, manifest(name="greeter"))
    desk, greeter, other = acme.run(), acme.run(agent="greeter"), acme.run(user="u-2")
    child_of_desk = acme.run(agent="greeter", parent_run_id=desk.id)
    _press(acme, scope="agent", id="refund-desk")
    assert child_of_desk.look_up()["code"] == "killed"  # what the stopped agent began stops, too
    assert (desk.look_up()["code"], greeter.look_up()["decision"]) == ("killed", "allow")
    _press(acme, scope="user", id="u-1")
    assert greeter.look_up()["code"] == "killed"
    assert other.look_up()["code"] == "killed"  # it is a run of the desk


def test_a_slip_of_the_keyboard_is_no_switch(acme: Caller) -> None:
    assert _press(acme, 400, scope="agent", id="refund-dsek")["errors"] == [
        {
            "pointer": "/id",
            "code": "agent_unknown",
            "detail": "There is no agent called refund-dsek; its name is the one in its manifest.",
        }
    ]
    assert _press(acme, 400, scope="user")["code"] == "invalid"
    assert _press(acme, 400, id="x")["code"] == "invalid"
    assert _press(acme, 400, scope="product")["code"] == "invalid"
    assert _press(acme, 400, reason="")["code"] == "invalid"


def test_the_switch_of_another_organisation_does_not_exist(acme: Caller, globex: Caller) -> None:
    switch = _press(acme)["id"]
    assert _lift(globex, switch, 404)["code"] == "not_found"
    assert acme.start(status=403)["code"] == "killed"


def test_what_waits_for_people_lapses_and_an_approval_cannot_be_redeemed(acme: Caller) -> None:
    run = acme.run()
    call = run.refund()
    _press(acme)
    assert run.redeem(call["call_id"], status=409)["code"] == "run_finished"
    look = answered(acme.call("GET", f"/api/v1/confirmations/{call['confirmation']['id']}"), 200)
    assert look["state"] == "invalidated"


def test_the_product_stops_everywhere_and_goes_on_by_two_people(acme: Caller, globex: Caller) -> None:
    ours, theirs = acme.run(), globex.run()
    switch, _ = services.set_product_switch(
        mode=SwitchMode.STOP_NEXT_STEP, reason="a model went mad", by=SAM, at=clock.now()
    )
    told = [ours.look_up(), theirs.model_call()]
    assert [answer["code"] for answer in told] == ["killed", "killed"]
    assert not any("mad" in answer["detail"] for answer in told)  # why is our own business
    with staff_scope():
        assert (queries.product_proof(switch).refused, queries.product_proof(switch).last_step_at) == (2, None)
    with pytest.raises(LiftNotAsked):
        services.lift_product_switch(switch_id=switch.id, by=SAM, at=clock.now())
    with pytest.raises(InvalidInput):
        services.ask_product_lift(switch_id=switch.id, reason="", by=SAM, at=clock.now())
    services.ask_product_lift(switch_id=switch.id, reason="mended", by=SAM, at=clock.now())
    with pytest.raises(SecondPersonNeeded):
        services.lift_product_switch(switch_id=switch.id, by=SAM, at=clock.now())
    with pytest.raises(IntegrityError), transaction.atomic():  # the database holds it, too
        ProductSwitch.objects.filter(id=switch.id).update(lifted_at=clock.now(), lifted_by=SAM.label)
    assert acme.start(status=403)["code"] == "killed"
    services.lift_product_switch(switch_id=switch.id, by=KIM, at=clock.now())
    assert acme.run().look_up()["decision"] == "allow"
    with pytest.raises(SwitchLifted):
        services.lift_product_switch(switch_id=switch.id, by=KIM, at=clock.now())
