"""What waits for too long, and what was seen after a kill switch. In staff's scope, except the broker, which has none."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from celery import current_app
from django.db import connection

from agentops.common.queues import Queue
from agentops.traces.types import SpanKind
from audit import queries as audited
from incidents.detecting.machinery import Depth, Drifted, LateStep, LogFinding, Refused, Waiting
from incidents.detecting.seen import SampleRun

# Findings are bounded organisation by organisation: many of one do not hide those of another.
_UNSOUND = """
SELECT f.id, t.id, f.kind, f.detail, f.found_at, f.last_seen_at FROM unnest(%(tenants)s::uuid[]) AS t (id)
JOIN LATERAL (
    SELECT f.* FROM audit_finding f WHERE f.tenant_id = t.id AND f.ended_at IS NULL AND f.kind <> 'sealing_lag'
    ORDER BY f.found_at DESC, f.id LIMIT 100
) f ON true
ORDER BY f.found_at, f.id
"""
_UNSENT = """
SELECT t.id, m.next_attempt_at FROM unnest(%(tenants)s::uuid[]) AS t (id)
JOIN LATERAL (
    SELECT m.next_attempt_at FROM outbox_message m WHERE m.tenant_id = t.id AND m.state = 'waiting'
    ORDER BY m.next_attempt_at LIMIT 1
) m ON m.next_attempt_at <= %(at)s
"""
# Judges that are paused, and endpoints that rest, keep theirs waiting on purpose.
_UNJUDGED = """
SELECT t.id, j.next_at FROM unnest(%(tenants)s::uuid[]) AS t (id)
JOIN LATERAL (
    SELECT j.next_at FROM evals_judgement j
    JOIN evals_judge jd ON jd.id = j.judge_id JOIN evals_judgeendpoint e ON e.id = jd.endpoint_id
    WHERE j.tenant_id = t.id AND j.state IN ('planned', 'running') AND j.next_at <= %(at)s AND jd.state = 'active'
        AND (e.paused_until IS NULL OR e.paused_until <= %(at)s)
    ORDER BY j.next_at LIMIT 1
) j ON true
"""
_UNFINISHED = """
SELECT r.tenant_id, min(r.received_at + make_interval(mins => s.idle_minutes)) FROM traces_run r
JOIN tenants_tenantsettings s ON s.tenant_id = r.tenant_id
WHERE r.finalised_at IS NULL AND r.received_at < %(at)s - make_interval(mins => s.idle_minutes)
    AND r.received_at < %(at)s AND r.tenant_id = ANY(%(tenants)s)
GROUP BY r.tenant_id
"""
_REFUSED = """
SELECT t.id, count(*), mode() WITHIN GROUP (ORDER BY d.code), min(d.received_at)
FROM unnest(%(tenants)s::uuid[]) AS t (id)
JOIN LATERAL (
    SELECT d.code, d.received_at FROM traces_deadletter d
    WHERE d.tenant_id = t.id AND d.state = 'new' AND d.received_at >= %(since)s AND d.received_at <= %(at)s
) d ON true
GROUP BY t.id
"""
_DRIFTED = """
SELECT f.id, t.id, f.agent, f.fingerprint, f.sentence, f.metric, f.effect, f.found_at, f.last_seen_at, f.worst_runs
FROM unnest(%(tenants)s::uuid[]) AS t (id)
JOIN LATERAL (
    SELECT f.* FROM evals_driftfinding f WHERE f.tenant_id = t.id AND f.ended_at IS NULL
    ORDER BY f.found_at DESC, f.id LIMIT 100
) f ON true
ORDER BY f.found_at, f.id
"""
# Steps that were let through after a switch that stops steps, and starts after one that stops starts, as the guard's own
# proof counts them (runtime/queries/switches.py); and, of agents that do not ask, calls that began after it.
_LATE = """
WITH switches AS (
    SELECT s.id, s.tenant_id AS whose, t.id AS tenant_id, s.scope, s.scope_id, s.mode, s.set_at, s.lifted_at
    FROM runtime_killswitch s JOIN unnest(%(tenants)s::uuid[]) AS t (id) ON t.id = s.tenant_id
    WHERE s.lifted_at IS NULL OR s.lifted_at > %(since)s
    UNION ALL
    SELECT p.id, NULL, t.id, 'product', '', p.mode, p.set_at, p.lifted_at
    FROM runtime_productswitch p CROSS JOIN unnest(%(tenants)s::uuid[]) AS t (id)
    WHERE p.lifted_at IS NULL OR p.lifted_at > %(since)s
), late AS (
    SELECT s.id, s.whose, s.tenant_id, s.scope, s.scope_id, s.set_at, d.run_id, d.agent, d.decided_at AS at
    FROM switches s
    JOIN LATERAL (
        SELECT d.run_id, d.agent, d.decided_at FROM runtime_decision d
        LEFT JOIN runtime_guardedrun r ON r.tenant_id = d.tenant_id AND r.run_id = d.run_id
        WHERE d.tenant_id = s.tenant_id AND d.decided_at >= greatest(s.set_at + %(bound)s, %(since)s)
            AND d.decided_at <= coalesce(s.lifted_at, %(at)s) AND d.decision = 'allow'
            AND d.verb = ANY(CASE s.mode WHEN 'block_new' THEN ARRAY[1] ELSE ARRAY[1, 2, 4, 5] END)
            AND (s.scope IN ('tenant', 'product') OR (s.scope = 'user' AND d.user_id = s.scope_id)
                OR (s.scope = 'agent' AND (d.agent = s.scope_id OR r.lineage ? s.scope_id)))
    ) d ON true
    UNION ALL
    SELECT s.id, s.whose, s.tenant_id, s.scope, s.scope_id, s.set_at, p.run_id, p.agent, p.started_at
    FROM switches s
    JOIN LATERAL (
        SELECT p.run_id, p.agent, p.started_at FROM traces_run r
        JOIN traces_span p ON p.tenant_id = r.tenant_id AND p.day = r.day AND p.run_id = r.run_id
        WHERE r.tenant_id = s.tenant_id AND r.finalised_at IS NULL AND r.received_at >= %(since)s
            AND r.ended_at >= s.set_at + %(bound)s AND p.kind = ANY(%(calls)s) AND NOT p.is_guarded
            AND (s.mode = 'stop_next_step' OR r.started_at >= s.set_at + %(bound)s)
            AND p.started_at >= s.set_at + %(bound)s AND p.started_at <= coalesce(s.lifted_at, %(at)s)
            AND NOT EXISTS (SELECT 1 FROM runtime_guardedrun g WHERE g.tenant_id = r.tenant_id AND g.run_id = r.run_id)
            AND (s.scope IN ('tenant', 'product') OR (s.scope = 'user' AND r.user_id = s.scope_id)
                OR (s.scope = 'agent' AND (r.agent = s.scope_id OR p.agent = s.scope_id)))
    ) p ON true
)
SELECT id, whose, scope, scope_id, set_at, max(at), count(*), (array_agg(DISTINCT agent))[1:20],
    (array_agg(tenant_id ORDER BY at DESC))[1:10], (array_agg(run_id ORDER BY at DESC))[1:10],
    (array_agg(at ORDER BY at DESC))[1:10]
FROM late GROUP BY id, whose, scope, scope_id, set_at
"""
_CALLS = (SpanKind.LLM, SpanKind.TOOL, SpanKind.SIDE_EFFECT)
LATE_WINDOW = timedelta(minutes=5)  # looked at again and again: rows are seen when they have committed


def unsound_logs(*, tenants: Sequence[uuid.UUID]) -> list[LogFinding]:
    """Checks of audit logs that failed; late sealing is looked at by itself."""
    return [
        LogFinding(id=row[0], tenant=row[1], kind=row[2], detail=row[3], found_at=row[4], last_seen_at=row[5])
        for row in _rows(_UNSOUND, tenants)
    ]


def unsealed(*, tenants: Sequence[uuid.UUID]) -> list[Waiting]:
    """The oldest entry of each log that has no seal yet."""
    found, wanted = audited.tenants_waiting(lately=True), frozenset(tenants)
    return [Waiting(what="seal", tenant=tenant, since=since) for tenant, since in found if tenant in wanted]


def queues(*, tenants: Sequence[uuid.UUID], at: datetime) -> list[Waiting]:
    """The oldest message that is due, and the oldest judgement, of each organisation."""
    return [
        *(Waiting(what="outbox", tenant=row[0], since=row[1]) for row in _rows(_UNSENT, tenants, at=at)),
        *(Waiting(what="judging", tenant=row[0], since=row[1]) for row in _rows(_UNJUDGED, tenants, at=at)),
    ]


def unfinished(*, tenants: Sequence[uuid.UUID], at: datetime) -> list[Waiting]:
    """Since when the oldest run of each organisation should have been finished."""
    return [Waiting(what="runs", tenant=row[0], since=row[1]) for row in _rows(_UNFINISHED, tenants, at=at)]


def refused_messages(*, tenants: Sequence[uuid.UUID], at: datetime) -> list[Refused]:
    """What could not be taken in the last hour and waits for a person."""
    rows = _rows(_REFUSED, tenants, at=at, since=at - timedelta(hours=1))
    return [Refused(tenant=row[0], count=row[1], code=row[2], since=row[3]) for row in rows]


def drifted(*, tenants: Sequence[uuid.UUID]) -> list[Drifted]:
    """Findings of drift that go on."""
    return [
        Drifted(
            id=row[0], tenant=row[1], agent=row[2], fingerprint=row[3], sentence=row[4], metric=row[5], effect=row[6],
            found_at=row[7], last_seen_at=row[8],
            samples=tuple(SampleRun(tenant=row[1], run=run, at=row[7]) for run in row[9][:10]),
        )
        for row in _rows(_DRIFTED, tenants)
    ]  # fmt: skip


def late_steps(*, tenants: Sequence[uuid.UUID], bound: float, at: datetime) -> list[LateStep]:
    """Steps of the last minutes that a kill switch should have stopped `bound` seconds before."""
    rows = _rows(
        _LATE,
        tenants,
        at=at,
        since=at - LATE_WINDOW,
        bound=timedelta(seconds=bound),
        calls=[int(kind) for kind in _CALLS],
    )
    return [
        LateStep(
            switch=row[0], tenant=row[1], scope=row[2], scope_id=row[3], set_at=row[4], last_at=row[5], steps=row[6],
            agents=tuple(row[7]),
            samples=tuple(
                SampleRun(tenant=tenant, run=run, at=when)
                for tenant, run, when in zip(row[8], row[9], row[10], strict=True) if run is not None
            ),
        )
        for row in rows
    ]  # fmt: skip


def tasks_waiting() -> list[Depth]:
    """How many tasks wait in each queue of the broker. It asks the broker: call it outside any transaction."""
    with current_app.connection_for_read() as broker:
        client = broker.default_channel.client
        return [Depth(queue=queue.value, tasks=int(client.llen(queue.value))) for queue in Queue]


def _rows(statement: str, tenants: Sequence[uuid.UUID], **params: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"tenants": list(tenants), **params})
        return list(cursor.fetchall())
