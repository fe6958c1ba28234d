"""Suites at an agent's address: what a gate lacks, and each day anew; and what a trend tells of what changed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agentops.common.errors import Conflict
from agentops.common.scope import tenant_scope
from evals import services
from evals.errors import Undecided
from evals.models import AgentEndpoint, SuiteRun
from evals.queries import gates as queries
from evals.tasks.gates import plan_reruns
from evals.types import SuiteState
from tests.evals.gates.acting import do, require
from tests.evals.gates.making import AGENT, AT, Desk, F, all_pass, keys


@pytest.fixture
def addressed(desk: Desk) -> Desk:
    """Version 1 is approved, version 2 waits; the starter pack must pass, and the agent has an address."""
    desk.version("1", approve=True)
    desk.version("2")
    do(desk, services.add_starter_pack)
    require(desk, "starter", repeats=2)
    with tenant_scope(desk.id):
        AgentEndpoint.objects.create(
            tenant_id=desk.id,
            agent=AGENT,
            url="https://desk.example/run",
            secret_cipher=b"x",
            set_at=AT,
            set_by="tests",
        )
    return desk


def begun(desk: Desk) -> list[tuple[str, str, int]]:
    with tenant_scope(desk.id):
        found = SuiteRun.objects.filter(tenant_id=desk.id).order_by("agent_version", "begun_at")
        return list(found.values_list("agent_version", "trigger", "repeats"))


def test_what_the_gate_lacks_is_run_on_both_versions_and_not_twice(addressed: Desk) -> None:
    assert len(do(addressed, services.run_gate_suites, agent=AGENT, version="2")) == 2
    assert begun(addressed) == [("1", "gate", 2), ("2", "gate", 2)]
    assert do(addressed, services.run_gate_suites, agent=AGENT, version="2") == []
    with tenant_scope(addressed.id):
        assert queries.still_running(tenant=addressed.id, agent=AGENT, version="2") == 2
        SuiteRun.objects.filter(tenant_id=addressed.id).update(state=SuiteState.CANCELLED)
    assert len(do(addressed, services.run_gate_suites, agent=AGENT, version="2")) == 2


def test_nothing_is_run_without_a_gate_or_an_address(desk: Desk) -> None:
    desk.version("1")
    with pytest.raises(Undecided):
        do(desk, services.run_gate_suites, agent=AGENT, version="1")
    do(desk, services.add_starter_pack)
    require(desk, "starter")
    with pytest.raises(Conflict):
        do(desk, services.run_gate_suites, agent=AGENT, version="1")


def test_once_a_day_the_approved_version_is_run_again(addressed: Desk) -> None:
    def plan(at: object) -> int:
        with tenant_scope(addressed.id):
            return services.plan_reruns(tenant=addressed.id, at=at)  # type: ignore[arg-type]

    assert [plan(AT), plan(AT + timedelta(hours=3)), plan(AT + timedelta(days=1))] == [1, 0, 1]
    assert begun(addressed) == [("1", "schedule", 2)] * 2


def test_the_beat_plans_for_every_organisation(addressed: Desk) -> None:
    assert plan_reruns() == 1
    assert plan_reruns() == 0


def test_a_change_of_the_model_is_told_from_one_of_the_prompt(desk: Desk) -> None:
    for label in ("1", "2", "3"):
        desk.version(label)
    revision = desk.eval_set("starter", keys(10))
    model_a, model_b = {"model": "m-a", "prompt_hash": "p1"}, {"model": "m-b", "prompt_hash": "p1"}
    desk.suite("1", revision, all_pass(10), **model_a)
    desk.suite("1", revision, all_pass(10, but={"case-01": [F]}), **model_b)
    desk.suite("2", revision, all_pass(10), model="m-b", prompt_hash="p2")
    desk.suite("2", revision, all_pass(10), model="m-b", prompt_hash="p2")
    desk.suite("3", revision, all_pass(10), model="m-c", prompt_hash="p3")
    desk.suite("3", desk.eval_set("starter", keys(9)), all_pass(9), model="m-c", prompt_hash="p4")
    with tenant_scope(desk.id):
        (line,) = queries.trend(tenant=desk.id, agent=AGENT, since=AT - timedelta(days=1))
    assert [point.because for point in line.points] == [
        "",
        "the model changed",
        "the prompt changed",
        "",
        "the prompt and the model changed at once, and cannot be told apart",
        "the prompt and the cases changed: the rates are not of the same cases",
    ]
    assert [round(point.rate.mean, 2) for point in line.points][:2] == [1.0, 0.9]
