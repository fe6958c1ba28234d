"""The gate over rows: which suites count for a version, what is written down, and what the catalog does of it."""

from __future__ import annotations

import pytest

from agentops.catalog.errors import AgentUnknown, GateNotPassed
from agentops.catalog.types import Gate
from agentops.common.errors import InvalidInput
from agentops.common.scope import tenant_scope
from evals import services
from evals.errors import Undecided, Unknown
from evals.models import GateVerdict
from evals.services.gates import Requirement
from evals.types import GateVerdictKind, SuiteMode, SuiteState
from tests.evals.gates.acting import approve, decide, do, require
from tests.evals.gates.making import AGENT, Desk, F, P, all_pass, keys

PASSED, FAILED = GateVerdictKind.PASSED, GateVerdictKind.FAILED


def gate(desk: Desk, version: str) -> tuple[Gate, bool]:
    with tenant_scope(desk.id):
        found = desk.standing(version)
    return found.gate, found.is_approved


def test_a_version_is_approved_after_its_suite_passed_and_not_before(desk: Desk) -> None:
    desk.version("1")
    revision = desk.eval_set("starter", keys(10))
    require(desk, "starter")
    with pytest.raises(GateNotPassed):
        approve(desk, "1")
    said = decide(desk, "1")
    assert (said.verdict, gate(desk, "1")) == (FAILED, (Gate.FAILED, False))
    assert said.sentence == "starter: revision 1 was not run on this content."
    assert said.detail["requirements"][0]["command"].endswith("--version 1 --set starter --call MODULE:NAME")
    desk.suite("1", revision, all_pass(10))
    before = len(desk.organisation.entries())
    assert decide(desk, "1").verdict == PASSED
    assert approve(desk, "1").approved_at
    assert gate(desk, "1") == (Gate.PASSED, True)
    assert [entry.action for entry in desk.organisation.entries()[before:]] == [
        "gate.decided",
        "agent_version.gated",
        "agent_version.approved",
    ]


def test_another_content_of_the_same_label_must_be_run_anew(desk: Desk) -> None:
    desk.version("1")
    revision = desk.eval_set("starter", keys(10))
    require(desk, "starter")
    desk.suite("1", revision, all_pass(10))
    desk.version("1", prompt="another")
    assert decide(desk, "1").detail["requirements"][0]["code"] == "missing"
    desk.suite("1", revision, all_pass(10))
    assert decide(desk, "1").verdict == PASSED


def test_the_newest_revision_counts(desk: Desk) -> None:
    desk.version("1")
    revision = desk.eval_set("starter", keys(10))
    require(desk, "starter")
    desk.suite("1", revision, all_pass(10))
    desk.eval_set("starter", keys(11))
    said = decide(desk, "1")
    assert (said.verdict, said.detail["requirements"][0]["revision"]) == (FAILED, 2)


def test_the_newest_suite_counts_and_it_says_how_often_it_was_tried(desk: Desk) -> None:
    desk.version("1")
    revision = desk.eval_set("starter", keys(3))
    require(desk, "starter")
    desk.suite("1", revision, all_pass(3))
    newest = desk.suite("1", revision, all_pass(3, but={"case-02": [F]}))
    said = decide(desk, "1").detail["requirements"][0]
    assert (said["code"], said["attempts"], said["suite_run"]) == ("below_rate", 2, str(newest.id))


@pytest.mark.parametrize(
    "said",
    [
        {"tags": ["money"]},
        {"mode": SuiteMode.CHAOS},
        {"state": SuiteState.CANCELLED},
        {"state": SuiteState.ABANDONED},
        {"content_digest": ""},
        {"content_digest": "sha256:another"},
    ],
)
def test_part_of_a_suite_or_one_of_something_else_does_not_count(desk: Desk, said: dict[str, object]) -> None:
    desk.version("1")
    revision = desk.eval_set("starter", keys(3))
    require(desk, "starter")
    desk.suite("1", revision, all_pass(3), **said)
    assert decide(desk, "1").detail["requirements"][0]["code"] == "missing"


def test_fewer_repeats_than_asked_for_do_not_count(desk: Desk) -> None:
    desk.version("1")
    revision = desk.eval_set("starter", keys(3))
    require(desk, "starter", repeats=3)
    desk.suite("1", revision, all_pass(3, repeats=2))
    assert decide(desk, "1").detail["requirements"][0]["code"] == "missing"
    desk.suite("1", revision, all_pass(3, repeats=3, but={"case-01": [P, P, F]}))
    said = decide(desk, "1").detail["requirements"][0]
    assert (said["code"], said["flaky"]) == ("below_rate", ["case-01"])


def test_while_a_suite_is_running_nothing_is_decided(desk: Desk) -> None:
    desk.version("1")
    revision = desk.eval_set("starter", keys(3))
    require(desk, "starter")
    desk.suite("1", revision, {}, state=SuiteState.RUNNING)
    with pytest.raises(Undecided, match="still running"):
        decide(desk, "1")
    with tenant_scope(desk.id):
        assert not GateVerdict.objects.filter(tenant_id=desk.id).exists()
    assert gate(desk, "1") == (Gate.REQUIRED, False)


def test_a_candidate_is_compared_with_the_version_that_was_approved_last(desk: Desk) -> None:
    for label in ("0", "1"):
        desk.version(label, approve=True)
    desk.version("2")
    revision = desk.eval_set("starter", keys(100))
    require(desk, "starter", least_rate=0.5)
    desk.suite("2", revision, all_pass(100, but={key: [F] for key in keys(8)}))
    assert decide(desk, "2").detail["requirements"][0]["code"] == "current_missing"
    desk.suite("0", revision, all_pass(100))
    assert decide(desk, "2").detail["requirements"][0]["code"] == "current_missing"
    desk.suite("1", revision, all_pass(100, but={key: [F] for key in keys(9)}))
    said = decide(desk, "2")
    assert (said.verdict, said.detail["current"]) == (PASSED, "1")
    assert said.detail["requirements"][0]["won"] == ["case-09"]
    desk.suite("1", revision, all_pass(100))
    said = decide(desk, "2")
    assert (said.verdict, said.detail["requirements"][0]["lost"]) == (FAILED, keys(8))


def test_cases_where_tools_fail_are_told_apart_by_their_fault(desk: Desk) -> None:
    desk.version("1")
    revision = desk.eval_set("starter", keys(2))
    require(desk, "starter", mode=SuiteMode.CHAOS)
    turns = {(key, fault): [P] for key in keys(2) for fault in ("timeout", "error")}
    desk.suite("1", revision, {**turns, ("case-02", "error"): [F]}, mode=SuiteMode.CHAOS)
    assert decide(desk, "1").detail["requirements"][0]["failed"] == ["case-02 (error)"]


def test_what_is_approved_stays_so_when_it_is_decided_again_and_fails(desk: Desk) -> None:
    desk.version("1")
    revision = desk.eval_set("starter", keys(3))
    require(desk, "starter")
    desk.suite("1", revision, all_pass(3))
    decide(desk, "1")
    approve(desk, "1")
    desk.suite("1", revision, all_pass(3, but={"case-01": [F]}))
    said = decide(desk, "1")
    assert (said.verdict, said.detail["was_approved"]) == (FAILED, True)
    assert gate(desk, "1") == (Gate.PASSED, True)


def test_a_case_that_a_judge_decides_needs_a_judge_that_people_agree_with(desk: Desk) -> None:
    desk.version("1")
    revision = desk.eval_set("starter", keys(3), expect=[{"kind": "rubric", "judge": "goal-reached"}])
    require(desk, "starter")
    desk.suite("1", revision, all_pass(3))
    said = decide(desk, "1").detail["requirements"][0]
    assert (said["code"], said["is_met"]) == ("not_calibrated", False)
    assert "goal-reached" in said["sentence"]


def test_without_a_gate_nothing_is_decided(desk: Desk) -> None:
    desk.version("1")
    with pytest.raises(Undecided, match="No gate stands before"):
        decide(desk, "1")
    desk.eval_set("starter", keys(1))
    require(desk, "starter")
    with pytest.raises(AgentUnknown):
        decide(desk, "9")


def test_other_things_asked_for_take_back_what_had_passed_and_is_not_approved(desk: Desk) -> None:
    desk.version("1")
    revision = desk.eval_set("starter", keys(3))
    desk.eval_set("refunds", keys(2))
    require(desk, "starter")
    desk.suite("1", revision, all_pass(3))
    decide(desk, "1")
    require(desk, "starter", "refunds")
    assert gate(desk, "1") == (Gate.REQUIRED, False)
    with pytest.raises(GateNotPassed):
        approve(desk, "1")


def test_asking_for_less_needs_a_reason_which_stands_in_the_log(desk: Desk) -> None:
    desk.version("1")
    for name in ("starter", "refunds"):
        desk.eval_set(name, keys(3))
    require(desk, "starter", "refunds", repeats=2)
    for less in ({"repeats": 1}, {"least_rate": 0.9, "repeats": 2}, {"margin": 0.2, "repeats": 2}):
        with pytest.raises(InvalidInput) as refused:
            require(desk, "starter", "refunds", **less)
        assert refused.value.problems[0].pointer == "/reason"
    with pytest.raises(InvalidInput):
        require(desk, "starter", repeats=2)
    before = len(desk.organisation.entries())
    require(desk, "starter", "refunds", repeats=2)  # the same again
    require(desk, "starter", "refunds", repeats=3)  # more
    require(desk, "starter", repeats=3, reason="refunds are done by people now")
    entries = desk.organisation.entries()[before:]
    assert [(entry.action, entry.reason) for entry in entries] == [
        ("gate.policy_set", ""),
        ("gate.policy_set", "refunds are done by people now"),
    ]


def test_a_gate_is_taken_away_with_a_reason_and_a_failure_stays(desk: Desk) -> None:
    desk.version("1")
    desk.eval_set("starter", keys(3))
    require(desk, "starter")
    decide(desk, "1")
    with pytest.raises(InvalidInput):
        do(desk, services.remove_gate, agent=AGENT, reason=" ")
    do(desk, services.remove_gate, agent=AGENT, reason="a prototype")
    with pytest.raises(GateNotPassed):
        approve(desk, "1")
    desk.version("2")
    assert approve(desk, "2").approved_at
    with pytest.raises(Unknown):
        do(desk, services.remove_gate, agent=AGENT, reason="again")


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ([], "/requirements"),
        ([Requirement(eval_set="nowhere")], "/requirements/0/set"),
        ([Requirement(eval_set="star\0ter")], "/requirements/0/set"),
        ([Requirement(eval_set="starter", least_rate=1.2)], "/requirements/0/least_rate"),
        ([Requirement(eval_set="starter", margin=float("nan"))], "/requirements/0/margin"),
        ([Requirement(eval_set="starter", repeats=0)], "/requirements/0/repeats"),
        ([Requirement(eval_set="starter", repeats=21)], "/requirements/0/repeats"),
        ([Requirement(eval_set="starter"), Requirement(eval_set="starter", repeats=2)], "/requirements/1"),
    ],
)
def test_what_no_gate_can_ask_for_is_refused_with_its_place(desk: Desk, said: list[Requirement], pointer: str) -> None:
    desk.version("1")
    desk.eval_set("starter", keys(1))
    with pytest.raises(InvalidInput) as refused:
        do(desk, services.set_gate, agent=AGENT, requirements=said)
    assert [problem.pointer for problem in refused.value.problems] == [pointer]
    assert gate(desk, "1") == (Gate.NONE, False)


def test_another_organisations_sets_are_not_asked_for(desk: Desk, world: object) -> None:
    other = Desk(world.globex)  # type: ignore[attr-defined]
    other.version("1")
    other.eval_set("starter", keys(1))
    desk.version("1")
    with pytest.raises(InvalidInput):
        require(desk, "starter")
