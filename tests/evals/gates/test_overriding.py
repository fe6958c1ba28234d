"""Past a gate that failed: two people, a reason, and it stands there for ever."""

from __future__ import annotations

import uuid

import pytest
from django.db import IntegrityError, transaction

from agentops.catalog.errors import GateNotPassed
from agentops.catalog.types import Gate
from agentops.common.errors import InvalidInput
from agentops.common.scope import tenant_scope
from evals import services
from evals.errors import AlreadyDone, SecondPersonMissing, Unknown
from evals.models import GateOverride, GateVerdict
from evals.types import OverrideState
from tests.evals.gates.acting import answer, approve, ask, decide, do, require
from tests.evals.gates.making import Desk, F, all_pass, keys
from tests.world import World


@pytest.fixture
def failed(desk: Desk) -> GateVerdict:
    """Version 1 of desk has failed its gate by one case of ten."""
    desk.version("1")
    revision = desk.eval_set("starter", keys(10))
    require(desk, "starter")
    desk.suite("1", revision, all_pass(10, but={"case-04": [F]}))
    return decide(desk, "1")


def standing(desk: Desk) -> tuple[Gate, str]:
    with tenant_scope(desk.id):
        found = desk.standing("1")
    return found.gate, found.gate_detail


def test_one_asks_another_agrees_and_then_it_can_be_approved(desk: Desk, failed: GateVerdict, world: World) -> None:
    before = len(world.acme.entries())
    asked = ask(desk, failed, world.ada, "case-04 expects the old price list")
    with pytest.raises(GateNotPassed):
        approve(desk, "1")
    agreed = answer(desk, services.agree_override, asked, world.ben)
    assert (agreed.state, agreed.decided_by) == (OverrideState.AGREED, world.ben.email)
    assert standing(desk) == (
        Gate.OVERRIDDEN,
        f"{world.ada.email} and {world.ben.email}: case-04 expects the old price list",
    )
    assert approve(desk, "1").approved_at
    entries = world.acme.entries()[before:]
    assert [(entry.action, entry.actor_label) for entry in entries][:3] == [
        ("gate.override_asked", world.ada.email),
        ("gate.override_agreed", world.ben.email),
        ("agent_version.gated", world.ben.email),
    ]
    assert all(entry.reason.endswith("case-04 expects the old price list") for entry in entries[:3])


def test_nobody_agrees_with_themselves(desk: Desk, failed: GateVerdict, world: World) -> None:
    asked = ask(desk, failed, world.ada)
    with pytest.raises(SecondPersonMissing):
        answer(desk, services.agree_override, asked, world.ada)
    assert standing(desk)[0] == Gate.FAILED
    with tenant_scope(desk.id), pytest.raises(IntegrityError), transaction.atomic():
        GateOverride.objects.filter(tenant_id=desk.id).update(
            state=OverrideState.AGREED, decided_user=world.ada.user.pk
        )


def test_a_refusal_ends_it_and_it_can_be_asked_anew(desk: Desk, failed: GateVerdict, world: World) -> None:
    asked = ask(desk, failed, world.ada)
    answer(desk, services.refuse_override, asked, world.ben)
    with pytest.raises(AlreadyDone):
        answer(desk, services.agree_override, asked, world.ben)
    assert standing(desk)[0] == Gate.FAILED
    again = ask(desk, failed, world.ben, "I have looked at it again")
    answer(desk, services.refuse_override, again, world.ben)  # taken back by who asked
    assert world.acme.actions()[-1] == "gate.override_refused"


def test_it_is_asked_once_at_a_time(desk: Desk, failed: GateVerdict, world: World) -> None:
    ask(desk, failed, world.ada)
    with pytest.raises(AlreadyDone):
        ask(desk, failed, world.ben)


@pytest.mark.parametrize("reason", ["", "         x", "too short", "x" * 501, "a reason with \0 in it"])
def test_it_takes_a_reason(desk: Desk, failed: GateVerdict, world: World, reason: str) -> None:
    with pytest.raises(InvalidInput):
        ask(desk, failed, world.ada, reason)


def test_a_newer_verdict_overtakes_what_was_asked(desk: Desk, failed: GateVerdict, world: World) -> None:
    asked = ask(desk, failed, world.ada)
    newer = decide(desk, "1")
    with pytest.raises(AlreadyDone):
        answer(desk, services.agree_override, asked, world.ben)
    with pytest.raises(AlreadyDone):
        ask(desk, failed, world.ada)
    assert ask(desk, newer, world.ada).state == OverrideState.ASKED


def test_another_content_is_not_let_through_by_what_was_agreed_before(
    desk: Desk, failed: GateVerdict, world: World
) -> None:
    asked = ask(desk, failed, world.ada)
    desk.version("1", prompt="another")
    with pytest.raises(AlreadyDone):
        answer(desk, services.agree_override, asked, world.ben)
    assert standing(desk)[0] == Gate.REQUIRED
    with pytest.raises(AlreadyDone):
        ask(desk, failed, world.ben)


def test_an_agreed_override_ends_with_the_content_it_was_of(desk: Desk, failed: GateVerdict, world: World) -> None:
    answer(desk, services.agree_override, ask(desk, failed, world.ada), world.ben)
    desk.version("1", prompt="another")
    assert standing(desk)[0] == Gate.REQUIRED
    with pytest.raises(GateNotPassed):
        approve(desk, "1")


def test_what_passed_is_not_overridden(desk: Desk, failed: GateVerdict, world: World) -> None:
    revision = desk.eval_set("starter", keys(10))
    desk.suite("1", revision, all_pass(10))
    with pytest.raises(AlreadyDone):
        ask(desk, decide(desk, "1"), world.ada)


def test_another_organisations_verdict_is_not_there(desk: Desk, failed: GateVerdict, world: World) -> None:
    asked = ask(desk, failed, world.ada)
    other = Desk(world.globex)
    with pytest.raises(Unknown):
        ask(other, failed, world.cleo)
    with pytest.raises(Unknown):
        answer(other, services.agree_override, asked, world.cleo)
    with pytest.raises(Unknown):
        do(desk, services.refuse_override, override=uuid.uuid4(), user=world.ben.user.pk)
