"""A case whose expectations name a judge waits for it; where none can be asked, the case is errored and says why."""

from __future__ import annotations

from datetime import datetime

from agentops.common.errors import DomainError
from evals.models import CaseRun
from evals.services import judging
from evals.types import CaseState


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
