"""From rows to findings: what moved, what made it move, and when it is over."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agentops.common.scope import tenant_scope
from evals.errors import Unknown
from evals.models import DriftFinding
from evals.services import drift
from tests.evals import drift_rows as made
from tests.evals.drift_rows import NOW, day_of
from tests.world import World

BETTER, WORSE = 0.85, 0.70


def _days(
    world: World, first: int, last: int, *, mean: float = BETTER, a_day: int = 60, seed: int = 1, **values: object
) -> None:
    """Judged runs of each day from `first` to `last` days before today."""
    score = made.like_a_judge(seed, mean)
    for back in range(first, last - 1, -1):
        made.judged(world.acme, made.facts(world.acme, day_of(back), a_day, **values), score)


def test_days_that_are_alike_are_no_finding(world: World) -> None:
    _days(world, 20, 1)
    made.add_up(world.acme)
    assert made.watch(world.acme) == 0 and made.found(world.acme) == []


def test_a_new_version_with_a_new_prompt_that_is_worse_is_found_the_next_day_and_the_prompt_is_named(
    world: World,
) -> None:
    _days(world, 14, 2)
    _days(world, 1, 1, mean=WORSE, a_day=300, seed=2, agent_version="2", prompt_hash="sha256:two")
    made.add_up(world.acme)
    assert made.watch(world.acme) == 1
    (finding,) = made.found(world.acme)
    assert (finding.kind, finding.metric, finding.dimension, finding.value) == ("step", "score", "agent_version", "2")
    assert (finding.cause, finding.cause_from, finding.cause_to) == ("prompt_hash", "sha256:one", "sha256:two")
    assert "judge score fell from 0.8" in finding.sentence and "The prompt changed" in finding.sentence
    assert finding.before["mean"] > finding.after["mean"] and finding.effect < -0.3
    assert finding.before["low"] < finding.before["mean"] < finding.before["high"]
    assert finding.q_value is not None and finding.q_value <= 0.05
    assert len(finding.worst_runs) == 10

    assert made.watch(world.acme, at=NOW + timedelta(hours=1)) == 0, "the same again is the same finding"
    (again,) = made.found(world.acme)
    assert (again.id, again.found_at) == (finding.id, finding.found_at) and again.last_seen_at > finding.last_seen_at


def test_the_worst_runs_of_a_finding_are_those_with_the_lowest_scores_of_the_new_version(world: World) -> None:
    _days(world, 14, 2)
    runs = made.facts(world.acme, day_of(1), 200, agent_version="2", prompt_hash="sha256:two")
    judgements = made.judged(world.acme, runs, made.like_a_judge(2, WORSE))
    made.add_up(world.acme)
    made.watch(world.acme)
    (finding,) = made.found(world.acme)
    lowest = sorted(judgements, key=lambda one: (one.score, one.subject_id))[:10]
    assert finding.worst_runs == [one.subject_id for one in lowest]


def test_a_model_that_changed_under_the_same_version_is_told_from_the_prompt(world: World) -> None:
    _days(world, 14, 2)
    _days(world, 1, 1, mean=WORSE, a_day=300, seed=2, model="gpt-4o-2024-11-20")
    made.add_up(world.acme)
    made.watch(world.acme)
    (finding,) = made.found(world.acme)
    assert (finding.dimension, finding.cause) == ("model", "model")
    assert "The model changed (gpt-4o-2024-08-06 → gpt-4o-2024-11-20)" in finding.sentence


def test_a_prompt_that_changed_before_and_did_no_harm_is_not_blamed(world: World) -> None:
    _days(world, 14, 6)
    _days(world, 5, 2, seed=3, prompt_hash="sha256:two")
    _days(
        world, 1, 1, mean=WORSE, a_day=300, seed=2, agent_version="2", prompt_hash="sha256:two", model="other-model-1"
    )
    made.add_up(world.acme)
    made.watch(world.acme)
    (finding,) = made.found(world.acme, metric="score", dimension="agent_version")
    assert finding.cause == "model"


def test_hashes_that_changed_in_the_same_runs_are_said_to_be_beyond_telling_apart(world: World) -> None:
    _days(world, 14, 2)
    _days(
        world, 1, 1, mean=WORSE, a_day=300, seed=2, agent_version="2", prompt_hash="sha256:two", model="other-model-1"
    )
    made.add_up(world.acme)
    made.watch(world.acme)
    (finding,) = made.found(world.acme)
    assert (
        finding.cause == ""
        and "Prompt and model changed in the same runs: they cannot be told apart." in finding.sentence
    )


def test_a_worse_day_without_any_change_is_a_shift_and_says_so(world: World) -> None:
    _days(world, 14, 2)
    _days(world, 1, 1, mean=WORSE, a_day=300, seed=2)
    made.add_up(world.acme)
    made.watch(world.acme)
    (finding,) = made.found(world.acme)
    assert (finding.kind, finding.dimension, finding.cause) == ("shift", "all", "")
    assert "Prompt, model and tool definitions stayed the same." in finding.sentence


def test_a_shift_of_one_language_names_the_language_and_a_shift_of_all_names_its_worst_cohort(world: World) -> None:
    _days(world, 14, 2, language="en")
    _days(world, 14, 2, language="de", seed=5)
    _days(world, 1, 1, language="en", seed=6, a_day=400)
    _days(world, 1, 1, language="de", mean=0.5, seed=7, a_day=60)
    made.add_up(world.acme)
    made.watch(world.acme)
    findings = made.found(world.acme, metric="score")
    named = [(one.dimension, one.value) for one in findings]
    worst = [cohort[:2] for one in findings for cohort in one.after["worst"]]
    assert ("language", "de") in named or ["language", "de"] in worst
    assert ("language", "en") not in named


def test_what_another_judge_gives_is_not_the_agents_change(world: World) -> None:
    _days(world, 14, 2)
    runs = made.facts(world.acme, day_of(1), 300)
    made.judged(world.acme, runs, made.like_a_judge(2, WORSE), judge=made.uuid.uuid4())
    made.add_up(world.acme)
    made.watch(world.acme)
    assert made.found(world.acme) == []


def test_other_tools_than_before_are_found(world: World) -> None:
    for back in range(14, 1, -1):
        made.facts(world.acme, day_of(back), 60)
    made.facts(world.acme, day_of(1), 100, tools=lambda n: ["refund"] if n % 2 else ["get_order"])
    made.add_up(world.acme)
    made.watch(world.acme)
    (finding,) = made.found(world.acme)
    assert (finding.kind, finding.metric) == ("mix", "tool_mix")
    assert finding.after["mix"]["refund"] == pytest.approx(0.5) and "refund 0% → 50%" in finding.sentence


def test_too_few_runs_say_nothing(world: World) -> None:
    _days(world, 14, 2, a_day=2)
    _days(world, 1, 1, mean=0.2, a_day=29, seed=2)
    made.add_up(world.acme)
    made.watch(world.acme)
    assert made.found(world.acme, metric="score") == []


def test_a_finding_ends_once_it_was_back_within_noise_for_a_week(world: World) -> None:
    _days(world, 24, 12)
    _days(world, 11, 11, mean=WORSE, a_day=300, seed=2)
    _days(world, 10, 1, seed=3)
    made.add_up(world.acme)
    found_at = NOW - timedelta(days=10)
    assert made.watch(world.acme, at=found_at) == 1
    ended = []
    for back in range(9, -1, -1):
        made.watch(world.acme, at=NOW - timedelta(days=back))
        ended.append(made.found(world.acme, kind="shift")[0].ended_at)
    (finding,) = made.found(world.acme, kind="shift")
    assert finding.ended_at is not None and finding.ended_at - finding.last_seen_at >= timedelta(days=7)
    assert ended[5] is None, "not before it was quiet for so long"


def test_a_finding_that_goes_on_stays_open(world: World) -> None:
    _days(world, 24, 11)
    _days(world, 10, 1, mean=WORSE, a_day=80, seed=2)
    made.add_up(world.acme)
    for back in range(9, -1, -1):
        made.watch(world.acme, at=NOW - timedelta(days=back))
    (finding,) = made.found(world.acme, kind="shift", metric="score")
    assert finding.ended_at is None and finding.last_seen_at >= NOW - timedelta(days=1)


def test_a_slide_of_five_percent_a_month_is_found_though_no_day_shows_it(world: World) -> None:
    made.sliding_year(world.acme, seed=4, weeks=40, falls_for=8)
    made.sliding_year(world.acme, seed=5, weeks=40, falls_for=0, agent="steady-bot")
    assert made.watch(world.acme) == 1
    (finding,) = made.found(world.acme)
    assert (finding.kind, finding.metric, finding.agent) == ("slide", "score", "support-bot")
    assert finding.after["fall_low"] < finding.after["fall"] < finding.after["fall_high"]
    assert 0.03 < finding.after["fall"] < 0.15 and "slides" in finding.sentence
    assert made.watch(world.acme, at=NOW + timedelta(hours=1)) == 0


def test_after_a_step_was_found_the_slide_detector_begins_a_new_level(world: World) -> None:
    made.sliding_year(world.acme, seed=4, weeks=40, falls_for=8)
    with tenant_scope(world.acme.id):
        DriftFinding.objects.create(
            tenant_id=world.acme.id, kind="step", fingerprint="x", agent="support-bot", dimension="agent_version",
            value="2", metric="score", sentence="It fell.", before={"from": "2026-09-01", "until": "2026-09-30", "value": "1"},
            after={"from": day_of(50).isoformat()}, effect=-0.4, found_at=NOW - timedelta(days=49), last_seen_at=NOW,
        )  # fmt: skip
    made.watch(world.acme)
    assert made.found(world.acme, kind="slide") == []


def test_a_finding_is_marked_as_seen_once_and_the_audit_log_knows_by_whom(world: World) -> None:
    made.sliding_year(world.acme, seed=4, weeks=40, falls_for=8)
    made.watch(world.acme)
    (finding,) = made.found(world.acme)
    with tenant_scope(world.acme.id):
        drift.mark_seen(tenant=world.acme.id, finding=finding.id, by=world.ben.actor, at=NOW)
        drift.mark_seen(tenant=world.acme.id, finding=finding.id, by=world.ada.actor, at=NOW + timedelta(minutes=1))
    (seen,) = made.found(world.acme)
    assert (seen.seen_by, seen.seen_at) == (world.ben.email, NOW)
    assert world.acme.actions() == ["drift.seen"]
    with tenant_scope(world.globex.id), pytest.raises(Unknown):
        drift.mark_seen(tenant=world.globex.id, finding=finding.id, by=world.cleo.actor, at=NOW)
