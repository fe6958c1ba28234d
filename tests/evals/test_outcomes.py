"""Outcomes by the API, and how they find their span."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agentops.common import clock
from agentops.common.ids import new_id
from agentops.common.scope import tenant_scope
from evals import services
from evals.signalling.outcomes import is_success
from evals.tasks import signals as tasks
from tests.evals.telling import Machine, outcomes
from tests.world import World

CALL = {"tool": "send_mail", "tool_call_id": "call-9", "idempotency_key": "mail-9"}


@pytest.fixture
def acme(world: World) -> Machine:
    return Machine(world.acme)


@pytest.mark.parametrize("named", [{"tool_call_id": "call-9"}, {"idempotency_key": "mail-9"}])
def test_an_outcome_finds_the_span_of_its_call_at_once(acme: Machine, named: dict[str, str]) -> None:
    run = new_id()
    acme.spans(run, {"tool": "look", "tool_call_id": "call-1"}, CALL)
    told = acme.outcome(run, "email.replied", value="2026-11-24", **named)
    assert (told["is_matched"], told["span_id"], told["success"]) == (True, "00000000000000b1", True)
    assert acme.organisation.actions()[-1] == "outcome.told"


def test_an_outcome_that_is_earlier_than_its_span_waits_for_it(world: World, acme: Machine) -> None:
    run = new_id()
    told = acme.outcome(run, "email.bounced", tool_call_id="call-9")
    assert (told["is_matched"], told["success"]) == (False, False)
    acme.spans(run)
    look(world, minutes=2)
    assert outcomes(world.acme)[0].matched_at is None, "the run has come, and its call has not"
    acme.spans(run, CALL, root=False)
    look(world, minutes=5)
    [row] = outcomes(world.acme)
    assert (row.span_id, row.matched_at is not None) == ("00000000000000b0", True)


def test_after_its_days_nobody_looks_for_the_span(world: World, acme: Machine) -> None:
    run = new_id()
    acme.outcome(run, "email.bounced", tool_call_id="call-9")
    acme.spans(run, CALL)
    look(world, days=31)
    assert outcomes(world.acme)[0].matched_at is None


def test_the_pauses_between_looks_grow_with_age_to_an_hour(world: World, acme: Machine) -> None:
    acme.outcome(new_id(), "email.bounced", tool_call_id="call-9")
    [row] = outcomes(world.acme)
    assert row.next_look_at - row.received_at == timedelta(minutes=1)
    look(world, days=2)
    [row] = outcomes(world.acme)
    assert row.next_look_at - (row.received_at + timedelta(days=2)) < timedelta(hours=1, seconds=5)


def test_an_outcome_of_the_whole_run_is_matched_once_the_run_has_come(world: World, acme: Machine) -> None:
    run = new_id()
    assert acme.outcome(run, "ticket_resolved")["is_matched"] is False
    acme.spans(run)
    assert tasks.match_outcomes() == 0, "it was looked at a moment ago"
    look(world, minutes=2)
    [row] = outcomes(world.acme)
    assert (row.matched_at is not None, row.span_id, row.is_success) == (True, "", True)


def test_anothers_span_under_the_same_ids_is_not_found(world: World, acme: Machine) -> None:
    run = new_id()
    Machine(world.globex).spans(run, CALL)
    assert acme.outcome(run, "email.replied", tool_call_id="call-9")["is_matched"] is False


def test_told_again_it_is_the_same_and_with_another_value_a_conflict(acme: Machine) -> None:
    run, at = new_id(), clock.now()
    first = acme.outcome(run, "refund.settled", at=at, value="48.10")
    assert acme.outcome(run, "refund.settled", at=at, value="48.10", status=200) == first
    problem = acme.outcome(run, "refund.settled", at=at, value="0.00", status=409)
    assert problem["code"] == "conflict" and "its own 'at'" in problem["detail"]
    acme.outcome(run, "refund.settled", at=at + timedelta(seconds=1), value="0.00")
    assert acme.organisation.actions() == ["outcome.told"] * 2


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"run_id": "x"}, "/run_id"),
        ({"kind": ""}, "/kind"),
        ({"kind": "k" * 61}, "/kind"),
        ({"at": "yesterday"}, "/at"),
        ({"at": "24h"}, "/at"),
        ({"at": None}, "/at"),
        ({"at": 17}, "/at"),
        ({"at": "2999-01-01T00:00:00Z"}, "/at"),
        ({"value": ["a"]}, "/value"),
        ({"value": "x" * 1001}, "/value"),
        ({"success": "yes"}, "/success"),
        ({"tool_call_id": "a", "idempotency_key": "b"}, "/idempotency_key"),
        ({"tool_call_id": "a\0"}, "/tool_call_id"),
        ({"more": 1}, "/more"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(acme: Machine, changed: dict[str, Any], pointer: str) -> None:
    body = {"run_id": new_id().hex, "kind": "email.opened", "at": clock.rfc3339(clock.now()), **changed}
    answer = acme.post("/api/v1/outcomes", body, key="ingest")
    assert answer.status_code == 400, answer.content
    assert pointer in {error["pointer"] for error in answer.json()["errors"]}
    assert outcomes(acme.organisation) == []


@pytest.mark.parametrize(
    ("kind", "value", "said", "expected"),
    [
        ("email.replied", "", None, True),
        ("email.replied", "false", None, False),
        ("email.opened", "2026-11-24", None, True),
        ("email.bounced", "", None, False),
        ("email.bounced", "no", None, True),
        ("record_edited", "", None, False),
        ("Refund Reversed", "", None, False),
        ("weather", "sunny", None, None),
        ("weather", "sunny", True, True),
        ("email.replied", "", False, False),
    ],
)
def test_the_last_word_of_a_kind_says_whether_it_is_a_success(
    kind: str, value: str, said: bool | None, expected: bool | None
) -> None:
    assert is_success(kind=kind, value=value, said=said) is expected


def test_values_of_any_plain_type_are_kept_as_text(acme: Machine) -> None:
    values = ["x", 7, 1.5, True, None]
    for value in values:
        acme.outcome(new_id(), "measured", value=value)
    assert sorted(row.value for row in outcomes(acme.organisation)) == ["", "1.5", "7", "true", "x"]


def look(world: World, **later: float) -> None:
    with tenant_scope(world.acme.id):
        services.match_outcomes(tenant=world.acme.id, at=clock.now() + timedelta(**later))
