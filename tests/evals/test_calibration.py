"""Agreement between judges and people: the figures, and what follows from them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from agentops.common import clock
from agentops.common.scope import tenant_scope
from evals.judging.calibration import agreement
from evals.models import Calibration, HumanLabel, Judge
from evals.queries import judging as queries
from evals.queries import judging_pages as pages
from evals.services import judging
from evals.tasks.judging import calibrate
from evals.types import Sampled
from tests.evals import rowsof
from tests.evals.judgeserver import JudgeServer, Reply, judge_server, verdict
from tests.world import OPERATOR, Organisation, World

TWO = ["fail", "pass"]


@pytest.fixture(autouse=True)
def _local_endpoints(settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    """Passes what was answered with `good`."""
    with judge_server(
        lambda number, body: Reply(verdict("pass" if "good" in str(body["messages"]) else "fail"))
    ) as running:
        yield running


def pairs(both_pass: int, judge_only: int, person_only: int, both_fail: int) -> list[tuple[str, str]]:
    return (
        [("pass", "pass")] * both_pass + [("pass", "fail")] * judge_only + [("fail", "pass")] * person_only + [("fail", "fail")] * both_fail
    )  # fmt: skip


def test_kappa_is_the_textbooks() -> None:
    """20, 5, 10, 15 of 50: observed 0.7, by chance 0.5, kappa 0.4."""
    found = agreement(pairs(20, 5, 10, 15), TWO, is_ordered=False)
    assert found is not None and found.kappa is not None and found.low is not None and found.high is not None
    assert found.agreement == pytest.approx(0.7) and found.kappa == pytest.approx(0.4)
    assert found.low < 0.4 < found.high and 0.05 < found.low < 0.2
    assert found.matrix == ((15, 5), (10, 20)), "rows are people's, columns the judge's"


def test_perfect_agreement_of_few_is_not_certain() -> None:
    found = agreement(pairs(15, 0, 0, 15), TWO, is_ordered=False)
    assert found is not None and found.low is not None
    assert (found.kappa, found.high) == (1.0, 1.0) and 0.4 < found.low < 0.85
    assert found.is_sound
    few = agreement(pairs(10, 0, 0, 10), TWO, is_ordered=False)
    assert few is not None and few.kappa == 1.0 and not few.is_sound, "twenty are too few"


def test_agreement_by_chance_alone_is_nothing() -> None:
    found = agreement(pairs(90, 10, 0, 0), TWO, is_ordered=False)
    assert found is not None and found.agreement == 0.9 and not found.is_sound
    same = agreement(pairs(40, 0, 0, 0), TWO, is_ordered=False)
    assert same is not None and same.kappa is None and same.base_rate == 1.0 and not same.is_sound
    assert agreement([], TWO, is_ordered=False) is None
    assert agreement([("odd", "pass")], TWO, is_ordered=False) is None


def test_on_a_scale_with_an_order_being_near_counts() -> None:
    scale = ["1", "2", "3", "4", "5"]
    near = [(str(min(5, n + 1)), str(n)) for n in range(1, 6)] * 8
    far = [(str(6 - n), str(n)) for n in range(1, 6)] * 8
    close, other = (agreement(each, scale, is_ordered=True) for each in (near, far))
    assert close is not None and other is not None and close.kappa is not None and other.kappa is not None
    assert close.kappa > 0.4 > 0 > other.kappa
    plain = agreement(near, scale, is_ordered=False)
    assert plain is not None and plain.kappa is not None and plain.kappa < close.kappa


def label(organisation: Organisation, judge: Judge, run: str, value: str, *, user: int = 1, later: int = 0) -> None:
    at = clock.now() + timedelta(seconds=later)
    with tenant_scope(organisation.id):
        HumanLabel.objects.create(
            tenant_id=organisation.id, run_id=uuid.UUID(run), rubric_version=judge.rubric_version, criterion="goal", value=value,
            score=float(value == "pass"), user_id=user, labelled_by="Ada", labelled_at=at,
        )  # fmt: skip


def test_labelled_runs_are_judged_on_demand_and_the_judge_may_gate_then(world: World, server: JudgeServer) -> None:
    judge = rowsof.judge(world.acme, url=server.url)
    runs = rowsof.runs(world.acme, 20, answer="good") + rowsof.runs(world.acme, 20, answer="poor")
    rowsof.facts(world.acme)
    with tenant_scope(world.acme.id):
        may, sentence = queries.may_gate(world.acme.id, "helpfulness")
    assert not may and "was not compared with people's labels" in sentence
    for place, run in enumerate(runs):
        label(world.acme, judge, run, "pass" if (place < 20) != (place % 19 == 0) else "fail")
    with tenant_scope(world.acme.id):
        assert judging.judge_labelled(tenant=world.acme.id, judge=judge.id, by=OPERATOR, at=clock.now()) == 40
        assert judging.judge_labelled(tenant=world.acme.id, judge=judge.id, by=OPERATOR, at=clock.now()) == 0
    assert judging.ask_due(seconds=40) == 40
    assert {one.sampled for one in rowsof.judgements(world.acme)} == {Sampled.ASKED}
    assert calibrate() == 1
    assert calibrate() == 0, "nothing came since"
    with tenant_scope(world.acme.id):
        may, sentence = queries.may_gate(world.acme.id, "helpfulness")
        rows = {row.criterion: row for row in Calibration.objects.filter(tenant_id=world.acme.id)}
        told = pages.disagreements(judge)
    assert may and "agrees with people: kappa 0." in sentence and "over 40 labelled runs" in sentence
    assert set(rows) == {"", "goal"} and rows[""].pairs == 40
    assert len(told) == 3 and told[0].judge_value != told[0].person_value


def test_a_further_version_of_a_judge_begins_without_any(world: World, server: JudgeServer) -> None:
    judge = rowsof.judge(world.acme, url=server.url)
    runs = rowsof.runs(world.acme, 20, answer="good") + rowsof.runs(world.acme, 20, answer="poor")
    rowsof.facts(world.acme)
    for place, run in enumerate(runs):
        label(world.acme, judge, run, "pass" if place < 20 else "fail")
    with tenant_scope(world.acme.id):
        judging.judge_labelled(tenant=world.acme.id, judge=judge.id, by=OPERATOR, at=clock.now())
    judging.ask_due(seconds=40)
    calibrate()
    with tenant_scope(world.acme.id):
        assert queries.may_gate(world.acme.id, "helpfulness")[0]
    rowsof.judge(world.acme, url=server.url, temperature=0.5)
    calibrate()
    with tenant_scope(world.acme.id):
        may, sentence = queries.may_gate(world.acme.id, "helpfulness")
    assert not may and "version 2" in sentence


def test_of_several_peoples_labels_the_last_holds(world: World, server: JudgeServer) -> None:
    judge = rowsof.judge(world.acme, url=server.url)
    rowsof.assign(world.acme, "helpfulness", rate=1)
    [run] = rowsof.runs(world.acme, 1, answer="good")
    rowsof.facts(world.acme)
    judging.ask_due(seconds=20)
    label(world.acme, judge, run, "fail", user=1)
    label(world.acme, judge, run, "pass", user=2, later=5)
    calibrate()
    with tenant_scope(world.acme.id):
        assert Calibration.objects.get(tenant_id=world.acme.id, criterion="").agreement == 1.0


def test_a_paused_judge_may_not_gate_and_an_unknown_one_neither(world: World, server: JudgeServer) -> None:
    judge = rowsof.judge(world.acme, url=server.url)
    with tenant_scope(world.acme.id):
        judging.pause_judge(tenant=world.acme.id, judge=judge.id, is_paused=True, by=OPERATOR, at=clock.now())
        assert queries.may_gate(world.acme.id, "helpfulness") == (False, "helpfulness is paused.")
        assert queries.may_gate(world.acme.id, "nobody") == (False, "There is no judge nobody.")


def test_another_organisations_labels_count_for_nothing(world: World, server: JudgeServer) -> None:
    judge = rowsof.judge(world.acme, url=server.url)
    [run] = rowsof.runs(world.acme, 1, answer="good")
    label(world.acme, judge, run, "pass")
    with tenant_scope(world.globex.id):
        assert judging.stale_judges(tenant=world.globex.id) == []
        assert judging.calibrate_judge(tenant=world.globex.id, judge=judge.id, at=clock.now()) == 0
