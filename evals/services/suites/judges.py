"""A case whose expectations name a judge waits for it; where none can be asked, the case is errored and says why."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from agentops.common import scope
from agentops.common.errors import DomainError
from evals.models import CaseRun, Judgement, SuiteRun
from evals.services import judging
from evals.types import CaseState, JudgementState, JudgeState, Subject

PAUSED_MOST = timedelta(hours=24)  # that a case waits for a judge who is paused
_AT_ONCE = 500


def plan(case_run: CaseRun, at: datetime) -> CaseState:
    """Plan a judgement for each rubric among the findings, and note it there."""
    for finding in case_run.checks:
        if finding["holds"] is not None:
            continue
        try:
            planned = judging.plan_case(
                tenant=case_run.tenant_id, case_run=case_run.id, judge_name=finding["judge"], at=at
            )
        except DomainError as refusal:
            finding["said"] = refusal.detail
            case_run.detail = f"the judge {finding['judge']} cannot be asked: {refusal.detail}"
            return CaseState.ERRORED
        finding["judgement"] = str(planned)
    return CaseState.JUDGING


def ask_no_more(suite_run: SuiteRun, at: datetime) -> None:
    """No judge is asked any more about what waits in a suite run that was ended."""
    waiting = CaseRun.objects.filter(tenant_id=suite_run.tenant_id, suite_run=suite_run, state=CaseState.JUDGING)
    Judgement.objects.filter(
        tenant_id=suite_run.tenant_id,
        subject=Subject.CASE_RUN,
        subject_id__in=waiting.values("id"),
        state=JudgementState.PLANNED,
    ).update(state=JudgementState.SKIPPED, code="suite_over", detail="The suite run was ended.", ended_at=at)


def give_up_paused(*, tenant: uuid.UUID, at: datetime) -> int:
    """A paused judge is not asked any more about cases that have waited for a day: they end as errored when they are settled.

    Answers how many.
    """
    scope.require_tenant(tenant)
    waiting = Judgement.objects.filter(
        tenant_id=tenant,
        subject=Subject.CASE_RUN,
        state=JudgementState.PLANNED,
        judge__state=JudgeState.PAUSED,
        planned_at__lt=at - PAUSED_MOST,
    )
    locked = waiting.select_for_update(of=["self"], skip_locked=True).order_by("id").values_list("id", flat=True)
    return Judgement.objects.filter(tenant_id=tenant, id__in=list(locked[:_AT_ONCE])).update(
        state=JudgementState.SKIPPED,
        code="paused",
        detail="it is paused, and the case has waited for 24 hours",
        ended_at=at,
    )
