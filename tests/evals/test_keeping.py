"""What quality forgets: runs that are kept no longer, and people who are erased. Looked for in every column of every table."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import connections

import agentops.celery  # noqa: F401  tasks are called as a worker has them
from agentops.common import clock
from agentops.common.ids import new_id
from agentops.common.scope import tenant_scope
from agentops.traces import tasks as traces
from audit import services as audit
from audit.types import Actor
from evals import services
from evals.models import (
    Calibration,
    CohortDay,
    DriftFinding,
    Feedback,
    HumanLabel,
    Judgement,
    Replay,
    ReviewItem,
    Revision,
    RunFact,
    Score,
    Signal,
)
from evals.services import drift
from evals.sets import cases, drafting
from evals.tasks import drift as drift_tasks
from evals.tasks import keeping
from evals.tasks import queue as queue_tasks
from tests.evals import rowsof
from tests.evals.telling import Machine, judged
from tests.ingest.organisations import change
from tests.runtime.guarded import shift
from tests.world import OPERATOR, Organisation, World

MARA = "Mara@customer.example"
ADA = Actor(type="user", id="user:901", label="ada@acme.example")
BEN = Actor(type="user", id="user:902", label="ben@acme.example")


def stored(organisation: Organisation) -> str:
    """Every text of every row of the app, lower case, whatever its column is."""
    found = []
    with connections["owner"].cursor() as cursor:
        for model in apps.get_app_config("evals").get_models():
            table = model._meta.db_table
            cursor.execute(
                f"SELECT coalesce(string_agg(lower(t::text), ' '), '') FROM {table} t WHERE tenant_id = %s",
                [organisation.id],
            )
            found.append(f"{table}: {cursor.fetchone()[0]}")
    return "\n".join(found)


def lived(organisation: Organisation, run_id: uuid.UUID, *, at: datetime, user: str, word: str) -> Judgement:
    """A run with everything that quality can know of one; whatever could quote it holds `word`."""
    machine, tenant = Machine(organisation), organisation.id
    machine.spans(
        run_id,
        {"tool": "refund", "arguments": {"note": f"{word} refund"}, "result": {"ok": word}, "status": "ok"},
        at=at,
        user_id=user,
        session_id=f"chat of {user}",
        input=f"Dear desk, {word} wants a refund",
        output=f"I’m sorry, but I cannot help with {word}",
    )
    rowsof.facts(organisation)
    machine.feedback(run_id, "down", comment=f"not what {word} asked for", user=user)
    machine.outcome(
        run_id, "order.returned", value=f"{word} sent it back", idempotency_key=f"refund-{user}", success=False
    )
    judgement = judged(organisation, run_id, is_pass=True)
    with tenant_scope(tenant):
        Judgement.objects.filter(id=judgement.id).update(day=at.date(), detail=f"asked twice about {word}")
        Score.objects.create(
            tenant_id=tenant, judgement=judgement, criterion="goal", value="pass", score=1,
            reason=f"the user says “{word}”", span_ids=["00000000000000aa"],
        )  # fmt: skip
        HumanLabel.objects.create(
            tenant_id=tenant, run_id=run_id, rubric_version_id=judgement.judge.rubric_version_id, criterion="goal",
            value="pass", score=1, user_id=7, labelled_by="ben@acme.example", labelled_at=at,
        )  # fmt: skip
        Signal.objects.create(
            tenant_id=tenant, run_id=run_id, kind="correction", agent="desk", at=at, found_at=at, evidence={"why": word}
        )
        tape = services.open_replay(tenant=tenant, run_id=run_id, agent_version="", by=OPERATOR, at=clock.now())
        assert word in tape.tape
        DriftFinding.objects.create(
            tenant_id=tenant, kind="step", fingerprint=new_id().hex, agent="desk", dimension="all", metric="score",
            sentence="It fell.", effect=1, worst_runs=[run_id, other], found_at=at, last_seen_at=at,
        )  # fmt: skip
    assert queue_tasks.fill_review_queue() == 1
    with tenant_scope(tenant):
        item = ReviewItem.objects.get(tenant_id=tenant, run_id=run_id)
        assert word in item.detail
        services.review(
            tenant=tenant, item=item.id, verdict="bad", note=f"{word} was right", labels={}, seen=None, by=OPERATOR,
            user=7, at=clock.now(),
        )  # fmt: skip
    return judgement


other = new_id()


def kappa(organisation: Organisation) -> list[tuple[Any, ...]]:
    with tenant_scope(organisation.id):
        rows = Calibration.objects.filter(tenant_id=organisation.id).order_by("criterion")
        return [(r.criterion, r.pairs, r.kappa, r.kappa_low, r.matrix["rows"]) for r in rows]


def test_of_a_run_that_is_kept_no_longer_nothing_stays_but_sums(world: World) -> None:
    acme, now = world.acme, clock.now()
    change(acme, world, retention_days=60)
    old, young = new_id(), new_id()
    judgement = lived(acme, old, at=now - timedelta(days=40), user="u-old", word="zebrafish")
    lived(acme, young, at=now - timedelta(days=2), user="u-young", word="quokka")
    never = new_id()  # no span of it ever came
    Machine(acme).feedback(never, "down", comment="pangolin", user="u-never")
    shift(acme, "evals_feedback", "received_at", -timedelta(days=30), f"run_id = '{never}'")
    drift_tasks.add_up_cohorts()
    with tenant_scope(acme.id):
        services.calibrate_judge(tenant=acme.id, judge=judgement.judge_id, at=now)
        days = list(CohortDay.objects.filter(tenant_id=acme.id).order_by("day", "dimension", "value").values())
    agreed = kappa(acme)
    assert agreed and agreed[0][1] == 2 and len({row["day"] for row in days}) == 2

    change(acme, world, retention_days=20)
    assert keeping.forget_gone_runs() == 1, "of runs that are still there nothing goes: only what never had one"
    assert "zebrafish" in stored(acme) and "pangolin" not in stored(acme)
    assert traces.apply_retention() == 1
    assert keeping.forget_gone_runs() == 0, "what was written since the days were added up waits for the next time"
    shift(acme, "evals_cohortsweep", "swept_at", timedelta(minutes=11))
    assert keeping.forget_gone_runs() == 1
    kept = stored(acme)
    for word in ("zebrafish", "u-old", str(old), old.hex):
        assert word not in kept, word
    assert "quokka" in kept and str(young) in kept and str(other) in kept
    assert keeping.forget_gone_runs() == 0
    shift(acme, "evals_cohortsweep", "swept_at", -timedelta(minutes=11))

    with tenant_scope(acme.id):
        services.calibrate_judge(tenant=acme.id, judge=judgement.judge_id, at=clock.now())
    assert kappa(acme) == agreed, "what was agreed on was agreed on, also when it is compared anew"
    # More is kept from now on, and a run of that day comes: what is left of the day does not take the place of its sums.
    change(acme, world, retention_days=60)
    late = new_id()
    Machine(acme).spans(late, at=now - timedelta(days=40, seconds=5))
    rowsof.facts(acme)
    drift_tasks.add_up_cohorts()
    with tenant_scope(acme.id):
        assert drift.stale_days(tenant=acme.id, at=clock.now()) == [(now - timedelta(days=2)).date()]
        after = list(CohortDay.objects.filter(tenant_id=acme.id).order_by("day", "dimension", "value").values())
    for row in (*days, *after):
        row.pop("computed_at")
    assert after == days


def test_of_a_person_who_is_erased_no_row_has_their_name_or_their_words(world: World) -> None:
    acme, now = world.acme, clock.now()
    theirs, others, held = new_id(), new_id(), new_id()
    lived(acme, theirs, at=now - timedelta(days=1), user=MARA, word="zebrafish")
    lived(acme, others, at=now - timedelta(days=1), user="u-2", word="quokka")
    with tenant_scope(acme.id):
        made = services.create_set(tenant=acme.id, name="desk", description=f"for {MARA}", by=OPERATOR, at=now)
        tape = Replay.objects.get(tenant_id=acme.id, run_id=theirs)
        drafts = {
            "of-mara": cases.read(drafting.of_tape(json.loads(tape.tape), provenance={"kind": "trace", "id": theirs.hex})),
            "names-mara": cases.read(
                {"title": "Refund", "input": f"Who is {MARA.upper()}?", "expect": [{"kind": "max_calls", "most": 1}]}
            ),
        }  # fmt: skip
        assert "zebrafish" in drafts["of-mara"].text
        services.replace_cases(tenant=acme.id, eval_set=made.id, found=drafts, note=f"by {MARA}", by=OPERATOR, at=now)
        # Somebody else's run: what Mara said of it, what a judge quotes of her, and what she labelled.
        Feedback.objects.create(
            tenant_id=acme.id, run_id=others, user_id=MARA, source="api", is_up=True, comment="fine by wallaby", at=now,
            received_at=now,
        )  # fmt: skip
        row = Judgement.objects.get(tenant_id=acme.id, subject_id=others)
        Score.objects.create(
            tenant_id=acme.id, judgement=row, criterion="tone", value="4", score=0.75,
            reason=f"“{MARA.lower()} wrote”, and mara@customer.examples",
        )  # fmt: skip
        HumanLabel.objects.filter(run_id=others).update(labelled_by=MARA)
        waiting = Judgement.objects.create(
            tenant_id=acme.id, subject="run", subject_id=held, judge=row.judge, day=now.date(), sampled="sample",
            planned_at=now, next_at=now,
        )  # fmt: skip
        votes = Feedback.objects.filter(tenant_id=acme.id).order_by("id").values_list("run_id", "is_up")
        before = list(votes)
    Machine(acme).spans(held, user_id=MARA, at=now - timedelta(days=1), input="on hold", agent="other")
    rowsof.facts(acme)
    with tenant_scope(acme.id):
        Judgement.objects.filter(id=waiting.id).update(subject_id=theirs, judge_id=uuid.uuid4(), state="planned")
        of_held = Judgement.objects.create(
            tenant_id=acme.id, subject="run", subject_id=held, judge=row.judge, day=now.date(), sampled="sample",
            planned_at=now, next_at=now,
        )  # fmt: skip
        quoted = Score.objects.create(
            tenant_id=acme.id, judgement=of_held, criterion="goal", value="pass", score=1, reason=f"{MARA} says so"
        )
        audit.set_hold(tenant=acme.id, run=held, reason="a suit", by=ADA, at=now)
        made = audit.ask_erasure(tenant=acme.id, person=MARA, legal_basis="art. 17", by=ADA, at=now)
        audit.approve_erasure(tenant=acme.id, erasure=made.id, by=BEN, at=now)
    assert audit.erase(tenant=acme.id, erasure=made.id, at=clock.now())

    with tenant_scope(acme.id):
        fact = RunFact.objects.get(tenant_id=acme.id, run_id=held)
        assert fact.user_id == MARA, "what is held stays as it is"
        assert Score.objects.get(id=quoted.id).reason == f"{MARA} says so"
        quoted.delete()
        RunFact.objects.filter(tenant_id=acme.id, run_id=held).delete()
    kept = stored(acme)
    for word in (MARA.lower() + '"', "chat of mara", "zebrafish", "wallaby", "for mara@", "by mara@"):
        assert word not in kept, word
    assert MARA.lower() not in kept.replace("mara@customer.examples", ""), "another address is somebody else's"
    assert "quokka" in kept and "u-2" in kept, "of others everything stays"
    with tenant_scope(acme.id):
        assert list(votes) == before, "votes count on, of nobody"
        assert Score.objects.filter(judgement__subject_id=theirs).values_list("value", "reason").get() == ("pass", "")
        assert not Replay.objects.filter(tenant_id=acme.id, run_id=theirs).exists()
        assert Judgement.objects.get(id=waiting.id).code == "erased", "no judge is asked about it any more"
        assert HumanLabel.objects.get(run_id=others).user_id < 0
        newest = Revision.objects.filter(tenant_id=acme.id).latest("number")
        (left,) = newest.cases.select_related("case")
        assert left.key == "names-mara" and cases.kept(left.case.content).digest == left.case.digest
        assert newest.digest == cases.revision_digest({left.key: left.case.digest})
        assert cases.kept(left.case.content).input == "Who is (erased)?"
    # Spans that come late bring nothing back.
    Machine(acme).spans(theirs, {"tool": "late", "span_id": "00000000000000cc"}, root=False)
    shift(acme, "evals_factmark", "until", -timedelta(hours=1))
    assert rowsof.facts(acme) >= 1
    with tenant_scope(acme.id):
        fact = RunFact.objects.get(tenant_id=acme.id, run_id=theirs)
    assert (
        fact.user_id == f"(erased) {theirs}"
        and "late" in fact.tools
        and (fact.session_id, fact.check_notes) == ("", {})
    )


def test_who_is_called_as_a_word_or_number_of_ours_breaks_no_form_of_ours(world: World) -> None:
    acme, now = world.acme, clock.now()
    run = new_id()
    Machine(acme).spans(
        run,
        {"tool": "refund", "arguments": {"input": 250, "of": "input 250"}, "result": {"250": "ok"}, "status": "ok"},
        at=now - timedelta(days=1),
        input="250",
    )
    rowsof.facts(acme)
    with tenant_scope(acme.id):
        services.open_replay(tenant=acme.id, run_id=run, agent_version="", by=OPERATOR, at=now)
        made = services.create_set(tenant=acme.id, name="desk", description="", by=OPERATOR, at=now)
        case = {"title": "Limits", "input": {"kind": 250}, "expect": [{"kind": "max_calls", "most": 250}]}
        found = {"limits": cases.read(case)}
        services.replace_cases(tenant=acme.id, eval_set=made.id, found=found, note="", by=OPERATOR, at=now)
    for person in ("input", "250", "max_calls"):
        with tenant_scope(acme.id):
            asked = audit.ask_erasure(tenant=acme.id, person=person, legal_basis="art. 17", by=ADA, at=now)
            audit.approve_erasure(tenant=acme.id, erasure=asked.id, by=BEN, at=now)
        assert audit.erase(tenant=acme.id, erasure=asked.id, at=clock.now())
    with tenant_scope(acme.id):
        (left,) = Revision.objects.filter(tenant_id=acme.id).latest("number").cases.select_related("case")
        assert json.loads(left.case.content) == {**case, "input": {"kind": "(erased)"}}
        tape = json.loads(Replay.objects.get(tenant_id=acme.id, run_id=run).tape)
    (call,) = [step for step in tape["steps"] if step["kind"] == "tool"]
    assert tape["input"] == "(erased)" and call["arguments"] == {"(erased)": "(erased)", "of": "(erased) (erased)"}
    assert call["result"] == {"(erased)": "ok"}
