"""Facts of finished runs, and the plan that is made with them; by runs that came in over HTTP."""

from __future__ import annotations

import hashlib
import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections

from agentops.common import clock
from agentops.common.errors import NotFound
from agentops.common.scope import tenant_scope
from evals.models import Judge, RunFact
from evals.queries import judging as queries
from evals.services import judging
from evals.tasks.judging import write_facts, write_missed_facts
from evals.types import JudgementState, JudgeState, Sampled
from tests.evals import rowsof
from tests.ingest import wire
from tests.runtime.guarded import MANIFEST, Caller, apply
from tests.traces import stories
from tests.traces.pages import send
from tests.world import Organisation, World


def fact(organisation: Organisation, seed: str) -> RunFact:
    with tenant_scope(organisation.id):
        return RunFact.objects.get(tenant_id=organisation.id, run_id=uuid.UUID(stories.run_id(seed)))


answers, judgements = rowsof.runs, rowsof.judgements


def why(organisation: Organisation, run: str) -> list[queries.Why]:
    with tenant_scope(organisation.id):
        return queries.why(organisation.id, uuid.UUID(run))


def test_a_finished_run_gets_one_fact_with_what_it_was(world: World) -> None:
    send(world.acme, stories.refund("a"))
    assert rowsof.facts(world.acme) == 1
    found = fact(world.acme, "a")
    assert (found.agent, found.agent_version, found.user_id, found.model) == (
        "refund-desk", "2026.11.1", "user-462", stories.MODEL,
    )  # fmt: skip
    assert (found.llm_calls, found.tokens, found.is_error, found.failed_checks) == (2, 1204 + 96 + 1893 + 41, False, [])
    assert found.duration_ms == 4300 and found.tools == ["find_order"]
    assert found.user_age == "new", "nobody had seen this user before"
    ask = "My order ord_8812 arrived broken, please refund it. Write to "
    assert found.input_digest is not None and bytes(found.input_digest) != hashlib.sha256(ask.encode()).digest()
    assert rowsof.facts(world.acme) == 0, "it has its fact"


def test_a_run_that_goes_on_has_none_and_is_told_so(world: World) -> None:
    rowsof.judge(world.acme)
    rowsof.assign(world.acme, "helpfulness", rate=1)
    send(world.acme, stories.orphaned("b"))
    assert rowsof.facts(world.acme) == 0
    [told] = why(world.acme, stories.run_id("b"))
    assert (told.state, told.sentence) == ("not_finished", "Not judged yet: the run has not finished.")


def test_a_late_span_makes_the_fact_anew(world: World) -> None:
    story = stories.refund("c")
    send(world.acme, story[:1])
    rowsof.facts(world.acme)
    assert fact(world.acme, "c").llm_calls == 0
    send(world.acme, story[1:])
    assert rowsof.facts(world.acme) == 1
    assert fact(world.acme, "c").llm_calls == 2


def test_cohorts_are_what_the_root_span_says(world: World) -> None:
    long = "x" * 100
    said = {"agentops.cohort.plan": "pro", "agentops.cohort.language": long, "agentops.cohort.region": 5}
    [run] = answers(world.acme, 1, attributes=said)
    rowsof.facts(world.acme)
    with tenant_scope(world.acme.id):
        found = RunFact.objects.get(tenant_id=world.acme.id, run_id=run)
    assert (found.plan, found.language, found.region, found.user_age) == ("pro", long[:60], "", "")


def test_a_failed_risky_tool_is_known_by_the_catalogs_effect(world: World) -> None:
    apply(world.acme, MANIFEST)
    for seed, tool in (("d", "refund"), ("e", "look_up_order")):
        story = stories.Story(seed)
        story.add("root", "run", parent=None, start=0, length=900, status="ok", agent="refund-desk", output="All done.")
        story.add(tool, "tool", parent="root", start=10, length=90, tool=tool, result={"error": "card was declined"})
        send(world.acme, story.spans)
    rowsof.facts(world.acme)
    assert fact(world.acme, "d").failed_checks == ["unsafe_tool_failure"]
    assert fact(world.acme, "d").check_notes["unsafe_tool_failure"]["spans"] == [stories.span_id("d", "refund")]
    assert fact(world.acme, "d").kept_because == ["check"]
    assert fact(world.acme, "e").failed_checks == [], "a read that fails harms nobody"


def test_errors_refusals_and_what_the_guard_aborted_are_always_judged(world: World) -> None:
    rowsof.judge(world.acme)
    rowsof.assign(world.acme, "helpfulness", rate=0)
    apply(world.acme, MANIFEST)
    run = Caller(world.acme).run()
    run.finish("ok")
    send(world.acme, stories.failing("f"))
    [refused] = answers(world.acme, 1, answer="I'm sorry, but I can't help with that.")
    [plain] = answers(world.acme, 1)
    send(world.acme, [wire.native("root", kind="run", trace_id=run.id, agent="refund-desk", output="x", status="ok")])
    assert rowsof.facts(world.acme) == 4
    found = {judgement.subject_id.hex: judgement for judgement in judgements(world.acme)}
    assert set(found) == {stories.run_id("f"), refused}
    assert {(one.sampled, one.probability) for one in found.values()} == {(Sampled.KEPT, 1.0)}
    assert fact(world.acme, "f").kept_because == ["error"]
    [told] = why(world.acme, plain)
    assert told.sentence == "Not judged: helpfulness sees only runs that are always judged."
    with connections["owner"].cursor() as cursor:  # as the guard's sweep does, after the last span
        cursor.execute(
            "UPDATE runtime_guardedrun SET status = 6, ended_at = now() WHERE tenant_id = %s AND run_id = %s",
            [world.acme.id, run.uuid],
        )
    assert rowsof.facts(world.acme) == 1
    with tenant_scope(world.acme.id):
        aborted = RunFact.objects.get(tenant_id=world.acme.id, run_id=run.uuid)
    assert (aborted.is_guarded, aborted.is_aborted, aborted.kept_because) == (True, True, ["aborted"])
    assert len(judgements(world.acme)) == 3
    assert rowsof.facts(world.acme) == 0


def test_a_new_version_is_sampled_higher_and_its_probability_is_kept(world: World) -> None:
    rowsof.judge(world.acme)
    rowsof.assign(world.acme, "helpfulness", rate=0.01)
    answers(world.acme, 300, agent_version="1")
    rowsof.facts(world.acme)
    first = judgements(world.acme)
    assert len([one for one in first if one.probability == 1.0]) == 10, "the first ten of the day, for certain"
    assert 10 < len(first) < 90
    answers(world.acme, 5, agent_version="2")
    rowsof.facts(world.acme)
    assert [one.probability for one in judgements(world.acme) if one.agent_version == "2"] == [1.0] * 5


def test_a_run_that_was_not_drawn_is_told_its_chance(world: World) -> None:
    rowsof.judge(world.acme)
    rowsof.assign(world.acme, "helpfulness", rate=0.05)
    runs = answers(world.acme, 400)
    rowsof.facts(world.acme)
    drawn = {one.subject_id.hex for one in judgements(world.acme)}
    told = [why(world.acme, run)[0] for run in runs if run not in drawn][-1]
    assert told.state == "not_drawn"
    assert "by lot, and this one was not drawn" in told.sentence and "%" in told.sentence
    [waiting] = why(world.acme, next(iter(drawn)))
    assert waiting.state == JudgementState.PLANNED and waiting.sentence.startswith("Waits for the judge; chosen by lot")


def test_an_agents_own_line_stands_for_the_one_for_all(world: World) -> None:
    rowsof.judge(world.acme, name="all")
    rowsof.judge(world.acme, name="own")
    rowsof.assign(world.acme, "all", rate=1)
    rowsof.assign(world.acme, "own", rate=1, agent="special")
    answers(world.acme, 1, agent="special")
    answers(world.acme, 1, agent="plain")
    rowsof.facts(world.acme)
    assert {(one.agent, one.judge.name) for one in judgements(world.acme)} == {("special", "own"), ("plain", "all")}


def test_a_judge_assigned_later_says_so(world: World) -> None:
    [run] = answers(world.acme, 1)
    rowsof.facts(world.acme)
    assert why(world.acme, run)[0].sentence == "No judge is assigned to bot."
    rowsof.judge(world.acme)
    rowsof.assign(world.acme, "helpfulness", rate=1)
    rowsof.facts(world.acme)
    assert why(world.acme, run)[0].sentence == "Not judged: helpfulness was assigned after the run was looked at."
    assert judgements(world.acme) == []


def test_a_paused_judge_leaves_rows_that_say_it(world: World) -> None:
    judge = rowsof.judge(world.acme)
    rowsof.assign(world.acme, "helpfulness", rate=1)
    with tenant_scope(world.acme.id):
        Judge.objects.filter(id=judge.id).update(state=JudgeState.PAUSED)
    [run] = answers(world.acme, 1)
    rowsof.facts(world.acme)
    [told] = why(world.acme, run)
    assert (told.state, told.sentence) == (JudgementState.SKIPPED, "Not judged: the judge was paused.")


def test_a_late_span_draws_no_second_time_but_adds_what_is_always_judged(world: World) -> None:
    rowsof.judge(world.acme)
    line = rowsof.assign(world.acme, "helpfulness", rate=0)
    [run] = answers(world.acme, 1)
    rowsof.facts(world.acme)
    with tenant_scope(world.acme.id):
        line.rate = 1.0
        line.save()
    send(world.acme, [wire.native("more", trace_id=run)])
    assert rowsof.facts(world.acme) == 1
    assert judgements(world.acme) == [], "what was drawn stays drawn"
    failed = wire.native("charge", kind="side_effect", trace_id=run, tool="charge", status="error")
    send(world.acme, [failed])
    rowsof.facts(world.acme)
    assert [one.sampled for one in judgements(world.acme)] == [Sampled.KEPT]


def test_judges_own_runs_are_never_judged(world: World) -> None:
    rowsof.judge(world.acme)
    rowsof.assign(world.acme, "helpfulness", rate=1)
    [run] = answers(world.acme, 1, agent="agentops.judge")
    rowsof.facts(world.acme)
    assert judgements(world.acme) == []
    assert why(world.acme, run)[0].sentence == "This is a judge's own run; those are never judged."


def test_another_organisations_runs_are_not_touched(world: World) -> None:
    rowsof.judge(world.acme)
    rowsof.assign(world.acme, "helpfulness", rate=1)
    answers(world.globex, 2)
    assert rowsof.facts(world.acme) == 0
    assert rowsof.facts(world.globex) == 2
    assert judgements(world.globex) == []


def test_what_an_agent_usually_takes_makes_the_outlier(world: World) -> None:
    rowsof.judge(world.acme)
    rowsof.assign(world.acme, "helpfulness", rate=0)
    send(world.acme, [span for _ in range(110) for span in _call(tokens=1_000)])
    rowsof.facts(world.acme)
    large = _call(tokens=4_000)
    send(world.acme, large)
    rowsof.facts(world.acme)
    [judged] = judgements(world.acme)
    assert judged.subject_id.hex == large[0]["trace_id"]
    with tenant_scope(world.acme.id):
        assert RunFact.objects.get(tenant_id=world.acme.id, run_id=judged.subject_id).kept_because == ["outlier"]


def _call(*, tokens: int) -> list[dict[str, Any]]:
    root = wire.native("root", kind="run", agent="bot", output="x", status="ok")
    call = wire.native(
        "chat",
        kind="llm",
        trace_id=root["trace_id"],
        parent_span_id=root["span_id"],
        model="m",
        input_tokens=tokens,
        output_tokens=1,
    )
    return [root, call]


def test_two_sweeps_at_once_plan_each_run_once(world: World) -> None:
    rowsof.judge(world.acme)
    rowsof.assign(world.acme, "helpfulness", rate=1)
    answers(world.acme, 60)
    counts: list[int] = []

    def sweep() -> None:
        try:
            with tenant_scope(world.acme.id):
                counts.append(judging.write_facts(tenant=world.acme.id, at=clock.now()))
        finally:
            connection.close()

    threads = [threading.Thread(target=sweep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rowsof.facts(world.acme)
    assert len(judgements(world.acme)) == 60
    assert sorted(counts)[:3] == [0, 0, 0] or max(counts) == 60


def test_a_sweep_goes_on_where_it_was_and_finds_what_it_missed(world: World) -> None:
    early = answers(world.acme, 3)
    assert write_facts() == 3
    with tenant_scope(world.acme.id):
        RunFact.objects.filter(tenant_id=world.acme.id, run_id=early[0]).delete()
    later = clock.now() + timedelta(minutes=10)
    rowsof.facts(world.acme, at=later)
    with tenant_scope(world.acme.id):  # within the minutes that are looked at again, it was found
        assert RunFact.objects.filter(tenant_id=world.acme.id).count() == 3
        RunFact.objects.filter(tenant_id=world.acme.id, run_id=early[0]).delete()
    assert rowsof.facts(world.acme, at=later + timedelta(minutes=1)) == 0, "ten minutes back is behind the mark"
    assert write_missed_facts() == 1


def test_why_of_a_run_that_is_not_there_is_not_found(world: World) -> None:
    [run] = answers(world.globex, 1)
    with pytest.raises(NotFound):
        why(world.acme, run)
