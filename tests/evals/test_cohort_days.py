"""Days by cohort: what they add up to, and when they are added up anew."""

from __future__ import annotations

import math
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle

import pytest

from agentops.common.scope import ScopeError, tenant_scope
from evals.models import Judgement, RunFact, SuiteRun
from evals.services import drift
from tests.evals import drift_rows as made
from tests.evals.drift_rows import NOW, TODAY, day_of
from tests.world import World


def _turns(*values: object) -> object:
    found: Iterator[object] = cycle(values)
    return lambda _number: next(found)


def test_a_day_adds_up_to_what_its_runs_say_one_by_one(world: World) -> None:
    day = day_of(1)
    runs = made.facts(
        world.acme,
        day,
        60,
        language=_turns("en", "de", ""),
        plan=_turns("pro", "free"),
        is_error=lambda n: n % 9 == 0,
        is_refused=lambda n: n % 11 == 0,
        tokens=lambda n: n * 37,
        cost_nano_usd=lambda n: n * 1_000_003,
        tools=_turns(["get_order"], ["get_order", "refund"], []),
    )
    score = made.like_a_judge(3)
    judgements = made.judged(world.acme, runs[:20], score, probability=0.25)
    judgements += made.judged(world.acme, runs[20:25], score, sampled="kept")
    made.judged(world.acme, runs[25:35], score, sampled="asked")  # no sample: not counted
    made.voted(world.acme, runs[::3], lambda: True)
    made.voted(world.acme, runs[1::12], lambda: False)
    made.add_up(world.acme)

    def check(dimension: str, value: str, mine: list[RunFact]) -> None:
        (row,) = made.rows(world.acme, dimension=dimension, value=value)
        ids = {run.run_id for run in mine}
        counted = [one for one in judgements if one.subject_id in ids]
        weights = [1 / one.probability for one in counted]
        assert (row.runs, row.errors, row.refusals) == (
            len(mine),
            sum(run.is_error for run in mine),
            sum(run.is_refused for run in mine),
        )
        assert (row.tokens_sum, row.cost_nano_usd) == (
            sum(run.tokens for run in mine),
            sum(run.cost_nano_usd for run in mine),
        )
        logs = [math.log1p(run.tokens) for run in mine]
        assert row.tokens_logs == pytest.approx(sum(logs))
        assert row.tokens_log_squares == pytest.approx(sum(log * log for log in logs))
        costs = [math.log1p(run.cost_nano_usd / 1000) for run in mine]
        assert (row.cost_logs, row.cost_log_squares) == (
            pytest.approx(sum(costs)),
            pytest.approx(sum(cost * cost for cost in costs)),
        )
        assert row.judged == len(counted)
        assert (row.weight, row.weight_squares) == (
            pytest.approx(sum(weights)),
            pytest.approx(sum(weight * weight for weight in weights)),
        )
        scored = list(zip(weights, [one.score or 0.0 for one in counted], strict=True))
        assert row.score_sum == pytest.approx(sum(w * x for w, x in scored))
        assert row.score_squares == pytest.approx(sum(w * x * x for w, x in scored))
        assert row.ups == sum(run.run_id in ids for run in runs[::3])
        assert row.downs == sum(run.run_id in ids for run in runs[1::12])
        assert row.tools == dict(Counter(tool for run in mine for tool in run.tools))

    check("all", "", runs)
    for value in ("en", "de"):
        check("language", value, [run for run in runs if run.language == value])
    for value in ("pro", "free"):
        check("plan", value, [run for run in runs if run.plan == value])
    check("agent_version", "1", runs)
    assert not made.rows(world.acme, dimension="language", value=""), "runs that do not say it are in no cohort of it"


def test_a_dimension_with_many_values_keeps_the_thirty_largest_and_adds_up_the_rest(world: World) -> None:
    made.facts(world.acme, day_of(1), 100, region=lambda n: f"region-{n % 40:02}" if n < 80 else "region-00")
    made.add_up(world.acme)
    rows = made.rows(world.acme, dimension="region")
    assert len(rows) == 31 and sum(row.runs for row in rows) == 100
    assert {row.value: row.runs for row in rows}["other"] == 20
    assert {row.value: row.runs for row in rows}["region-00"] == 22


def test_hostile_values_are_cut_and_stop_no_day(world: World) -> None:
    made.facts(world.acme, day_of(1), 3, region="x" * 50_000, agent="a" * 9_000, model="'; DROP TABLE --")
    made.add_up(world.acme)
    (row,) = made.rows(world.acme, dimension="region")
    assert row.value == "x" * 200 and row.agent == "a" * 200 and row.runs == 3


def test_judgements_and_feedback_that_come_late_change_the_day_of_their_run(world: World) -> None:
    runs = made.facts(world.acme, day_of(9), 10)
    made.add_up(world.acme)
    (row,) = made.rows(world.acme, dimension="all")
    assert (row.judged, row.ups) == (0, 0)

    made.judged(world.acme, runs[:4], lambda: 0.5)
    made.voted(world.acme, runs[:2], lambda: True)
    later = NOW + timedelta(hours=1)
    with tenant_scope(world.acme.id):
        assert drift.stale_days(tenant=world.acme.id, at=later) == [], "their times say they were there before"
        Judgement.objects.filter(tenant_id=world.acme.id).update(ended_at=later)
    made.add_up(world.acme, at=later)
    (row,) = made.rows(world.acme, dimension="all")
    assert (row.judged, row.score_sum, row.ups) == (4, 2.0, 2)


def test_a_run_that_is_written_anew_with_another_version_leaves_nothing_behind(world: World) -> None:
    runs = made.facts(world.acme, day_of(2), 5)
    made.add_up(world.acme)
    with tenant_scope(world.acme.id):
        RunFact.objects.filter(tenant_id=world.acme.id, run_id=runs[0].run_id).update(
            agent_version="2", computed_at=NOW + timedelta(minutes=5)
        )
        RunFact.objects.filter(tenant_id=world.acme.id).exclude(run_id=runs[0].run_id).delete()
    made.add_up(world.acme, at=NOW + timedelta(minutes=15))
    assert [(row.value, row.runs) for row in made.rows(world.acme, dimension="agent_version")] == [("2", 1)]


def test_suites_that_ended_count_by_version_and_hash_and_chaos_does_not(world: World) -> None:
    with tenant_scope(world.acme.id):
        for mode, passed in (("plain", 8), ("chaos", 1)):
            SuiteRun.objects.create(
                tenant_id=world.acme.id, agent="support-bot", agent_version="2", prompt_hash="p", revision_id=uuid.uuid4(),
                mode=mode, runner="client", trigger="ci", state="done", begun_at=NOW, begun_by="x", last_seen_at=NOW,
                ended_at=NOW - timedelta(days=1), cases=10, passed=passed,
            )  # fmt: skip
    made.add_up(world.acme)
    for dimension, value in (("all", ""), ("agent_version", "2"), ("prompt_hash", "p")):
        (row,) = made.rows(world.acme, dimension=dimension, value=value)
        assert (row.passed_cases, row.cases, row.runs, row.day) == (8, 10, 0, day_of(1))


def test_the_other_organisation_has_its_own_days(world: World) -> None:
    made.facts(world.acme, day_of(1), 5)
    made.facts(world.globex, day_of(1), 7)
    made.add_up(world.acme)
    assert [row.runs for row in made.rows(world.acme, dimension="all")] == [5]
    assert made.rows(world.globex) == []
    with tenant_scope(world.globex.id), pytest.raises(ScopeError):
        drift.recompute_day(tenant=world.acme.id, day=TODAY, at=NOW)
