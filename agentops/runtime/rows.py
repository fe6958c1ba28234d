"""The statements of the guard: few, in raw SQL, because the ORM's CPU alone would pass what a decision may cost.

A verb locks the root's row first and reads everything else in a second statement: under READ COMMITTED a statement's
snapshot is older than the lock it waited for, so facts read together with the lock could be of before it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson
from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg.types.json import Jsonb

from agentops.common import prepared
from agentops.common.ids import new_id
from agentops.common.prepared import Rows, Statement
from agentops.runtime.policies.repetition import History
from agentops.runtime.types import (
    Asker,
    CallState,
    EffectiveCaps,
    RunStatus,
    Verb,
    Verdict,
)

SLOT = timedelta(minutes=5)  # how long a run keeps its concurrency slot without a word

# A verb looks single rows up. A plan that was made while a table was all but empty (a new month's calls, a new house) would
# read all of it until the planner hears that it has grown: 0.65 ms a decision in a month of 8,000 calls, instead of 0.05.
_BY_INDEX = Statement("SET LOCAL enable_seqscan = off")
_LOCK = """
SELECT run_id, status, steps, llm_calls, tool_calls, tokens_held, tokens_used, nano_held, nano_used, history, caps,
    deadline, lease_until, user_id, paused_at, paused_deadline
FROM runtime_guardedrun WHERE tenant_id = %(tenant)s AND run_id = (
    SELECT root_id FROM runtime_guardedrun WHERE tenant_id = %(tenant)s AND run_id = %(run)s)
FOR UPDATE
"""
_FACTS = """
SELECT clock_timestamp(), r.parent_id, r.depth, r.agent_id, r.agent, r.version_id, r.agent_version, r.user_id,
    r.session_id, r.scope, r.started_at, r.deadline, r.status, r.end_code, r.end_detail, a.policy_version, k.scope,
    k.reason, c.digest, c.answer, c.state, c.verb, r.lineage, c.decided_at, c.permit_expires_at, c.permit_consumed_at,
    r.caps
FROM runtime_guardedrun r
JOIN catalog_agent a ON a.tenant_id = r.tenant_id AND a.id = r.agent_id
LEFT JOIN LATERAL (
    SELECT s.scope, s.reason FROM runtime_killswitch s
    WHERE s.tenant_id = r.tenant_id AND s.lifted_at IS NULL AND s.mode = 'stop_next_step' AND (
        s.scope = 'tenant' OR (s.scope = 'user' AND s.scope_id = r.user_id)
        OR (s.scope = 'agent' AND r.lineage ? s.scope_id))
    UNION ALL
    SELECT 'product', p.reason FROM runtime_productswitch p WHERE p.lifted_at IS NULL AND p.mode = 'stop_next_step'
    LIMIT 1) k ON true
LEFT JOIN runtime_guardcall c ON c.tenant_id = r.tenant_id AND c.run_started_at = %(began)s AND c.run_id = r.run_id
    AND c.call_id = %(call)s
WHERE r.tenant_id = %(tenant)s AND r.run_id = %(run)s
"""
_WRITE_CALL = """
INSERT INTO runtime_guardcall (tenant_id, run_started_at, run_id, call_id, verb, step, state, digest, answer, decided_at,
    tool, likeness, confirmation_id, permit_expires_at, hold_tokens, closing_digest, closing_answer, outcome,
    external_system, external_id, idempotency_key, key_id)
VALUES (%(tenant)s, %(began)s, %(run)s, %(call)s, %(verb)s, %(step)s, %(state)s, %(digest)s, %(answer)s, %(now)s,
    %(tool)s, %(likeness)s, %(confirmation)s, %(permit_until)s, %(hold_tokens)s, '', '', '', '', '', '', %(key)s)
"""
_WRITE_RUN = """
UPDATE runtime_guardedrun SET steps = %(steps)s, llm_calls = %(llm_calls)s, tool_calls = %(tool_calls)s,
    tokens_held = %(tokens_held)s, tokens_used = %(tokens_used)s, nano_held = %(nano_held)s, nano_used = %(nano_used)s,
    history = %(history)s, lease_until = %(lease_until)s, deadline = %(root_deadline)s, paused_at = %(paused_at)s,
    paused_deadline = %(paused_deadline)s
WHERE tenant_id = %(tenant)s AND run_id = %(root)s
"""
_WRITE_DECISION = """
INSERT INTO runtime_decision (tenant_id, decided_at, id, run_id, call_id, verb, decision, code, detail, agent,
    agent_version, user_id, tool, tool_version, model, tier, policy_version, amount_nano_usd, took_us, key_id, data)
VALUES (%(tenant)s, %(now)s, %(decision_id)s, %(run)s, %(call)s, %(verb)s, %(decision)s, %(code)s, %(detail)s, %(agent)s,
    %(agent_version)s, %(user)s, %(tool)s, %(tool_version)s, %(model)s, %(tier)s, %(policy_version)s, %(amount)s,
    (extract(epoch FROM clock_timestamp() - %(now)s) * 1000000)::int, %(key)s, %(data)s)
"""
_WRITE_ALL = f"WITH call AS ({_WRITE_CALL}), run AS ({_WRITE_RUN}) {_WRITE_DECISION}"
_WRITE_NO_CALL = f"WITH run AS ({_WRITE_RUN}) {_WRITE_DECISION}"
_END = """
UPDATE runtime_guardedrun SET status = %(status)s, ended_at = %(now)s, end_code = %(code)s, end_detail = %(detail)s
WHERE tenant_id = %(tenant)s AND root_id = %(root)s AND status = 1 AND (%(whole)s OR run_id IN (
    WITH RECURSIVE ending AS (
        SELECT %(run)s::uuid AS run_id
        UNION SELECT r.run_id FROM runtime_guardedrun r JOIN ending e ON r.parent_id = e.run_id
        WHERE r.tenant_id = %(tenant)s AND r.root_id = %(root)s
    ) SELECT run_id FROM ending))
RETURNING run_id
"""


@dataclass(slots=True)
class Root:
    """The counters of a family, locked. What a verb changes here is written by `write`."""

    run_id: uuid.UUID
    status: RunStatus
    steps: int
    llm_calls: int
    tool_calls: int
    tokens_held: int
    tokens_used: int
    nano_held: int
    nano_used: int
    history: History
    caps: EffectiveCaps  # of the run that asks, on the family's counters: a child's may be narrower than the root's
    deadline: datetime
    lease_until: datetime
    user_id: str
    paused_at: datetime | None  # since when people are asked, and the deadline there was before
    paused_deadline: datetime | None
    family_caps: EffectiveCaps  # the root's
    given_back: timedelta = timedelta(0)  # to the clock of the family, by this verb


@dataclass(frozen=True, slots=True)
class Earlier:
    """What this call id was answered before."""

    digest: bytes
    answer: dict[str, Any]
    state: CallState
    verb: Verb
    decided_at: datetime
    permit_expires_at: datetime | None
    permit_consumed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Facts:
    """A run as it stands now, under the lock of its root. `now` is the database's clock: there is no other."""

    tenant_id: uuid.UUID
    run_id: uuid.UUID
    call_id: str
    root: Root
    now: datetime
    parent_id: uuid.UUID | None
    depth: int
    agent_id: uuid.UUID
    agent: str
    version_id: uuid.UUID
    agent_version: str
    user_id: str
    session_id: str
    scope: Mapping[str, Any]
    started_at: datetime
    deadline: datetime
    status: RunStatus
    end_code: str
    end_detail: str
    policy_version: int
    killed_scope: str | None
    killed_reason: str
    earlier: Earlier | None
    lineage: list[str]


def began(run: uuid.UUID) -> datetime:
    """When a run of ours began: the milliseconds in its version 7 id, which are the partition key of its calls."""
    return datetime.fromtimestamp((run.int >> 80) / 1000, UTC)


def locking(tenant: uuid.UUID, run: uuid.UUID, call_id: str) -> Sequence[Statement]:
    """The statements that lock a family and read what a verb needs; `facts_of` reads their rows."""
    params = {"tenant": tenant, "run": run, "call": call_id, "began": began(run)}
    return _BY_INDEX, Statement(_LOCK, params), Statement(_FACTS, params)


def facts_of(tenant: uuid.UUID, run: uuid.UUID, call_id: str, found: Sequence[Rows]) -> Facts | None:
    """What a verb needs to know; None where the tenant has no such run."""
    _, locked, read = found
    if not locked or not read:
        return None
    row = locked[0]
    history, family_caps = History(_json(row[9])), EffectiveCaps.of(_json(row[10]))
    caps = family_caps if row[0] == run else EffectiveCaps.of(_json(read[0][26]))
    root = Root(*(row[0], RunStatus(row[1]), *row[2:9], history, caps, *row[11:16], family_caps))
    row = read[0]
    earlier = None
    if row[18] is not None:
        earlier = Earlier(*(bytes(row[18]), orjson.loads(row[19]), CallState(row[20]), Verb(row[21]), *row[23:26]))
    facts = (*row[:9], _json(row[9]), *row[10:12], RunStatus(row[12]), *row[13:17], row[17] or "", earlier)
    return Facts(*(tenant, run, call_id, root, *facts, _json(row[22])))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCall:
    """The row of a call, beyond what its facts and verdict say."""

    state: CallState
    digest: bytes
    likeness: bytes = b""
    confirmation: uuid.UUID | None = None
    permit_until: datetime | None = None
    hold_tokens: int = 0


def write(
    facts: Facts, *, verb: Verb, verdict: Verdict, by: Asker, tool: str = "", call: NewCall | None = None
) -> None:
    """Write the counters, the decision and, if it is final, the call, in one statement."""
    root = facts.root
    params: dict[str, Any] = {
        "tenant": facts.tenant_id,
        "run": facts.run_id,
        "root": root.run_id,
        "call": facts.call_id,
        "verb": int(verb),
        "now": facts.now,
        "steps": root.steps,
        "llm_calls": root.llm_calls,
        "tool_calls": root.tool_calls,
        "tokens_held": root.tokens_held,
        "tokens_used": root.tokens_used,
        "nano_held": root.nano_held,
        "nano_used": root.nano_used,
        "history": Jsonb(root.history.stored(), dumps=orjson.dumps),
        "lease_until": root.lease_until,
        "root_deadline": root.deadline,
        "paused_at": root.paused_at,
        "paused_deadline": root.paused_deadline,
        "decision_id": new_id(),
        "decision": verdict.answer.value,
        "code": verdict.code,
        "detail": verdict.detail,
        "agent": facts.agent,
        "agent_version": facts.agent_version,
        "user": facts.user_id,
        "tool": tool,
        "tool_version": verdict.tool_version,
        "model": verdict.model,
        "tier": verdict.tier,
        "policy_version": facts.policy_version,
        "amount": verdict.amount_nano_usd,
        "key": by.key_id,
        "data": Jsonb(verdict.data, dumps=orjson.dumps),
    }
    if call is not None:
        params |= {
            "began": began(facts.run_id),
            "step": root.steps,
            "state": int(call.state),
            "digest": call.digest,
            "answer": orjson.dumps(verdict.as_json()).decode(),
            "likeness": call.likeness,
            "confirmation": call.confirmation,
            "permit_until": call.permit_until,
            "hold_tokens": call.hold_tokens,
        }
    prepared.run(_WRITE_ALL if call is not None else _WRITE_NO_CALL, params)


def end(facts: Facts, *, status: RunStatus, code: str, detail: str, whole_family: bool) -> list[uuid.UUID]:
    """End a run with those it began, or its whole family; answers which runs ended now."""
    with connection.cursor() as cursor:
        cursor.execute(
            _END,
            {
                "tenant": facts.tenant_id,
                "root": facts.root.run_id,
                "run": facts.run_id,
                "status": int(status),
                "now": facts.now,
                "code": code,
                "detail": detail,
                "whole": whole_family,
            },
        )
        return [row[0] for row in cursor.fetchall()]


def family(facts: Facts) -> list[uuid.UUID]:
    """The root and all runs below it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT run_id FROM runtime_guardedrun WHERE tenant_id = %s AND root_id = %s",
            [facts.tenant_id, facts.root.run_id],
        )
        return [row[0] for row in cursor.fetchall()]


def decide(cursor: CursorWrapper, params: Mapping[str, Any]) -> None:
    """Write a decision that has no locked run: a run that was refused, or ended by the sweep."""
    written: dict[str, Any] = {**params, "decision_id": new_id(), "data": Jsonb(params["data"], dumps=orjson.dumps)}
    cursor.execute(_WRITE_DECISION, written)


def _json(value: Any) -> Any:
    """Django's psycopg connection hands JSON over as text."""
    return orjson.loads(value) if isinstance(value, str | bytes) else cast(Any, value)
