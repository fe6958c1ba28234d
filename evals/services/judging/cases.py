"""Judging what is asked for: what an agent did with a case of a suite, and runs that people have labelled."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.common import scope
from agentops.common.ids import new_id
from audit.types import Actor
from evals.errors import Unknown
from evals.models import CaseRun, HumanLabel, Judge, Judgement, RunFact
from evals.services.judging import noting
from evals.types import JudgementState, JudgeState, Sampled, Subject

LABELLED_MOST = 1_000


def plan_case(*, tenant: uuid.UUID, case_run: uuid.UUID, judge_name: str, at: datetime) -> uuid.UUID:
    """Plan the judgement of a case run by the judge's current version; answers its id, the same when it is asked again.

    Raises Unknown.
    """
    scope.require_tenant(tenant)
    judge = Judge.objects.filter(tenant_id=tenant, name=judge_name).exclude(state=JudgeState.REPLACED).first()
    if judge is None:
        raise Unknown(f"There is no judge {judge_name[:100]!r}.")
    run = CaseRun.objects.filter(tenant_id=tenant, id=case_run).select_related("suite_run").first()
    if run is None:
        raise Unknown("There is no such case run.")
    row = Judgement(
        id=new_id(),
        tenant_id=tenant,
        subject=Subject.CASE_RUN,
        subject_id=run.id,
        judge=judge,
        agent=run.suite_run.agent,
        agent_version=run.suite_run.agent_version,
        day=at.date(),
        sampled=Sampled.CASE,
        planned_at=at,
        next_at=at,
    )
    Judgement.objects.bulk_create([row], ignore_conflicts=True)
    return Judgement.objects.values_list("id", flat=True).get(
        tenant_id=tenant, subject=Subject.CASE_RUN, subject_id=run.id, judge=judge
    )


def judge_labelled(*, tenant: uuid.UUID, judge: uuid.UUID, by: Actor, at: datetime) -> int:
    """Plan that a judge looks at the runs that people labelled by its rubric's version, the newest first; answers how many
    are new. Raises Unknown."""
    scope.require_tenant(tenant)
    found = Judge.objects.filter(tenant_id=tenant, id=judge).exclude(state=JudgeState.REPLACED).first()
    if found is None:
        raise Unknown("There is no such judge, or a newer version took its place.")
    labelled = (
        HumanLabel.objects.filter(tenant_id=tenant, rubric_version=found.rubric_version_id)
        .order_by("-labelled_at")
        .values_list("run_id", flat=True)
    )
    runs = list(dict.fromkeys(labelled))[:LABELLED_MOST]
    seen = set(
        Judgement.objects.filter(tenant_id=tenant, subject=Subject.RUN, judge=found, subject_id__in=runs).values_list(
            "subject_id", flat=True
        )
    )
    facts = RunFact.objects.filter(tenant_id=tenant, run_id__in=[run for run in runs if run not in seen])
    rows = [_asked(found, fact, at) for fact in facts]
    Judgement.objects.bulk_create(rows, ignore_conflicts=True)
    data = {"name": found.name, "number": found.number, "runs": len(rows)}
    noting.record(
        tenant=tenant, action="judge.asked_for_labelled", kind="judge", id=str(found.id), data=data, by=by, at=at
    )
    return len(rows)


def _asked(judge: Judge, fact: RunFact, at: datetime) -> Judgement:
    return Judgement(
        id=new_id(),
        tenant_id=judge.tenant_id,
        subject=Subject.RUN,
        subject_id=fact.run_id,
        judge=judge,
        agent=fact.agent,
        agent_version=fact.agent_version,
        day=fact.day,
        state=JudgementState.PLANNED,
        sampled=Sampled.ASKED,
        planned_at=at,
        next_at=at,
    )
