"""What budgets found, with the minutes, versions and runs behind it. In staff's scope."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from agentops.budgets.types import DAY_ABOVE, MINUTE_SPIKE, WEEK_ABOVE
from agentops.common.ids import span_hex
from incidents.detecting.money import OverBudget, OverPlan, Spike
from incidents.detecting.seen import SampleRun

_MINUTE = timedelta(minutes=1)
# Of each organisation by itself, so that many of one do not hide those of another: those that are open, by their index,
# and of the last day those that ended lately; what was open for longer is known.
_SPIKES = """
SELECT f.id, f.tenant_id, f.fingerprint, f.found_at, f.last_seen_at, f.ended_at, f.data
FROM unnest(%(tenants)s::uuid[]) AS t (id)
JOIN LATERAL (
    (SELECT o.* FROM budgets_finding o WHERE o.tenant_id = t.id AND o.kind = %(kind)s AND o.ended_at IS NULL
    ORDER BY o.found_at DESC, o.id LIMIT 100)
    UNION ALL
    (SELECT e.* FROM budgets_finding e WHERE e.tenant_id = t.id AND e.kind = %(kind)s AND e.ended_at > %(since)s
        AND e.found_at > %(since)s - interval '1 day'
    ORDER BY e.found_at DESC, e.id LIMIT 100)
) f ON true
UNION ALL
SELECT p.id, NULL, p.fingerprint, p.found_at, p.last_seen_at, p.ended_at, p.data FROM budgets_productfinding p
WHERE p.kind = %(kind)s AND (p.ended_at IS NULL OR p.ended_at > %(since)s)
ORDER BY 4, 1
"""
_MINUTES = """
SELECT m.tenant_id, m.agent, m.minute, m.amount_nano_usd FROM budgets_spendminute m
JOIN unnest(%(tenants)s::uuid[], %(agents)s::text[]) AS f (tenant, agent) ON m.tenant_id = f.tenant AND m.agent = f.agent
WHERE m.minute >= %(since)s AND m.minute <= %(until)s
"""
_ALL_MINUTES = """
SELECT minute, sum(amount_nano_usd)::int8 FROM budgets_spendminute
WHERE minute >= %(since)s AND minute <= %(until)s AND tenant_id = ANY(%(tenants)s) GROUP BY minute
"""
# The runs that cost most since two minutes before, each at the call that cost most; what is held counts as it costs.
_RUNS = """
WITH calls AS (
    SELECT l.tenant_id, l.agent, l.run_id, l.span_id, l.model, l.occurred_at AS at, l.amount_nano_usd AS amount
    FROM unnest(%(tenants)s::uuid[], %(agents)s::text[]) AS f (tenant, agent)
    JOIN budgets_ledgerentry l ON l.tenant_id = f.tenant AND l.agent = f.agent AND l.occurred_at >= %(since)s
    UNION ALL
    SELECT r.tenant_id, r.agent, r.run_id, 0, r.model, r.reserved_at, r.hold_nano_usd
    FROM unnest(%(tenants)s::uuid[], %(agents)s::text[]) AS f (tenant, agent)
    JOIN budgets_reservation r ON r.tenant_id = f.tenant AND r.agent = f.agent AND r.state = 'held'
        AND r.reserved_at >= %(since)s
), ranked AS (
    SELECT tenant_id, agent, run_id, sum(amount) AS amount, max(at) AS at,
        (array_agg(span_id ORDER BY amount DESC))[1] AS span_id, (array_agg(model ORDER BY amount DESC))[1] AS model,
        row_number() OVER (PARTITION BY tenant_id, agent ORDER BY sum(amount) DESC, run_id) AS place
    FROM calls GROUP BY tenant_id, agent, run_id
)
SELECT k.tenant_id, k.agent, k.run_id, k.amount, k.at, k.span_id, k.model, coalesce(g.agent_version, r.agent_version, '')
FROM ranked k
LEFT JOIN runtime_guardedrun g ON g.tenant_id = k.tenant_id AND g.run_id = k.run_id
LEFT JOIN traces_run r ON r.tenant_id = k.tenant_id AND r.run_id = k.run_id
WHERE k.place <= 10 ORDER BY k.amount DESC, k.run_id
"""
_BUDGETS = """
SELECT DISTINCT ON (n.tenant_id, n.scope, n.subject, n.period) n.id, n.tenant_id, n.scope, n.subject, n.period, n.percent,
    n.limit_nano_usd, n.used_nano_usd, n.crossed_at
FROM budgets_notice n
WHERE n.percent >= 100 AND n.period_end > %(at)s AND n.crossed_at >= %(since)s AND n.scope IN ('tenant', 'agent')
    AND n.tenant_id = ANY(%(tenants)s)
ORDER BY n.tenant_id, n.scope, n.subject, n.period, n.crossed_at DESC
"""
_PLANS = """
SELECT id, kind, detail, found_at, data FROM budgets_productfinding WHERE kind = ANY(%(kinds)s) AND ended_at IS NULL
"""
_LATE = timedelta(minutes=10)  # a row is seen when its transaction has committed
_LONGEST_PERIOD = timedelta(days=32)


def spikes(*, tenants: Sequence[uuid.UUID], since: datetime, at: datetime) -> list[Spike]:
    """Minutes that cost too much: those that go on, and those that ended lately."""
    with connection.cursor() as cursor:
        cursor.execute(_SPIKES, {"kind": MINUTE_SPIKE, "since": since - _LATE, "tenants": list(tenants)})
        rows = cursor.fetchall()
        if not rows:
            return []
        minute = at.replace(second=0, microsecond=0)
        pairs = [(tenant, agent) for _, tenant, agent, *_ in rows if tenant is not None]
        params: dict[str, Any] = {
            "tenants": [tenant for tenant, _ in pairs],
            "agents": [agent for _, agent in pairs],
            "since": minute - 2 * _MINUTE,
            "until": minute,
        }
        cursor.execute(_MINUTES, params)
        spent = {(tenant, agent, when): amount for tenant, agent, when, amount in cursor.fetchall()}
        if len(pairs) < len(rows):
            cursor.execute(_ALL_MINUTES, {**params, "tenants": list(tenants)})
            spent |= {(None, "", when): amount for when, amount in cursor.fetchall()}
        cursor.execute(_RUNS, params)
        runs: dict[tuple[Any, str], list[Any]] = {}
        for row in cursor.fetchall():
            runs.setdefault((row[0], row[1]), []).append(row)
    runs[None, ""] = sorted((row for each in runs.values() for row in each), key=lambda row: -row[3])[:10]
    return [
        Spike(
            id=row[0], tenant=row[1], agent=row[2], found_at=row[3], last_seen_at=row[4], ended_at=row[5],
            data=_data(row[6]), minutes=tuple(spent.get((row[1], row[2], minute - back * _MINUTE), 0) for back in range(3)),
            version=_first(runs.get((row[1], row[2])), 7), model=_first(runs.get((row[1], row[2])), 6),
            samples=tuple(_sample(run) for run in runs.get((row[1], row[2]), [])),
        )
        for row in rows
    ]  # fmt: skip


def over_budget(*, tenants: Sequence[uuid.UUID], at: datetime) -> list[OverBudget]:
    """Budgets of organisations and agents that are used up in a period that goes on; those of users are theirs."""
    with connection.cursor() as cursor:
        cursor.execute(_BUDGETS, {"tenants": list(tenants), "at": at, "since": at - _LONGEST_PERIOD})
        return [
            OverBudget(
                id=row[0], tenant=row[1], scope=row[2], agent=row[3], period=row[4], percent=row[5], limit_nano_usd=row[6],
                used_nano_usd=row[7], crossed_at=row[8],
            )
            for row in cursor.fetchall()
        ]  # fmt: skip


def over_plan() -> list[OverPlan]:
    """What the whole product spends above what is usual, or above its plan."""
    with connection.cursor() as cursor:
        cursor.execute(_PLANS, {"kinds": [DAY_ABOVE, WEEK_ABOVE]})
        return [
            OverPlan(id=row[0], kind=row[1], detail=row[2], found_at=row[3], data=_data(row[4]))
            for row in cursor.fetchall()
        ]


def _sample(row: Any) -> SampleRun:
    tenant, _, run, amount, at, span, *_ = row
    return SampleRun(tenant=tenant, run=run, at=at, step=span_hex(span) if span else "", value=float(amount) / 1e9)


def _first(rows: list[Any] | None, place: int) -> str:
    return str(rows[0][place] or "") if rows else ""


def _data(value: Any) -> dict[str, Any]:
    """A JSON column as the driver gives it in plain SQL: text, or what it holds."""
    return dict(json.loads(value)) if isinstance(value, str | bytes) else dict(value or {})
