"""The gate before versions, as the catalog holds it: no version of a gated agent is approved before it passed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from agentops.catalog import queries, services
from agentops.catalog.errors import AgentUnknown, ContentChanged, GateNotPassed
from agentops.catalog.models import AgentVersion
from agentops.catalog.types import Applied, Gate, VersionDetail
from agentops.common.errors import InvalidInput
from agentops.common.scope import tenant_scope
from tests.catalog.conftest import AT
from tests.world import OPERATOR, Organisation, World

Apply = Callable[..., Applied]
Value = dict[str, Any]


def do(organisation: Organisation, service: Callable[..., Any], **said: Any) -> Any:
    asked: Any = {"agent": "support-bot", "by": OPERATOR, "at": AT, **said}
    with tenant_scope(organisation.id):
        return service(tenant=organisation.id, **asked)


def record(organisation: Organisation, verdict: Gate, **said: Any) -> Any:
    return do(organisation, services.record_gate, version="2026-11-20", verdict=verdict, **{"detail": "", **said})


def approve(organisation: Organisation, version: str = "2026-11-20") -> Any:
    return do(organisation, services.approve_agent_version, version=version)


def standing(organisation: Organisation, version: str = "2026-11-20") -> VersionDetail:
    with tenant_scope(organisation.id):
        found = queries.agent(tenant=organisation.id, name="support-bot").versions
    return next(each for each in found if each.version == version)


def test_a_version_of_a_gated_agent_is_born_behind_the_gate(world: World, apply: Apply, example: Value) -> None:
    apply(world.acme, example, approve_tools=True)
    do(world.acme, services.require_gate)
    before = len(world.acme.entries())
    example["agent"]["version"] = "next"
    applied = apply(world.acme, example, approve_tools=True)
    assert not applied.is_approved
    assert standing(world.acme, "next").gate == Gate.REQUIRED
    assert [entry.action for entry in world.acme.entries()[before:]] == [
        "agent_version.created",
        "agent_version.gated",
    ]
    with pytest.raises(GateNotPassed):
        approve(world.acme, "next")


def test_what_waits_goes_behind_the_gate_at_once_and_what_is_approved_stays(
    world: World, apply: Apply, example: Value
) -> None:
    apply(world.acme, example, approve_tools=True)
    example["agent"]["version"] = "waiting"
    apply(world.acme, example)
    do(world.acme, services.require_gate)
    assert (standing(world.acme).is_approved, standing(world.acme).gate) == (True, Gate.NONE)
    assert standing(world.acme, "waiting").gate == Gate.REQUIRED
    assert world.acme.entries()[-1].action == "agent.gate_changed"
    with pytest.raises(GateNotPassed):
        approve(world.acme, "waiting")


def test_an_approval_from_before_the_gate_that_is_withdrawn_does_not_come_back_without_it(
    world: World, apply: Apply, example: Value
) -> None:
    apply(world.acme, example, approve_tools=True)
    do(world.acme, services.require_gate)
    do(world.acme, services.withdraw_approval, version="2026-11-20", reason="it pays twice")
    assert standing(world.acme).gate == Gate.REQUIRED
    with pytest.raises(GateNotPassed):
        approve(world.acme)
    record(world.acme, Gate.PASSED)
    assert approve(world.acme).approved_at


@pytest.mark.parametrize("said", [Gate.NONE, Gate.PASSED, Gate.FAILED, Gate.OVERRIDDEN])
def test_another_content_of_the_same_label_stands_behind_the_gate_again(
    world: World, apply: Apply, example: Value, said: Gate
) -> None:
    apply(world.acme, example, approve_tools=True)
    do(world.acme, services.require_gate)
    if said == Gate.OVERRIDDEN:
        record(world.acme, Gate.FAILED)
    if said != Gate.NONE:
        record(world.acme, said)
    example["agent"]["prompt_hash"] = "sha256:other"
    assert not apply(world.acme, example, approve_tools=True).is_approved
    assert (standing(world.acme).gate, standing(world.acme).is_approved) == (Gate.REQUIRED, False)


def test_a_verdict_is_of_the_content_that_was_tried(world: World, apply: Apply, example: Value) -> None:
    apply(world.acme, example)
    do(world.acme, services.require_gate)
    tried = standing(world.acme).content_digest
    example["agent"]["prompt_hash"] = "sha256:other"
    apply(world.acme, example)
    with pytest.raises(ContentChanged):
        record(world.acme, Gate.PASSED, content_digest=tried)
    assert standing(world.acme).gate == Gate.REQUIRED
    record(world.acme, Gate.PASSED, content_digest=standing(world.acme).content_digest)
    assert standing(world.acme).gate == Gate.PASSED


def test_only_what_failed_is_let_through_in_spite_of_it(world: World, apply: Apply, example: Value) -> None:
    apply(world.acme, example)
    do(world.acme, services.require_gate)
    for early in (Gate.OVERRIDDEN, Gate.NONE):
        with pytest.raises(InvalidInput):
            record(world.acme, early)
    record(world.acme, Gate.FAILED, detail="2 of 60 worse")
    record(world.acme, Gate.OVERRIDDEN, detail="the two are obsolete")
    assert approve(world.acme).approved_at
    assert world.acme.entries()[-2].reason == "the two are obsolete"


def test_a_gate_taken_away_lets_go_of_what_nobody_tried_and_of_no_failure(
    world: World, apply: Apply, example: Value
) -> None:
    apply(world.acme, example)
    example["agent"]["version"] = "untried"
    apply(world.acme, example)
    do(world.acme, services.require_gate)
    record(world.acme, Gate.FAILED, detail="worse")
    do(world.acme, services.require_gate, is_required=False)
    assert standing(world.acme, "untried").gate == Gate.NONE
    assert approve(world.acme, "untried").approved_at
    with pytest.raises(GateNotPassed):
        approve(world.acme)


def test_the_same_again_changes_nothing_and_an_unknown_agent_has_no_gate(
    world: World, apply: Apply, example: Value
) -> None:
    apply(world.acme, example)
    do(world.acme, services.require_gate)
    before = world.acme.actions()
    assert do(world.acme, services.require_gate).is_gated
    assert world.acme.actions() == before
    apply(world.globex, example)
    assert standing(world.globex).gate == Gate.NONE
    with pytest.raises(AgentUnknown):
        do(world.acme, services.require_gate, agent="nobody")


@pytest.mark.parametrize("gate", ["required", "failed"])
def test_the_database_itself_holds_no_approval_before_the_gate(
    world: World, apply: Apply, example: Value, gate: str
) -> None:
    apply(world.acme, example, approve_tools=True)
    with tenant_scope(world.acme.id), pytest.raises(IntegrityError), transaction.atomic():
        AgentVersion.objects.filter(tenant_id=world.acme.id).update(gate=gate, gate_at=AT, gate_by="somebody")
    with tenant_scope(world.acme.id), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM catalog_agentversion WHERE approved_at IS NOT NULL")
        assert cursor.fetchone() == (1,)
