"""Writing how an ask ended: scores, another try, or no score; and what it cost. Never a zero for what failed."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from agentops.budgets import services as budgets
from agentops.budgets.errors import AlreadySettled, HoldUnknown
from agentops.budgets.types import Charge, EntryKind, Usage
from agentops.common import scope
from agentops.common.ids import new_id
from evals.judging import asking
from evals.models import JudgeEndpoint, Judgement, Score
from evals.services.judging import claiming
from evals.types import JUDGE_AGENT, JudgementState

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (15, 60, 300, 1_200))  # before the second attempt, the third …
PATIENCE, PATIENCE_MOST = timedelta(seconds=30), timedelta(hours=1)


def write_answer(*, tenant: uuid.UUID, answer: asking.Answer, at: datetime) -> bool:
    """Charge an ask, and write its end if the judgement is still under its claim; answers whether it was.

    Who comes after the claim's time has passed is charged all the same: the model did work.
    """
    scope.require_tenant(tenant)
    question = answer.question
    row = (
        Judgement.objects.select_for_update(of=("self",))
        .filter(tenant_id=tenant, id=question.id)
        .select_related("judge", "judge__rubric_version")
        .first()
    )
    is_mine = row is not None and claiming.is_mine(row, question.claim)
    if row is not None and is_mine:
        _end(row, answer, at)
    if answer.requests > 1:
        claiming.count_further(question.endpoint, answer.requests - 1, at)
    cost = _charge(tenant, row, answer, at)
    if row is not None:
        row.input_tokens += answer.input_tokens
        row.output_tokens += answer.output_tokens
        row.cost_nano_usd += cost
        row.save(update_fields=["input_tokens", "output_tokens", "cost_nano_usd"])
    return is_mine


def _end(row: Judgement, answer: asking.Answer, at: datetime) -> None:
    if not answer.code:
        _score(row, answer, at)
    elif answer.code == asking.PATIENCE:
        until = at + _patience(answer)
        _pause_endpoint(answer, until)
        claiming.wait(row, until, code=answer.code, detail=answer.detail, is_attempt=False)
    elif not answer.may_help_later or row.attempts >= claiming.ATTEMPTS:
        claiming.end(row, JudgementState.FAILED, at, code=answer.code, detail=answer.detail)
    else:
        pause = PAUSES[min(row.attempts, len(PAUSES)) - 1]
        pause = max(pause, timedelta(seconds=min(answer.retry_after or 0, PATIENCE_MOST.total_seconds())))
        claiming.wait(row, at + pause, code=answer.code, detail=answer.detail, is_attempt=True)


def _score(row: Judgement, answer: asking.Answer, at: datetime) -> None:
    content = answer.question.content
    row.score = content.over_all({given.criterion: given.score for given in answer.given})
    row.is_pass = row.score >= content.pass_at
    Score.objects.bulk_create(
        Score(
            id=new_id(),
            tenant_id=row.tenant_id,
            judgement=row,
            criterion=given.criterion,
            value=given.value,
            score=given.score,
            reason=given.reason,
            span_ids=list(given.spans),
        )
        for given in answer.given
    )
    claiming.end(row, JudgementState.SCORED, at, changed=("score", "is_pass"))


def _patience(answer: asking.Answer) -> timedelta:
    if answer.retry_after is None:
        return PATIENCE
    return min(max(timedelta(seconds=answer.retry_after), timedelta(seconds=1)), PATIENCE_MOST)


def _pause_endpoint(answer: asking.Answer, until: datetime) -> None:
    endpoint = JudgeEndpoint.objects.select_for_update().filter(id=answer.question.endpoint).first()
    if endpoint is not None and (endpoint.paused_until is None or endpoint.paused_until < until):
        endpoint.paused_until = until
        endpoint.save(update_fields=["paused_until"])


def _charge(tenant: uuid.UUID, row: Judgement | None, answer: asking.Answer, at: datetime) -> int:
    """Settle the hold of this ask; answers what it cost, in nano-dollars. Without a hold the model has no price: loud, not free."""
    usage = Usage(
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        cache_read_tokens=answer.cache_read_tokens,
        cache_write_tokens=answer.cache_write_tokens,
    )
    question = answer.question
    outcome = "unknown" if not answer.is_usage_known else "error" if answer.code else "ok"
    try:
        settled = budgets.settle(
            tenant=tenant,
            run=question.id,
            call_id=question.claim.hex,
            outcome=outcome,
            usage=usage if answer.is_usage_known else None,
            at=at,
        )
    except AlreadySettled:
        return 0
    except HoldUnknown:
        if row is not None and (answer.input_tokens or answer.output_tokens):
            budgets.charge_many(tenant=tenant, charges=[_unpriced(row, answer, usage, at)], at=at)
        return 0
    budgets.close_leases(tenant=tenant, runs=[question.id], at=at)
    return settled.cost_nano_usd


def _unpriced(row: Judgement, answer: asking.Answer, usage: Usage, at: datetime) -> Charge:
    return Charge(
        kind=EntryKind.CHARGE,
        occurred_at=at,
        run_id=row.id,
        span_id=(answer.question.claim.int & (2**62 - 1)) | 1,  # no call of the guard
        call_id=answer.question.claim.hex,
        agent=JUDGE_AGENT,
        user_id="",
        model=row.judge.model,
        provider=row.judge.provider,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        reasoning_tokens=0,
        amount_nano_usd=None,
        price_version="",
    )
