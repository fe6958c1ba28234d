"""Runs that failed or refused, by agent. In staff's scope."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from agentops.common.ids import span_hex
from incidents.detecting.rates import HOUR, RECENT, ErrorFigures, RefusalFigures
from incidents.detecting.seen import SampleRun

_SETTLES = timedelta(minutes=2)  # runs end, and are finished, a little before they are counted
# By when runs were finished: one that begins and ends long before it arrives is counted when it is known.
_ERRORS = """
SELECT t.id, r.agent, count(*), count(*) FILTER (WHERE r.status = 2),
    count(*) FILTER (WHERE r.settled >= %(recent)s), count(*) FILTER (WHERE r.status = 2 AND r.settled >= %(recent)s),
    max(r.agent_version), (array_agg(r.run_id ORDER BY r.settled DESC) FILTER (WHERE r.status = 2))[1:10],
    (array_agg(r.settled ORDER BY r.settled DESC) FILTER (WHERE r.status = 2))[1:10],
    (array_agg(r.root_span_id ORDER BY r.settled DESC) FILTER (WHERE r.status = 2))[1:10]
FROM unnest(%(tenants)s::uuid[]) AS t (id)
JOIN LATERAL (
    SELECT r.agent, r.agent_version, r.run_id, r.status, r.root_span_id, greatest(r.finalised_at, r.received_at) AS settled
    FROM traces_run r
    WHERE r.tenant_id = t.id AND r.finalised_at IS NOT NULL
        AND greatest(r.finalised_at, r.received_at) >= %(since)s AND greatest(r.finalised_at, r.received_at) < %(until)s
        AND r.ended_at >= %(since)s::timestamptz - interval '1 day'
) r ON true
GROUP BY t.id, r.agent
"""
_REFUSALS = """
SELECT t.id, f.agent,
    count(*) FILTER (WHERE f.started_at >= %(hour)s), count(*) FILTER (WHERE f.started_at >= %(hour)s AND f.is_refused),
    count(*) FILTER (WHERE f.started_at < %(week_end)s), count(*) FILTER (WHERE f.started_at < %(week_end)s AND f.is_refused),
    count(*) FILTER (WHERE f.started_at >= %(day)s AND f.started_at < %(hour)s),
    count(*) FILTER (WHERE f.started_at >= %(day)s AND f.started_at < %(hour)s AND f.is_refused),
    max(f.agent_version) FILTER (WHERE f.started_at >= %(hour)s),
    (array_agg(f.run_id ORDER BY f.started_at DESC) FILTER (WHERE f.started_at >= %(hour)s AND f.is_refused))[1:10],
    (array_agg(f.started_at ORDER BY f.started_at DESC) FILTER (WHERE f.started_at >= %(hour)s AND f.is_refused))[1:10]
FROM unnest(%(tenants)s::uuid[]) AS t (id)
JOIN LATERAL (
    SELECT f.agent, f.agent_version, f.run_id, f.started_at, f.is_refused FROM evals_runfact f
    WHERE f.tenant_id = t.id AND f.day >= %(day)s::timestamptz::date AND f.started_at >= %(day)s AND f.started_at < %(until)s
    UNION ALL
    SELECT f.agent, f.agent_version, f.run_id, f.started_at, f.is_refused FROM evals_runfact f
    WHERE f.tenant_id = t.id AND f.day >= %(week)s::timestamptz::date AND f.day <= %(week_end)s::timestamptz::date
        AND f.started_at >= %(week)s AND f.started_at < %(week_end)s
) f ON true
GROUP BY t.id, f.agent
HAVING count(*) FILTER (WHERE f.started_at >= %(hour)s AND f.is_refused) > 0
"""


def errors(*, tenants: Sequence[uuid.UUID], until: datetime) -> list[ErrorFigures]:
    """Runs that were finished in the hour before a moment, by agent."""
    params: dict[str, Any] = {
        "tenants": list(tenants), "since": until - HOUR, "recent": until - RECENT, "until": until,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_ERRORS, params)
        return [
            ErrorFigures(
                tenant=row[0], agent=row[1], runs=row[2], failed=row[3], recent_runs=row[4], recent_failed=row[5],
                version=row[6] or "", samples=_samples(row[0], row[7], row[8], row[9]),
            )
            for row in cursor.fetchall()
        ]  # fmt: skip


def refusals(*, tenants: Sequence[uuid.UUID], until: datetime) -> list[RefusalFigures]:
    """Runs that began in the hour before a moment, less what is too new to be known; and what was usual."""
    end = until - _SETTLES
    week = timedelta(days=7)
    params: dict[str, Any] = {
        "tenants": list(tenants), "until": end, "hour": end - HOUR, "day": end - HOUR - timedelta(days=1),
        "week": end - HOUR - week, "week_end": end - week,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_REFUSALS, params)
        return [
            RefusalFigures(
                tenant=row[0], agent=row[1], runs=row[2], refused=row[3], week_runs=row[4], week_refused=row[5],
                day_runs=row[6], day_refused=row[7], version=row[8] or "", samples=_samples(row[0], row[9], row[10]),
            )
            for row in cursor.fetchall()
        ]  # fmt: skip


def _samples(tenant: uuid.UUID, runs: Any, times: Any, roots: Any = None) -> tuple[SampleRun, ...]:
    steps = [span_hex(root) if root is not None else "" for root in roots or [None] * len(runs or [])]
    return tuple(
        SampleRun(tenant=tenant, run=run, at=at, step=step)
        for run, at, step in zip(runs or [], times or [], steps, strict=True)
    )
