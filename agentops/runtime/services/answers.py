"""Stored answers: the same asked again of the same agent version is answered without a run.

Only where the manifest says so, and only for runs that did nothing but read: an answer that is served again must not
stand for an act that is not done again. A run that is answered so has begun and ended, with its entries; it costs
nothing, and the ledger has an entry that says what was saved.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection

from agentops.budgets import services as budgets
from agentops.budgets.types import GUARD_SPAN, Charge, EntryKind
from agentops.catalog.types import AgentPolicy, Effect
from agentops.common import clock, scope, strictjson
from agentops.common.money import usd_text
from agentops.runtime.models import StoredAnswer, WantedAnswer
from agentops.runtime.rows import Facts
from agentops.runtime.services import entry
from agentops.runtime.types import AnswerKey, StartRequest
from audit import services as audit
from audit.types import Actor, Outcome, Target

MOST_BYTES = 65_536  # of an answer; a longer one is not stored
_SERVE = """
UPDATE runtime_storedanswer SET served = served + 1, served_at = %(now)s
WHERE tenant_id = %(tenant)s AND digest = %(digest)s AND expires_at > %(now)s
RETURNING output, run_id, cost_nano_usd, stored_at
"""
_DONE = """
SELECT DISTINCT tool FROM runtime_decision
WHERE tenant_id = %s AND run_id = ANY(%s) AND verb = 4 AND decision IN ('allow', 'confirm')
"""
_FAMILY = "SELECT run_id FROM runtime_guardedrun WHERE tenant_id = %s AND root_id = %s"
_PURGE = (
    "DELETE FROM runtime_storedanswer WHERE tenant_id = %s AND expires_at < %s",
    "DELETE FROM runtime_wantedanswer WHERE tenant_id = %s AND wanted_at < %s - interval '2 days'",
)


def serve_or_want(
    *,
    tenant: uuid.UUID,
    request: StartRequest,
    policy: AgentPolicy,
    run: uuid.UUID,
    run_scope: Mapping[str, Any],
    at: datetime,
) -> dict[str, Any] | None:
    """The stored answer for a run that has just begun, charged at nothing; else note that its answer is wanted.

    In the transaction of the start, which then ends the run. None where there is none, or the manifest stores none.
    """
    scope.require_tenant(tenant)
    key = request.answer_key
    if key is None or not policy.output_cache.seconds:
        return None
    digest = _digest(policy, key, request.user, run_scope)
    with connection.cursor() as cursor:
        cursor.execute(_SERVE, {"tenant": tenant, "digest": digest, "now": at})
        row = cursor.fetchone()
    if row is None:
        _want(tenant, run, key, digest, at)
        return None
    output, source, cost, stored_at = row
    budgets.charge_many(tenant=tenant, charges=[_saving(request, policy, run, source, cost, at)], at=at)
    audit.record(
        tenant=tenant,
        action="answer.served",
        actor=Actor(type="agent", id=f"agent:{policy.agent}", label=policy.agent),
        target=Target(type="run", id=run.hex),
        outcome=Outcome.SUCCESS,
        data={"source": source.hex, "saved_usd": usd_text(cost), "input": key.input_digest},
        at=at,
        run=run,
        on_behalf_of=request.user,
    )
    return {
        "output": orjson.loads(output),
        "run_id": source.hex,
        "stored_at": clock.rfc3339(stored_at),
        "saved_usd": usd_text(cost),
    }


def keep_answer(*, tenant: uuid.UUID, facts: Facts, output: Any, policy: AgentPolicy) -> bool:
    """Store what a run answered, if it was wanted and the run did nothing but read; in the transaction of its end."""
    scope.require_tenant(tenant)
    wanted = WantedAnswer.objects.filter(tenant_id=tenant, run_id=facts.run_id).first()
    if wanted is None:
        return False
    WantedAnswer.objects.filter(tenant_id=tenant, run_id=facts.run_id).delete()
    seconds = policy.output_cache.seconds
    text = strictjson.canonical(output).decode() if output is not None else ""
    is_fit = 0 < len(text.encode()) <= MOST_BYTES and facts.root.nano_held == 0
    if not seconds or not is_fit or not _only_read(tenant, facts, policy):
        return False
    StoredAnswer.objects.update_or_create(
        tenant_id=tenant,
        digest=bytes(wanted.digest),
        defaults={
            "agent": facts.agent,
            "agent_version": facts.agent_version,
            "user_id": facts.user_id,
            "prompt_hash": wanted.prompt_hash,
            "model": wanted.model,
            "tool_definitions_hash": wanted.tool_definitions_hash,
            "input_digest": wanted.input_digest,
            "output": text,
            "run_id": facts.run_id,
            "cost_nano_usd": facts.root.nano_used,
            "stored_at": facts.now,
            "expires_at": facts.now + timedelta(seconds=seconds),
            "served": 0,
            "served_at": None,
        },
    )
    audit.record(
        tenant=tenant,
        action="answer.stored",
        actor=entry.actor(facts),
        target=Target(type="run", id=facts.run_id.hex),
        outcome=Outcome.SUCCESS,
        data={"input": wanted.input_digest, "seconds": seconds, "cost_usd": usd_text(facts.root.nano_used)},
        at=facts.now,
        run=facts.run_id,
        on_behalf_of=facts.user_id,
    )
    return True


def forget_answers(*, tenant: uuid.UUID, agent: str, by: Actor, at: datetime) -> int:
    """Delete every stored answer of an agent, as something they were made from is not true any more; answers how many."""
    scope.require_tenant(tenant)
    count, _ = StoredAnswer.objects.filter(tenant_id=tenant, agent=agent).delete()
    audit.record(
        tenant=tenant,
        action="answer.forgotten",
        actor=by,
        target=Target(type="agent", id=agent),
        outcome=Outcome.SUCCESS,
        data={"answers": count},
        at=at,
    )
    return count


def purge_answers(*, tenant: uuid.UUID, at: datetime) -> None:
    """Delete answers that serve no more, and what was wanted of runs that never told their end."""
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        for statement in _PURGE:
            cursor.execute(statement, [tenant, at])


def _digest(policy: AgentPolicy, key: AnswerKey, user: str, run_scope: Mapping[str, Any]) -> bytes:
    of = {
        "agent": policy.agent,
        "version": policy.version,
        "content": policy.policy_version,  # whatever is changed about the agent, its earlier answers serve no more
        "user": None if policy.output_cache.is_for_everybody else user,
        "scope": run_scope,  # what one run may look up is in its answer, and no business of a run that may not
        "prompt_hash": key.prompt_hash,
        "model": key.model,
        "tools": key.tool_definitions_hash,
        "input": key.input_digest,
    }
    return hashlib.sha256(strictjson.canonical(of)).digest()


def _want(tenant: uuid.UUID, run: uuid.UUID, key: AnswerKey, digest: bytes, at: datetime) -> None:
    WantedAnswer.objects.create(
        tenant_id=tenant,
        run_id=run,
        digest=digest,
        prompt_hash=key.prompt_hash,
        model=key.model,
        tool_definitions_hash=key.tool_definitions_hash,
        input_digest=key.input_digest,
        wanted_at=at,
    )


def _saving(
    request: StartRequest, policy: AgentPolicy, run: uuid.UUID, source: uuid.UUID, cost: int, at: datetime
) -> Charge:
    assert request.answer_key is not None
    return Charge(
        kind=EntryKind.CACHED,
        occurred_at=at,
        run_id=run,
        span_id=GUARD_SPAN,
        call_id=request.call_id,
        agent=policy.agent,
        user_id=request.user,
        model=request.answer_key.model,
        provider="",
        input_tokens=0,
        output_tokens=0,
        cache_read_tokens=0,
        cache_write_tokens=0,
        reasoning_tokens=0,
        amount_nano_usd=0,
        price_version="",
        reason=f"answered as run {source.hex} was",
        saved_nano_usd=cost,
    )


def _only_read(tenant: uuid.UUID, facts: Facts, policy: AgentPolicy) -> bool:
    """Did the run, with those it began, call no tools but such that read?"""
    with connection.cursor() as cursor:
        cursor.execute(_FAMILY, [tenant, facts.root.run_id])
        family = [row[0] for row in cursor.fetchall()]
        cursor.execute(_DONE, [tenant, family])
        done = [row[0] for row in cursor.fetchall()]
    own = {name for name, tool in policy.tools.items() if tool.effect is Effect.READ}
    return set(done) <= own
