"""May this run begin? The server mints its id, so that caps cannot be reset by choosing another."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection
from psycopg.types.json import Jsonb

from agentops.budgets import queries as budgets
from agentops.catalog import queries as catalog
from agentops.catalog.errors import AgentUnknown
from agentops.catalog.types import AgentPolicy
from agentops.common import clock
from agentops.common.ids import new_id
from agentops.common.money import usd_text
from agentops.confirmations import queries as confirming
from agentops.runtime import rows
from agentops.runtime.errors import IdempotencyMismatch, RunFinished, RunRefused, RunThrottled
from agentops.runtime.policies import rates
from agentops.runtime.policies.caps import Used, effective, within
from agentops.runtime.policies.scope import narrowed
from agentops.runtime.services import answers, entry, limits
from agentops.runtime.types import Answer, Asker, EffectiveCaps, RunStatus, StartRequest, Verb
from audit import services as audit
from audit.types import Actor, Outcome, Target
from tenants import queries as tenants

_KILLED = """
SELECT s.scope, s.reason FROM runtime_killswitch s
WHERE s.tenant_id = %(tenant)s AND s.lifted_at IS NULL AND (
    s.scope = 'tenant' OR (s.scope = 'user' AND s.scope_id = %(user)s) OR (s.scope = 'agent' AND s.scope_id = ANY(%(lineage)s)))
UNION ALL
SELECT 'product', p.reason FROM runtime_productswitch p WHERE p.lifted_at IS NULL
LIMIT 1
"""
_INSERT = """
INSERT INTO runtime_guardedrun (tenant_id, run_id, root_id, parent_id, depth, agent_id, agent, version_id, agent_version,
    lineage, user_id, session_id, scope, caps, started_at, deadline, lease_until, status, end_code, end_detail, steps,
    llm_calls, tool_calls, tokens_held, tokens_used, nano_held, nano_used, history)
VALUES (%(tenant)s, %(run)s, %(root)s, %(parent)s, %(depth)s, %(agent_id)s, %(agent)s, %(version_id)s, %(version)s,
    %(lineage)s, %(user)s, %(session)s, %(scope)s, %(caps)s, %(now)s, %(deadline)s, %(lease)s, 1, '', '', 0,
    0, 0, 0, 0, 0, 0, '{}')
"""
_REMEMBER = """
INSERT INTO runtime_runstart (tenant_id, call_id, digest, run_id, answer, at)
VALUES (%s, %s, %s, %s, %s, %s)
"""
_MINUTE = """
INSERT INTO runtime_userminute AS m (tenant_id, user_id, minute, agent, runs, model_calls)
VALUES (%(tenant)s, %(user)s, date_trunc('minute', %(now)s::timestamptz), %(agent)s, %(runs)s, %(calls)s)
ON CONFLICT (tenant_id, user_id, minute, agent)
DO UPDATE SET runs = m.runs + excluded.runs, model_calls = m.model_calls + excluded.model_calls
"""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Written down first, raised after the commit."""

    code: str
    detail: str
    retry_after: int | None = None

    def raised(self) -> RunRefused | RunThrottled:
        if self.retry_after is None:
            return RunRefused(self.code, self.detail)
        return RunThrottled(self.code, self.detail, retry_after=self.retry_after)


@dataclass(frozen=True, slots=True)
class _Parent:
    run_id: uuid.UUID
    root_id: uuid.UUID
    depth: int
    lineage: list[str]
    scope: Mapping[str, Any]
    caps: EffectiveCaps
    used: Used
    deadline: datetime
    user_id: str
    family_size: int


def start(*, tenant: uuid.UUID, request: StartRequest, by: Asker) -> dict[str, Any]:
    """Start a run; answers its id, caps, tools and models. Opens its own scope.

    Raises RunRefused or RunThrottled with the reason, AgentUnknown, IdempotencyMismatch, RunUnknown and RunFinished (of
    the parent). A refusal is a decision too: it is written down.
    """
    found = entry.in_scope(tenant, lambda: _start(tenant, request, by))
    if isinstance(found, _Refusal):
        raise found.raised()
    return found


def _start(tenant: uuid.UUID, request: StartRequest, by: Asker) -> dict[str, Any] | _Refusal:
    if request.parent is None:
        entry.lock_starts(
            tenant
        )  # before anything is read: a resend that arrives together finds the first one's answer
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT digest, answer, clock_timestamp() FROM (SELECT 1) one LEFT JOIN runtime_runstart "
            "ON tenant_id = %s AND call_id = %s",
            [tenant, request.call_id],
        )
        digest, answer, now = cursor.fetchone()
    if digest is not None:
        if bytes(digest) != request.digest:
            raise IdempotencyMismatch(f"The call id {request.call_id!r} was used for another run; choose a new one.")
        return dict(orjson.loads(answer))
    try:
        policy = catalog.policy(tenant=tenant, agent=request.agent, version=request.agent_version)
    except AgentUnknown as unknown:
        return _refuse(tenant, request, by, now, None, _Refusal("agent_unknown", unknown.detail))
    parent = _parent(tenant, request, now) if request.parent else None
    refusal = _reason_against(tenant, request, policy, parent, now)
    if refusal is not None:
        return _refuse(tenant, request, by, now, policy, refusal)
    caps = _caps(tenant, policy)
    if parent is not None:
        caps = within(caps, parent=parent.caps, used=parent.used, depth=parent.depth + 1)
    if parent is None:
        refusal = _no_room(tenant, request, caps, now)
        if refusal is not None:
            return _refuse(tenant, request, by, now, policy, refusal)
    return _begin(tenant, request, by, now, policy, parent, caps)


def _reason_against(
    tenant: uuid.UUID, request: StartRequest, policy: AgentPolicy, parent: _Parent | None, now: datetime
) -> _Refusal | None:
    if not policy.is_approved:
        return _Refusal(
            "agent_version_not_approved",
            f"Version {request.agent_version} of {request.agent} is not approved; a reviewer can approve it.",
        )
    lineage = [*(parent.lineage if parent else []), request.agent]
    with connection.cursor() as cursor:
        cursor.execute(_KILLED, {"tenant": tenant, "user": request.user, "lineage": lineage})
        killed = cursor.fetchone()
    if killed:
        return _Refusal("killed", entry.killed_words(killed[0], killed[1]))
    if parent is None:
        return None
    if request.user != parent.user_id:
        return _Refusal("out_of_scope", "A child run acts for the user of its parent, and for nobody else.")
    if parent.depth + 1 > parent.caps.depth:
        return _Refusal("depth_cap_reached", f"Runs may nest {parent.caps.depth} deep, and this one would be deeper.")
    if parent.family_size > parent.caps.tool_calls:  # to hand work on is a step like a tool call, and as often
        return _Refusal("step_cap_reached", f"This run has begun {parent.caps.tool_calls} others; no more may begin.")
    return None


def _no_room(tenant: uuid.UUID, request: StartRequest, caps: EffectiveCaps, now: datetime) -> _Refusal | None:
    """Rates and slots. Until the commit, no other run of the tenant starts."""
    lately = limits.of_last_minute(tenant, request.user, now).runs
    if lately >= caps.runs_per_minute:
        return _Refusal(
            "rate_limited",
            f"{request.user} started {lately} runs within a minute; {caps.runs_per_minute} are allowed.",
            retry_after=rates.seconds_left(now),
        )
    of_all = limits.runs_of_tenant(tenant, now)
    if of_all >= caps.tenant_runs_per_minute:
        return _Refusal(
            "rate_limited",
            f"The organisation started {of_all} runs within a minute; {caps.tenant_runs_per_minute} are allowed.",
            retry_after=rates.seconds_left(now),
        )
    of_user, of_tenant = entry.active_runs(tenant, request.user, besides=uuid.UUID(int=0), facts_at=now)
    if of_user and budgets.is_throttled(tenant=tenant, user=request.user, agent=request.agent, at=now):
        return _Refusal(
            "concurrency_cap_reached",
            f"The budget of {request.user} is used up, so one run at a time is allowed.",
            retry_after=10,
        )
    if of_user >= caps.runs_per_user:
        return _Refusal(
            "concurrency_cap_reached",
            f"{request.user} has {of_user} runs in progress; {caps.runs_per_user} are allowed.",
            retry_after=5,
        )
    if of_tenant >= caps.runs_per_tenant:
        return _Refusal(
            "concurrency_cap_reached",
            f"The organisation has {of_tenant} runs in progress; {caps.runs_per_tenant} are allowed.",
            retry_after=5,
        )
    return None


def _begin(
    tenant: uuid.UUID,
    request: StartRequest,
    by: Asker,
    now: datetime,
    policy: AgentPolicy,
    parent: _Parent | None,
    caps: EffectiveCaps,
) -> dict[str, Any]:
    run = new_id()
    deadline = now + timedelta(seconds=caps.duration_seconds)
    if parent is not None:
        deadline = min(deadline, parent.deadline)
    scope = narrowed(request.scope, within=parent.scope if parent else None)
    answer = _answer(tenant, run, deadline, caps, policy, scope)
    params: dict[str, Any] = {
        "tenant": tenant,
        "run": run,
        "root": parent.root_id if parent else run,
        "parent": parent.run_id if parent else None,
        "depth": parent.depth + 1 if parent else 0,
        "agent_id": policy.agent_id,
        "agent": policy.agent,
        "version_id": policy.version_id,
        "version": policy.version,
        "lineage": Jsonb([*(parent.lineage if parent else []), policy.agent]),
        "user": request.user,
        "session": request.session,
        "scope": Jsonb(scope),
        "caps": Jsonb(asdict(caps)),
        "now": now,
        "deadline": deadline,
        "lease": now + rows.SLOT,
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, params)
        if parent is None:  # a family counts once, as it has one slot
            minute: dict[str, Any] = {
                "tenant": tenant,
                "user": request.user,
                "now": now,
                "agent": policy.agent,
                "runs": 1,
                "calls": 0,
            }
            cursor.execute(_MINUTE, minute)
        rows.decide(cursor, _decision(tenant, request, by, now, policy) | {"run": run, "decision": Answer.ALLOW.value})
    _record_start(tenant, request, by, now, policy, parent, run)
    stored = answers.serve_or_want(tenant=tenant, request=request, policy=policy, run=run, run_scope=scope, at=now)
    if stored is not None:
        answer["stored_answer"] = stored
        facts = entry.found(tenant, run, "")
        entry.end(facts, status=RunStatus.OK, code="", detail="", whole_family=parent is None)
    with connection.cursor() as cursor:
        cursor.execute(_REMEMBER, [tenant, request.call_id, request.digest, run, orjson.dumps(answer).decode(), now])
    return answer


def _record_start(
    tenant: uuid.UUID,
    request: StartRequest,
    by: Asker,
    now: datetime,
    policy: AgentPolicy,
    parent: _Parent | None,
    run: uuid.UUID,
) -> None:
    audit.record(
        tenant=tenant,
        action="run.started",
        actor=_actor(policy),
        target=Target(type="run", id=run.hex),
        outcome=Outcome.SUCCESS,
        data={
            "agent_version": policy.version,
            "parent": parent.run_id.hex if parent else "",
            "key": by.key_name,
            "policy_version": str(policy.policy_version),
        },
        at=now,
        run=run,
        on_behalf_of=request.user,
    )


def _answer(
    tenant: uuid.UUID,
    run: uuid.UUID,
    deadline: datetime,
    caps: EffectiveCaps,
    policy: AgentPolicy,
    scope: Mapping[str, Any],
) -> dict[str, Any]:
    allowed = scope.get("tools")
    rules = confirming.rules_for(tenant=tenant, agent=policy.agent, policy_version=policy.policy_version)
    return {
        "run_id": run.hex,
        "deadline": clock.rfc3339(deadline),
        "caps": {
            "llm_calls": caps.llm_calls,
            "tool_calls": caps.tool_calls,
            "depth": caps.depth,
            "tokens": caps.tokens,
            "cost_usd": usd_text(caps.cost_nano_usd),
            "duration_seconds": caps.duration_seconds,
        },
        "tools": [
            {
                "name": tool.name,
                "version": tool.version,
                "description": tool.description,
                "effect": str(tool.effect),
                # By it a client knows what may be read while we are away.
                "tier": max(tool.tier, rules.floor(tool.name)),
                "schema_digest": tool.schema_digest,
                "arguments_schema": tool.arguments_schema,
            }
            for tool in policy.tools.values()
            if tool.is_reviewed and (allowed is None or tool.name in allowed)
        ],
        "models": list(policy.models),
        "reads_when_offline": policy.reads_when_offline,
    }


def _refuse(
    tenant: uuid.UUID, request: StartRequest, by: Asker, now: datetime, policy: AgentPolicy | None, refusal: _Refusal
) -> _Refusal:
    decision = _decision(tenant, request, by, now, policy) | {
        "run": None,
        "decision": (Answer.THROTTLE if refusal.retry_after else Answer.REJECT).value,
        "code": refusal.code,
        "detail": refusal.detail,
    }
    with connection.cursor() as cursor:
        rows.decide(cursor, decision)
    audit.record(
        tenant=tenant,
        action="run.refused",
        actor=_actor(policy) if policy else Actor(type="agent", id=f"agent:{request.agent}", label=request.agent[:200]),
        target=Target(type="agent", id=request.agent[:200]),
        outcome=Outcome.DENIED,
        data={"code": refusal.code, "agent_version": request.agent_version[:200], "key": by.key_name},
        at=now,
        on_behalf_of=request.user,
        reason=refusal.detail[:500],
    )
    return refusal


def _decision(
    tenant: uuid.UUID, request: StartRequest, by: Asker, now: datetime, policy: AgentPolicy | None
) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "now": now,
        "call": request.call_id,
        "verb": int(Verb.START),
        "code": "",
        "detail": "",
        "agent": request.agent,
        "agent_version": request.agent_version,
        "user": request.user,
        "tool": "",
        "tool_version": "",
        "model": "",
        "tier": 0,
        "policy_version": policy.policy_version if policy else 0,
        "amount": 0,
        "key": by.key_id,
        "data": {"session": request.session} if request.session else {},
    }


def _parent(tenant: uuid.UUID, request: StartRequest, now: datetime) -> _Parent:
    """The parent, under its family's lock. Raises RunUnknown, RunFinished."""
    assert request.parent is not None
    facts = entry.found(tenant, request.parent, "", unknown="There is no run with the id in parent_run_id.")
    if facts.status is not RunStatus.RUNNING or facts.root.status is not RunStatus.RUNNING:
        raise RunFinished("The parent run has ended; a child cannot begin in it.")
    if now >= facts.root.deadline:
        raise RunFinished("The parent run is past its deadline; a child cannot begin in it.")
    return _Parent(
        run_id=facts.run_id,
        root_id=facts.root.run_id,
        depth=facts.depth,
        lineage=facts.lineage,
        scope=facts.scope,
        caps=facts.root.caps,
        used=Used(
            llm_calls=facts.root.llm_calls,
            tool_calls=facts.root.tool_calls,
            tokens=facts.root.tokens_used + facts.root.tokens_held,
            cost_nano_usd=facts.root.nano_used + facts.root.nano_held,
        ),
        deadline=facts.root.deadline if facts.run_id == facts.root.run_id else min(facts.root.deadline, facts.deadline),
        user_id=facts.user_id,
        family_size=len(rows.family(facts)),
    )


def _caps(tenant: uuid.UUID, policy: AgentPolicy) -> EffectiveCaps:
    return effective(
        agent=asdict(policy.caps),
        organisation=limits.of_organisation(tenant),
        plan=tenants.plan_of(tenant),
    )


def _actor(policy: AgentPolicy) -> Actor:
    return Actor(type="agent", id=f"agent:{policy.agent}", label=policy.agent)
