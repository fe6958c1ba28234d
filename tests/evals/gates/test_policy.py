"""The verdict, as values: what passes, what does not, and what it says of it."""

from __future__ import annotations

from typing import Any

import pytest

from evals.gating import paired
from evals.gating.policy import Asked, Decision, Finding, Ground, Tried, decide, weigh
from evals.types import CaseState, GateVerdictKind, SuiteMode
from tests.evals.gates.making import D, E, F, P, all_pass


def asked(**said: Any) -> Asked:
    return Asked(
        **{
            "eval_set": "starter",
            "revision": 3,
            "cases": 100,
            "mode": SuiteMode.PLAIN,
            "least_rate": 0.9,
            "margin": 0.1,
            "repeats": 1,
            **said,
        }
    )


def tried(turns: dict[str, list[CaseState]], version: str = "2", attempts: int = 1) -> Tried:
    repeats = max(map(len, turns.values()), default=1)
    return Tried(
        suite_run="5e",
        version=version,
        repeats=repeats,
        attempts=attempts,
        turns={(k, ""): v for k, v in turns.items()},
    )


def found(turns: dict[str, list[CaseState]] | None, before: dict[str, list[CaseState]] | None, **said: Any) -> Finding:
    ground = Ground(
        asked=asked(**said),
        tried=None if turns is None else tried(turns),
        current=None if before is None else tried(before, version="1"),
    )
    return weigh("desk", "2", "1" if before is not None else "", ground)


@pytest.mark.parametrize(
    ("won", "lost", "n", "low", "high"),
    [
        (1, 7, 21, -0.517, -0.026),  # airway hyper-responsiveness, in Fagerland, Lydersen & Laake (2014), table 8
        (0, 0, 60, -0.0602, 0.0602),
        (0, 60, 60, -1.0, -0.8797),  # by hand: 7.2 of 60 less, over a standard error of 3.68
    ],
)
def test_the_interval_of_a_paired_difference_is_tangos(won: int, lost: int, n: int, low: float, high: float) -> None:
    found = paired.difference(won=won, lost=lost, n=n)
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(low, abs=0.0006), pytest.approx(high, abs=0.0006))


@pytest.mark.parametrize("n", [1, 2, 7, 60, 1000])
def test_the_interval_holds_its_mean_and_turns_over_with_its_sides(n: int) -> None:
    for won in range(0, n + 1, max(1, n // 5)):
        for lost in range(0, n + 1 - won, max(1, n // 5)):
            one, other = paired.difference(won=won, lost=lost, n=n), paired.difference(won=lost, lost=won, n=n)
            assert one is not None and other is not None
            assert -1 <= one.low <= one.mean <= one.high <= 1
            assert (one.low, one.high) == (pytest.approx(-other.high, abs=1e-9), pytest.approx(-other.low, abs=1e-9))


def test_how_many_cases_a_margin_needs_is_just_enough() -> None:
    for margin in (0.01, 0.05, 0.1, 0.3):
        n = paired.cases_for(margin)
        assert paired.narrowest(n) <= margin < paired.narrowest(n - 1)


def test_without_a_current_version_only_the_pass_rate_counts() -> None:
    assert found(all_pass(10), None, least_rate=1.0).is_met
    said = found(all_pass(10, but={"case-03": [F]}), None, least_rate=1.0)
    assert (said.is_met, said.code) == (False, "below_rate")
    assert said.sentence == "9 of 10 passed, at least 100 % is asked; 1 case (case-03) did not."


def test_a_suite_that_was_not_run_fails_with_the_command_that_runs_it() -> None:
    said = found(None, None, repeats=3, mode=SuiteMode.CHAOS)
    assert (said.is_met, said.code) == (False, "missing")
    assert said.command == (
        "python -m agentops_client.evals run --agent desk --version 2 --set starter --mode chaos --repeats 3 --call MODULE:NAME"
    )


@pytest.mark.parametrize(("revision", "cases"), [(None, 0), (0, 0), (4, 0)])
def test_a_set_without_cases_passes_nothing(revision: int | None, cases: int) -> None:
    assert found({}, None, revision=revision, cases=cases).code == "empty"


def test_cases_that_are_all_for_other_agents_pass_nothing() -> None:
    assert found({}, {}, least_rate=0.0).code == "empty"


def test_a_current_version_that_was_not_tried_leaves_nothing_to_compare_with() -> None:
    ground = Ground(asked=asked(), tried=tried(all_pass(100)), current=None)
    said = weigh("desk", "2", "1", ground)
    assert (said.is_met, said.code) == (False, "current_missing")
    assert "--version 1 " in said.command


def test_a_version_as_good_as_the_current_one_passes() -> None:
    said = found(all_pass(100), all_pass(100))
    assert said.is_met and said.difference is not None and said.difference.mean == 0


def test_a_version_that_may_be_worse_by_more_than_the_margin_fails_and_names_the_cases() -> None:
    said = found(all_pass(100, but={key: [F] for key in ("case-01", "case-02", "case-03", "case-04")}), all_pass(100))
    assert said.code == "met", said.sentence  # 4 of 100 worse: at worst 9.8 points
    said = found(all_pass(100, but={f"case-0{n}": [F] for n in range(1, 7)}), all_pass(100))
    assert said.code == "worse"
    assert list(said.lost) == [f"case-0{n}" for n in range(1, 7)]
    assert "6 cases (case-01, case-02, case-03, case-04, case-05 and 1 more) pass on 1 and not here" in said.sentence


def test_few_cases_cannot_show_a_narrow_margin_and_it_says_how_many_could() -> None:
    said = found(all_pass(60), all_pass(60), margin=0.05)
    assert said.code == "worse"
    assert said.sentence == (
        "no case is worse, but 60 cases cannot show that little: it may be 6 points worse than 1, and 5 points are "
        "allowed; take a margin of 6 points, or 73 cases."
    )


def test_what_broke_says_nothing_and_passes_nothing() -> None:
    said = found(all_pass(100, but={"case-09": [E]}), None, least_rate=0.5)
    assert (said.code, said.broken) == ("broken", ["case-09"])


def test_what_broke_on_the_current_version_is_no_case_that_this_one_won() -> None:
    half = all_pass(100, but={f"case-{n:02}": [F] for n in range(1, 31)})
    said = found(half, {key: [E] for key in half}, least_rate=0.5)
    assert (said.is_met, said.code, said.won) == (False, "current_missing", [])
    assert said.sentence == "none of its cases came to a result on 1, which is approved now; run it there again."
    assert "--version 1 " in said.command
    said = found(all_pass(100), all_pass(100, but={"case-01": [E], "case-02": [E], "case-03": [F]}))
    assert said.is_met and said.difference is not None
    assert (said.difference.n, list(said.won)) == (98, ["case-03"])


def test_a_divergence_is_a_failure() -> None:
    assert found(all_pass(10, but={"case-09": [D]}), None, least_rate=1.0).failed == ["case-09"]


def test_a_case_that_passes_at_times_has_not_passed_and_is_shown() -> None:
    said = found(all_pass(10, but={"case-02": [P, F, P]}, repeats=3), None, least_rate=1.0, repeats=3)
    assert (said.code, said.flaky, said.failed) == ("below_rate", ["case-02"], ["case-02"])


def test_both_versions_are_compared_over_as_many_turns_however_often_one_was_run() -> None:
    often = all_pass(40, but={"case-02": [P, P, F, P, F]}, repeats=5)
    said = found(often, all_pass(40, repeats=2), repeats=2)
    assert said.difference is not None and (said.difference.mean, list(said.flaky)) == (0, ["case-02"])


def test_a_judge_that_nobody_compared_with_people_lets_nothing_pass() -> None:
    said = found(all_pass(100), None, unsound=["goal-reached was compared with 4 people's labels; 30 are needed."])
    assert (said.code, said.is_met) == ("not_calibrated", False)
    assert said.sentence == "goal-reached was compared with 4 people's labels; 30 are needed."


def word(*grounds: Ground) -> Decision:
    return decide("desk", "2", "", grounds)


def test_all_requirements_must_be_met_and_the_sentence_names_those_that_are_not() -> None:
    good = Ground(asked=asked(), tried=tried(all_pass(100)), current=None)
    bad = Ground(asked=asked(eval_set="refunds", mode=SuiteMode.CHAOS), tried=None, current=None)
    assert word(good, good).verdict == GateVerdictKind.PASSED
    assert word(good, good).sentence == "2 passes all 2 suites."
    assert word(good).sentence == "2 passes its suite."
    said = word(good, bad)
    assert said.verdict == GateVerdictKind.FAILED
    assert said.sentence == "refunds (tools fail): revision 3 was not run on this content."
