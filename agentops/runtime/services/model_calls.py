"""May this model call be made, by which model, and how long may its answer be?"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection

from agentops.budgets import queries as budgeting
from agentops.budgets import services as budgets
from agentops.budgets.types import Action, Refused
from agentops.catalog import queries as catalog
from agentops.catalog.types import AgentPolicy
from agentops.common import clock, prepared
from agentops.common.money import usd_text
from agentops.runtime.policies import rates
from agentops.runtime.policies.advice import advice
from agentops.runtime.policies.holds import Cost, longest_within, worst_case
from agentops.runtime.policies.routing import Choice, choose
from agentops.runtime.rows import Facts, NewCall
from agentops.runtime.services import entry, limits
from agentops.runtime.types import HOLD_LASTS, Answer, Asker, CallState, ModelProposal, RunStatus, Verb, Verdict
from tenants import queries as tenants

_BUDGET_CODES = {"tenant": "tenant_budget_exceeded", "user": "user_budget_exceeded", "agent": "cost_budget_exceeded"}
_COUNT = """
INSERT INTO runtime_userminute AS m (tenant_id, user_id, minute, agent, runs, model_calls)
VALUES (%s, %s, date_trunc('minute', %s::timestamptz), %s, 0, 1)
ON CONFLICT (tenant_id, user_id, minute, agent) DO UPDATE SET model_calls = m.model_calls + 1
"""
_CHEAP = """
SELECT coalesce(sum(calls), 0), coalesce(sum(failures), 0) FROM runtime_modeloutcome
WHERE tenant_id = %s AND agent = %s AND task_class = %s AND model = %s AND hour >= %s::timestamptz - interval '2 hours'
"""
_OLDER = """
SELECT count(*) FROM runtime_guardedrun
WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND status = 1 AND root_id = run_id AND run_id < %(root)s
    AND lease_until > %(now)s AND deadline > %(now)s
"""


@dataclass(slots=True)
class _Plan:
    """A model call as it would be made."""

    model: str
    provider: str
    output_tokens: int
    cost: Cost
    because: str = ""

    @property
    def hold(self) -> int:
        found = self.cost(self.output_tokens)
        assert found is not None  # unpriced models are refused before
        return found


def reserve(*, tenant: uuid.UUID, run: uuid.UUID, proposal: ModelProposal, by: Asker) -> dict[str, Any]:
    """Admit a model call and hold its worst case, in all budgets or in none. Opens its own scope.

    Raises RunUnknown, RunFinished, IdempotencyMismatch, CallOver.
    """
    return entry.with_run(tenant, run, proposal.call_id, lambda facts: _reserve(facts, proposal, by))


def _reserve(facts: Facts, proposal: ModelProposal, by: Asker) -> dict[str, Any]:
    earlier = entry.replayed(facts, Verb.MODEL_CALL, proposal.digest, by=by)
    if earlier is not None:
        return earlier
    entry.require_running(facts)
    entry.resume_clock(facts)
    policy = catalog.policy(
        tenant=facts.tenant_id, agent=facts.agent, version=facts.agent_version, policy_version=facts.policy_version
    )
    verdict = _decide(facts, policy, proposal)
    verdict.model = verdict.model or proposal.model
    is_final = verdict.answer is not Answer.THROTTLE  # who is told to come back may come back with the same call id
    call = None
    if is_final:
        is_allowed = verdict.answer is Answer.ALLOW
        call = NewCall(
            state=CallState.ADMITTED if is_allowed else CallState.REJECTED,
            digest=proposal.digest,
            hold_tokens=proposal.input_tokens + verdict.body["max_output_tokens"] if is_allowed else 0,
        )
    entry.write_down(facts, verb=Verb.MODEL_CALL, verdict=verdict, by=by, call=call)
    return verdict.as_json()


def _decide(facts: Facts, policy: AgentPolicy, proposal: ModelProposal) -> Verdict:
    verdict = entry.stopped(facts) or entry.without_slot(facts)
    if verdict is not None:
        return verdict
    root = facts.root
    if not policy.is_approved:
        return _rejected(
            "agent_version_not_approved",
            f"Version {facts.agent_version} of {facts.agent} is not approved (any more).",
        )
    if root.llm_calls >= root.caps.llm_calls:
        detail = f"Stopped: the run has made its {root.caps.llm_calls} model calls."
        is_of_all = root.llm_calls >= root.family_caps.llm_calls
        entry.end(facts, status=RunStatus.ABORTED, code="step_cap_reached", detail=detail, whole_family=is_of_all)
        return Verdict(Answer.ABORT, "step_cap_reached", detail)
    verdict = _too_fast(facts)
    if verdict is not None:
        return verdict
    choice = _choice(facts, policy, proposal)
    if choice.model not in policy.models:
        return _rejected(
            "model_not_allowed",
            f"{facts.agent} may use {', '.join(policy.models)}; {choice.model[:100]} is not among them.",
        )
    plan = _plan(facts, proposal, choice)
    if plan is None:
        return _rejected(
            "model_unpriced",
            f"{choice.model} has no price, so no budget could hold it. An admin can set one on Prices.",
        )
    return _afforded(facts, policy, proposal, plan)


def _too_fast(facts: Facts) -> Verdict | None:
    most = limits.most_model_calls(facts.tenant_id, facts.agent)
    lately = limits.of_last_minute(facts.tenant_id, facts.user_id, facts.now, agent=facts.agent).model_calls
    if lately < most:
        return None
    detail = (
        f"{facts.user_id}'s runs made {lately} model calls within a minute; {most} are usual enough for {facts.agent}."
    )
    return Verdict(
        Answer.THROTTLE, "rate_limited", detail, body={"retry_after": min(10, rates.seconds_left(facts.now))}
    )


def _choice(facts: Facts, policy: AgentPolicy, proposal: ModelProposal) -> Choice:
    """What was asked for, unless the agent leaves the choice to us."""
    routing = policy.routing
    if not routing.is_on:
        return Choice(proposal.model or policy.models[0], "")
    with connection.cursor() as cursor:
        cursor.execute(_CHEAP, [facts.tenant_id, facts.agent, proposal.task_class, routing.cheap, facts.now])
        calls, failures = cursor.fetchone()
    return choose(
        routing=routing,
        task_class=proposal.task_class,
        plan=tenants.plan_of(facts.tenant_id),
        cheap_calls=int(calls),
        cheap_failures=int(failures),
    )


def _plan(facts: Facts, proposal: ModelProposal, choice: Choice) -> _Plan | None:
    """The call with its cost as a function of its output; None for a model without a price.

    The provider that was named is that of the model that was asked for. Another one may be another provider's: where the
    named one does not have it, its name decides.
    """
    is_asked_for = choice.model == proposal.model
    for provider in (proposal.provider,) if is_asked_for else dict.fromkeys((proposal.provider, "")):
        cost = worst_case(
            provider,
            choice.model,
            input_tokens=proposal.input_tokens,
            at=facts.now,
            overrides=budgeting.overrides(tenant=facts.tenant_id, since=facts.now),
        )
        if cost(proposal.max_output_tokens) is not None:
            return _Plan(choice.model, provider, proposal.max_output_tokens, cost, choice.because)
    return None


def _afforded(facts: Facts, policy: AgentPolicy, proposal: ModelProposal, plan: _Plan) -> Verdict:
    """Fit the call into what is left: tokens of the run, money of the run, then every budget."""
    root = facts.root
    tokens_left = root.caps.tokens - root.tokens_used - root.tokens_held - proposal.input_tokens
    if tokens_left < 1:
        return _rejected(
            "token_budget_exceeded",
            f"The run may use {root.caps.tokens} tokens; {max(0, tokens_left + proposal.input_tokens)} are left, "
            f"and the input alone is {proposal.input_tokens}.",
        )
    plan.output_tokens = min(plan.output_tokens, tokens_left)
    if not _shrink(plan, _money_left(facts)):
        return _beyond_the_run(facts)
    refused = _reserve_in_budgets(facts, proposal, plan, past_limit=False)
    if refused is not None and not refused.is_ceiling:
        for limit in (refused, *refused.others):  # each owner's choice counts: who may finish, may still have to save
            verdict = _at_limit(facts, policy, proposal, plan, limit)
            if verdict is not None:
                return verdict
        refused = _reserve_in_budgets(facts, proposal, plan, past_limit=True)
    if refused is not None:
        return _over_budget(refused)
    return _admitted(facts, proposal, plan)


def _money_left(facts: Facts) -> int:
    return facts.root.caps.cost_nano_usd - facts.root.nano_used - facts.root.nano_held


def _beyond_the_run(facts: Facts) -> Verdict:
    return _rejected(
        "cost_budget_exceeded",
        f"The run may cost {usd_text(facts.root.caps.cost_nano_usd)} USD; {usd_text(max(0, _money_left(facts)))} is left, "
        "which does not pay for this call.",
    )


def _shrink(plan: _Plan, room: int) -> bool:
    """Shorten the answer until the call fits into an amount; False when not even one token of it does."""
    if plan.hold <= room:
        return True
    plan.output_tokens = longest_within(plan.cost, most=plan.output_tokens, room=room)
    return plan.output_tokens > 0


def _reserve_in_budgets(facts: Facts, proposal: ModelProposal, plan: _Plan, *, past_limit: bool) -> Refused | None:
    """Hold the call in every budget; where one has less left, a shorter answer that fits. None when it is held."""
    refused: Refused | None = None
    for _ in range(4):  # a round or two: the ceiling with the least left is told first
        found = budgets.reserve(
            tenant=facts.tenant_id,
            run=facts.run_id,
            call_id=facts.call_id,
            agent=facts.agent,
            user=facts.user_id,
            model=plan.model,
            provider=plan.provider,
            hold_nano_usd=plan.hold,
            input_tokens=proposal.input_tokens,
            max_output_tokens=plan.output_tokens,
            past_limit=past_limit,
            expires_at=facts.now + HOLD_LASTS,
            at=facts.now,
        )
        if not isinstance(found, Refused):
            return None
        refused = found
        if not refused.is_ceiling or not _shrink(plan, refused.free_nano_usd):
            break
    return refused


def _at_limit(
    facts: Facts, policy: AgentPolicy, proposal: ModelProposal, plan: _Plan, refused: Refused
) -> Verdict | None:
    """A budget is used up, and its ceiling not yet: do what its owner chose. None: go on, up to the ceiling."""
    if refused.action is Action.BLOCK:
        return _over_budget(refused)
    if refused.action is Action.DOWNGRADE:
        cheapest = _cheapest(facts, policy, proposal, plan.output_tokens)
        if cheapest is not None:
            plan.model, plan.provider, plan.cost = cheapest.model, cheapest.provider, cheapest.cost
            plan.because = f"{_owner(refused)} is used up, so the cheapest allowed model serves"
        # Cheapest for an answer of this length; the run's own money has to pay for it, whichever it is.
        return None if _shrink(plan, _money_left(facts)) else _beyond_the_run(facts)
    of_user = _older_runs(facts)
    if of_user == 0:
        plan.because = plan.because or f"{_owner(refused)} is used up; this is the user's only run, so it may finish"
        return None
    detail = f"{_owner(refused)} is used up, so {facts.user_id}'s runs take turns: {of_user} began earlier."
    return Verdict(Answer.THROTTLE, _code(refused), detail, body={"retry_after": 5})


def _older_runs(facts: Facts) -> int:
    """The user's other runs that began before this one: the oldest goes on, or they would all wait for each other."""
    with connection.cursor() as cursor:
        cursor.execute(
            _OLDER, {"tenant": facts.tenant_id, "user": facts.user_id, "root": facts.root.run_id, "now": facts.now}
        )
        return int(cursor.fetchone()[0])


def _cheapest(facts: Facts, policy: AgentPolicy, proposal: ModelProposal, output_tokens: int) -> _Plan | None:
    plans = [_plan(facts, proposal, Choice(model, "")) for model in policy.models]
    priced = [plan for plan in plans if plan is not None]
    for plan in priced:
        plan.output_tokens = output_tokens
    return min(priced, key=lambda plan: plan.hold, default=None)


def _over_budget(refused: Refused) -> Verdict:
    return _rejected(
        _code(refused),
        f"{_owner(refused)} is {usd_text(refused.limit_nano_usd)} USD; {usd_text(refused.used_nano_usd)} is spent or held, "
        f"and what is left does not pay for this call. It starts anew at {refused.resets_at:%Y-%m-%d %H:%M} UTC.",
    )


def _owner(refused: Refused) -> str:
    match refused.scope.value:
        case "tenant":
            return "The organisation's budget"
        case "user":
            return f"The budget of the user {refused.scope_id}"
        case _:
            return f"The budget of the agent {refused.scope_id}"


def _code(refused: Refused) -> str:
    return _BUDGET_CODES[refused.scope.value]


def _admitted(facts: Facts, proposal: ModelProposal, plan: _Plan) -> Verdict:
    root = facts.root
    root.steps += 1
    root.llm_calls += 1
    root.tokens_held += proposal.input_tokens + plan.output_tokens
    root.nano_held += plan.hold
    prepared.run(_COUNT, [facts.tenant_id, facts.user_id, facts.now, facts.agent])
    body: dict[str, Any] = {
        "model": plan.model,
        "max_output_tokens": plan.output_tokens,
        "reserved_usd": usd_text(plan.hold),
        "expires_at": clock.rfc3339(facts.now + HOLD_LASTS),
    }
    told = advice(
        [
            ("model calls", root.llm_calls, root.caps.llm_calls),
            ("tool calls", root.tool_calls, root.caps.tool_calls),
            ("tokens", root.tokens_used + root.tokens_held, root.caps.tokens),
            ("money", root.nano_used + root.nano_held, root.caps.cost_nano_usd),
        ]
    )
    data: dict[str, Any] = {"task_class": proposal.task_class} if proposal.task_class else {}
    if told:
        body["advice"] = data["advice"] = told
    if plan.because:
        body["because"] = data["because"] = plan.because
    if plan.output_tokens < proposal.max_output_tokens:
        data["shrunk_from"] = proposal.max_output_tokens
    return Verdict(Answer.ALLOW, body=body, data=data, model=plan.model, amount_nano_usd=plan.hold)


def _rejected(code: str, detail: str) -> Verdict:
    return Verdict(Answer.REJECT, code, detail)
