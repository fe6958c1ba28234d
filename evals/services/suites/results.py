"""Results of cases: taken from whoever holds the claim, checked here, and settled once a judge has spoken."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef

from agentops.catalog import queries as catalog
from agentops.catalog.errors import AgentUnknown
from agentops.common import scope
from agentops.common.errors import Conflict
from evals.errors import Unknown
from evals.models import CaseRun, Judgement, SuiteRun
from evals.services.suites import ending, judges
from evals.sets import cases, checking
from evals.sets.checking import Finding, Seen
from evals.types import CaseState, JudgementState, Subject

_ASKS_FROM_TIER = 2
_SETTLED_AT_ONCE = 200
_ASKED = (JudgementState.PLANNED, JudgementState.RUNNING)
_WITHOUT_SCORE = (JudgementState.FAILED, JudgementState.SKIPPED)


class ClaimLost(Conflict):
    code, title = "claim_lost", "The case is somebody else's by now"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOutcome:
    """What an agent did with a case, as it is told. Steps in the form that checking.Seen says."""

    output: Any = None
    steps: Sequence[Mapping[str, Any]] = ()
    broke: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nano_usd: int | None = None
    duration_ms: int | None = None
    trace_id: uuid.UUID | None = None


def take_case_result(
    *,
    tenant: uuid.UUID,
    suite_run: uuid.UUID,
    case_run: uuid.UUID,
    claim: uuid.UUID,
    outcome: CaseOutcome,
    at: datetime,
) -> CaseRun:
    """Write what came of a case and what its expectations say of it. Told again by the same claim, it changes nothing.

    Raises Unknown, ClaimLost.
    """
    scope.require_tenant(tenant)
    run = (
        SuiteRun.objects.select_for_update(of=["self"])
        .select_related("revision")
        .filter(tenant_id=tenant, id=suite_run)
        .first()
    )
    found = (
        CaseRun.objects.select_for_update(of=["self"])
        .select_related("case")
        .filter(tenant_id=tenant, suite_run_id=suite_run, id=case_run)
        .first()
    )
    if run is None or found is None:
        raise Unknown("There is no such case run.")
    if found.claim != claim:
        raise ClaimLost("this claim is over: the case was taken by another, or the suite run has ended")
    if found.state != CaseState.CLAIMED:
        return found
    case = cases.kept(found.case.content)
    seen = Seen(
        input=case.input,
        output=outcome.output,
        steps=list(outcome.steps),
        broke=outcome.broke,
        input_tokens=outcome.input_tokens,
        output_tokens=outcome.output_tokens,
        cost_nano_usd=outcome.cost_nano_usd,
        duration_ms=outcome.duration_ms,
        asks=_asks(run),
    )
    findings = checking.check(case.expect, seen, mode=run.mode)
    state, detail = checking.state_of(findings, seen, mode=run.mode)
    for name in ("output", "input_tokens", "output_tokens", "cost_nano_usd", "duration_ms", "trace_id"):
        setattr(found, name, getattr(outcome, name))
    found.steps, found.checks, found.detail, found.claimed_until = list(outcome.steps), findings, detail, None
    found.save()  # whom a judge is asked about must be there to be read
    if state == CaseState.JUDGING:
        state = judges.plan(found, at)
    found.state = state
    found.ended_at = None if state == CaseState.JUDGING else at
    found.save()
    run.last_seen_at = at
    run.save(update_fields=["last_seen_at"])
    ending.end_if_done(run, at)
    return found


def settle_judged_cases(*, tenant: uuid.UUID, at: datetime) -> int:
    """End the cases whose judges have spoken; a judgement that failed leaves a case errored, never failed.

    Answers how many.
    """
    scope.require_tenant(tenant)
    of_case = Judgement.objects.filter(tenant_id=tenant, subject=Subject.CASE_RUN, subject_id=OuterRef("id"))
    has_spoken = ~Exists(of_case.filter(state__in=_ASKED)) | Exists(of_case.filter(state__in=_WITHOUT_SCORE))
    waiting = CaseRun.objects.filter(has_spoken, tenant_id=tenant, state=CaseState.JUDGING).order_by("id")
    by_suite: dict[uuid.UUID, list[uuid.UUID]] = {}
    for id, suite_run in waiting.values_list("id", "suite_run_id")[:_SETTLED_AT_ONCE]:
        by_suite.setdefault(suite_run, []).append(id)
    settled = 0
    for suite_run, ids in by_suite.items():
        run = SuiteRun.objects.select_for_update().get(tenant_id=tenant, id=suite_run)
        judged = _judgements(tenant, ids)
        for found in CaseRun.objects.filter(tenant_id=tenant, id__in=ids, state=CaseState.JUDGING):
            if (ended := _settled(found.checks, judged.get(found.id, {}))) is None:
                continue
            found.state, found.detail = ended
            found.ended_at = at
            found.save(update_fields=["state", "detail", "checks", "ended_at"])
            settled += 1
        ending.end_if_done(run, at)
    return settled


def _judgements(tenant: uuid.UUID, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, dict[str, Judgement]]:
    """By case run and judge's name."""
    found: dict[uuid.UUID, dict[str, Judgement]] = {}
    rows = Judgement.objects.filter(tenant_id=tenant, subject=Subject.CASE_RUN, subject_id__in=ids)
    for judgement in rows.select_related("judge"):
        found.setdefault(judgement.subject_id, {})[str(judgement.id)] = judgement
    return found


def _settled(findings: list[Finding], judged: Mapping[str, Judgement]) -> tuple[CaseState, str] | None:
    """The state of a case once all its judges have spoken, its findings filled in; None while one has not."""
    waits = [each for each in findings if each["holds"] is None]
    found = [(each, judged.get(each.get("judgement", ""))) for each in waits]
    for each, judgement in found:
        if judgement is None:
            each["said"] = "no score: the judgement is not kept any more"
            return CaseState.ERRORED, f"the judge {each['judge']} gave no score: its judgement is not kept any more"
        if judgement.state in _ASKED:
            return None
        if judgement.state != JudgementState.SCORED:
            each["said"] = f"no score: {judgement.detail or judgement.code}"
            return CaseState.ERRORED, f"the judge {each['judge']} gave no score: {judgement.detail or judgement.code}"
        assert judgement.score is not None
        least = each.get("at_least")
        each["holds"] = bool(judgement.is_pass) if least is None else judgement.score >= least
        each["said"] = f"the judge {each['judge']} gave {judgement.score:.2f}"
    holds = all(each["holds"] for each in findings)
    return (CaseState.PASSED if holds else CaseState.FAILED), ""


def _asks(run: SuiteRun) -> frozenset[str]:
    """The tools about which people are asked, by what the catalog granted to this agent version."""
    try:
        agent = catalog.agent(tenant=run.tenant_id, name=run.agent)
    except AgentUnknown:
        return frozenset()
    return frozenset(
        grant.tool
        for version in agent.versions
        if version.version == run.agent_version
        for grant in version.grants
        if grant.tier >= _ASKS_FROM_TIER and grant.revoked_at is None
    )
