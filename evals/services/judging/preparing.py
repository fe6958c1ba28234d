"""From a claimed judgement to a question: what is judged is read, the family looked at again, and money set aside."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson

from agentops.budgets import queries as money
from agentops.budgets import services as budgets
from agentops.budgets.prices import price
from agentops.budgets.types import Refused
from agentops.common import scope, secrets
from evals.judging import asking, families, prompts, rubrics, subjects
from evals.models import Judge, Judgement
from evals.services.judging import claiming
from evals.types import JUDGE_AGENT, JudgementState

BUDGET_PAUSE = timedelta(minutes=10)  # until a budget that is used up is looked at again
HOLD_LASTS = timedelta(minutes=10)
_CHARACTERS_A_TOKEN = 2  # at worst, in the languages people write
_FORM_TOKENS = 600  # of the schema, and what the libraries add


def prepare(*, tenant: uuid.UUID, judgement: uuid.UUID, claim: uuid.UUID, at: datetime) -> asking.Question | None:
    """The question of a judgement under this claim; None where there is none: skipped, put off, or no longer the caller's."""
    scope.require_tenant(tenant)
    row = _locked(tenant, judgement, claim)
    if row is None:
        return None
    judge = row.judge
    try:
        material = subjects.material_of(row)
    except subjects.Gone:
        _skip(row, at, "run_gone", "What was to be judged is not kept any more.")
        return None
    except subjects.NoContent:
        _skip(row, at, "no_content", "Neither what was asked nor what was answered was captured.")
        return None
    same = families.of_the_same(family=judge.family, model=judge.model, agent_models=material.models)
    if same:
        detail = f"{row.agent or 'The agent'} used {same}, which is of the judge's own family ({judge.family})."
        _skip(row, at, "same_model_family", detail)
        return None
    try:
        key = secrets.open_(judge.endpoint.key_cipher) if judge.endpoint.key_cipher else ""
    except secrets.SecretLost as error:
        claiming.end(row, JudgementState.FAILED, at, code="secret_lost", detail=str(error))
        return None
    content = rubrics.parse(orjson.loads(judge.rubric_version.content))
    mark = prompts.mark_of(row.id)
    question = asking.Question(
        id=row.id,
        tenant=tenant,
        claim=claim,
        endpoint=judge.endpoint_id,
        kind=judge.endpoint.kind,
        base_url=judge.endpoint.base_url,
        key=key,
        model=judge.model,
        settings=judge.settings,
        content=content,
        instructions=prompts.instructions(content, mark=mark),
        material=prompts.material(material, mark=mark),
        spans=frozenset(step.span for step in material.steps),
    )
    return question if _hold(row, judge, question, at) else None


def worst_tokens(question: asking.Question) -> tuple[int, int]:
    """Input and output of an ask with all of its retries, which read what was answered before, at worst."""
    out = int(question.settings["max_output_tokens"])
    once = (len(question.instructions) + len(question.material)) // _CHARACTERS_A_TOKEN + _FORM_TOKENS
    tries = asking.RETRIES + 1
    return once * tries + out * asking.RETRIES * (asking.RETRIES + 1) // 2, out * tries


def _hold(row: Judgement, judge: Judge, question: asking.Question, at: datetime) -> bool:
    """Set the worst case aside, or put the judgement off. A model without a price cannot be held; it is charged as unpriced."""
    tokens_in, tokens_out = worst_tokens(question)
    amount = _worst_cost(judge, tokens_in, tokens_out, at)
    if amount is None:
        return True
    held = budgets.reserve(
        tenant=row.tenant_id,
        run=row.id,
        call_id=question.claim.hex,
        agent=JUDGE_AGENT,
        user="",
        model=judge.model,
        provider=judge.provider,
        hold_nano_usd=amount,
        input_tokens=tokens_in,
        max_output_tokens=tokens_out,
        past_limit=False,
        expires_at=at + HOLD_LASTS,
        at=at,
    )
    if not isinstance(held, Refused):
        return True
    until = min(held.resets_at, at + BUDGET_PAUSE)
    detail = f"A budget ({held.scope.label.lower()}) has too little left; it begins anew at {held.resets_at:%Y-%m-%d %H:%M} UTC."
    claiming.wait(row, until, code="budget", detail=detail, is_attempt=False)
    return False


def _worst_cost(judge: Judge, tokens_in: int, tokens_out: int, at: datetime) -> int | None:
    """The dearest of what these tokens may cost, in nano-dollars; None for a model without a price."""
    book = money.overrides(tenant=judge.tenant_id, since=at)
    said: list[Mapping[str, Any]] = [{"cache_write": None}, {"cache_write": tokens_in}]
    costs = [
        price(
            judge.provider,
            judge.model,
            input=tokens_in,
            output=tokens_out,
            cache_read=None,
            reasoning=None,
            at=at,
            overrides=book,
            **more,
        ).nano_usd
        for more in said
    ]
    return max((cost for cost in costs if cost is not None), default=None)


def _skip(row: Judgement, at: datetime, code: str, detail: str) -> None:
    claiming.end(row, JudgementState.SKIPPED, at, code=code, detail=detail)


def _locked(tenant: uuid.UUID, judgement: uuid.UUID, claim: uuid.UUID) -> Judgement | None:
    row = (
        Judgement.objects.select_for_update(of=("self",))
        .filter(tenant_id=tenant, id=judgement)
        .select_related("judge", "judge__rubric_version", "judge__endpoint")
        .first()
    )
    return row if row is not None and claiming.is_mine(row, claim) else None
