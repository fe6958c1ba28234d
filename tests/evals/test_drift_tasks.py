"""The tasks: what they find on their own, of every organisation, and again after they were cut off."""

from __future__ import annotations

import pytest

from agentops.common import clock
from evals.services import drift
from evals.tasks.drift import add_up_cohorts, watch_drift
from tests.evals import drift_rows as made
from tests.evals.drift_rows import NOW, day_of
from tests.world import World


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


def test_the_tasks_add_up_and_find_for_every_organisation(world: World) -> None:
    for organisation in (world.acme, world.globex):
        for back in range(14, 1, -1):
            made.judged(organisation, made.facts(organisation, day_of(back), 20), made.like_a_judge(back))
        worse = made.facts(organisation, day_of(1), 200, agent_version="2", prompt_hash="p2")
        made.judged(organisation, worse, made.like_a_judge(1, 0.6))
    assert add_up_cohorts() == 28
    assert watch_drift() == 2, [one.sentence for one in made.found(world.acme)]
    assert [len(made.found(one)) for one in (world.acme, world.globex)] == [1, 1]
    assert watch_drift() == 0


def test_a_sweep_that_broke_half_way_is_done_again_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for back in (3, 2, 1):
        made.facts(world.acme, day_of(back), 5)
    whole, calls = drift.recompute_day, []

    def breaks(**given: object) -> None:
        calls.append(given["day"])
        if len(calls) == 2:
            raise RuntimeError("the worker was killed")
        whole(**given)  # type: ignore[arg-type]

    monkeypatch.setattr(drift, "recompute_day", breaks)
    with pytest.raises(RuntimeError):
        add_up_cohorts()
    assert len(made.rows(world.acme, dimension="all")) == 1
    monkeypatch.setattr(drift, "recompute_day", whole)
    add_up_cohorts()
    assert [row.runs for row in made.rows(world.acme, dimension="all")] == [5, 5, 5]
