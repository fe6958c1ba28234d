"""What the operations dashboard shows, measured once for everybody who looks. Every function needs staff's scope.

Figures are those of customers: our own organisation and the ones that drills are played on are left out.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from agentops.catalog import queries as catalog
from agentops.confirmations.types import OPEN
from agentops.runtime import queries as guard
from agentops.runtime.types import RunStatus
from agentops.traces.queries import RunStatus as TracedStatus
from audit import queries as audited

HOUR = timedelta(hours=1)
_INGEST_LOOK, _LAG_LOOK = timedelta(minutes=5), timedelta(minutes=30)
_ABORTED = [int(RunStatus.ABORTED), int(RunStatus.KILLED), int(RunStatus.EXPIRED)]
_CUSTOMERS = "SELECT id FROM tenants_tenant WHERE is_active AND NOT is_house AND NOT is_drill ORDER BY id"
# Runs by the index over all organisations; the ledger, the guard's runs and judgements organisation by organisation,
# each a look at its own index.
_RUNS = """
SELECT count(*), count(*) FILTER (WHERE r.status <> %(running)s), count(*) FILTER (WHERE r.status = %(error)s),
    count(f.run_id), count(*) FILTER (WHERE f.is_refused)
FROM traces_run r LEFT JOIN evals_runfact f ON f.tenant_id = r.tenant_id AND f.run_id = r.run_id
WHERE r.started_at >= %(since)s AND r.started_at < %(until)s AND r.tenant_id = ANY(%(tenants)s)
"""
_BY_TENANT = """
SELECT coalesce(sum(l.amount), 0)::int8, coalesce(sum(l.unpriced), 0)::int8, coalesce(sum(a.runs), 0)::int8,
    coalesce(sum(j.number), 0)::int8, sum(j.weighted) / nullif(sum(j.weight), 0)
FROM unnest(%(tenants)s::uuid[]) AS t (id)
CROSS JOIN LATERAL (
    SELECT sum(amount_nano_usd) AS amount, count(*) FILTER (WHERE NOT is_priced) AS unpriced FROM budgets_ledgerentry
    WHERE tenant_id = t.id AND occurred_at >= %(since)s AND occurred_at < %(until)s) AS l
CROSS JOIN LATERAL (
    SELECT count(*) AS runs FROM runtime_guardedrun
    WHERE tenant_id = t.id AND ended_at >= %(since)s AND ended_at < %(until)s AND status = ANY(%(aborted)s)
        AND root_id = run_id) AS a
CROSS JOIN LATERAL (
    SELECT count(*) AS number, sum(score / probability) AS weighted, sum(1 / probability) AS weight FROM evals_judgement
    WHERE tenant_id = t.id AND planned_at >= %(since)s AND planned_at < %(until)s AND subject = 'run'
        AND state = 'scored') AS j
"""
_WAITING = """
SELECT count(*), min(requested_at) FROM confirmations_confirmation
WHERE state = ANY(%(open)s) AND expires_at > %(at)s AND tenant_id = ANY(%(tenants)s)
"""
_INGEST = """
SELECT coalesce(sum(accepted), 0)::int8, coalesce(sum(rejected), 0)::int8 FROM unnest(%(tenants)s::uuid[]) AS t (id)
CROSS JOIN LATERAL (SELECT * FROM traces_ingestminute WHERE tenant_id = t.id AND minute >= %(since)s) AS m
"""
# Of runs that are going on: who sends us last year's traces is not late.
_LAG = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY lag), max(lag) FROM (
    SELECT greatest(extract(epoch FROM received_at - ended_at) * 1000, 0) AS lag FROM traces_run
    WHERE started_at >= %(lately)s AND received_at >= %(since)s AND tenant_id = ANY(%(tenants)s)) AS runs
"""


@dataclass(frozen=True, slots=True)
class HourFigures:
    """Sixty minutes of all customers. A score is a mean over runs, each weighted by how rarely its like is judged."""

    runs: int
    finished: int
    errors: int
    known: int  # runs of which quality has its facts: refusals are told of these
    refused: int
    aborted: int
    spent_nano_usd: int
    unpriced_calls: int
    judged: int
    score: float | None


@dataclass(frozen=True, slots=True)
class Present:
    """How things stand now."""

    confirmations: int
    oldest_confirmation_at: datetime | None
    spans_per_second: float
    rejected: int  # in the last five minutes, as the lag
    lag_ms: float | None  # from the end of a span to its commit here, of the run in the middle
    lag_ms_most: float
    unsealed_since: datetime | None  # the oldest entry of any organisation that waits for its place in a tree
    switches_on: int
    tools_waiting: int


def customers() -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_CUSTOMERS)
        return [found for (found,) in cursor.fetchall()]


def hour_before(*, tenants: Sequence[uuid.UUID], until: datetime) -> HourFigures:
    """The sixty minutes before a moment."""
    params: dict[str, Any] = {
        "tenants": list(tenants),
        "since": until - HOUR,
        "until": until,
        "running": int(TracedStatus.RUNNING),
        "error": int(TracedStatus.ERROR),
        "aborted": _ABORTED,
    }
    with connection.cursor() as cursor:
        cursor.execute(_RUNS, params)
        runs, finished, errors, known, refused = cursor.fetchone()
        cursor.execute(_BY_TENANT, params)
        spent, unpriced, aborted, judged, score = cursor.fetchone()
    return HourFigures(runs, finished, errors, known, refused, aborted, spent, unpriced, judged, score)


def present(*, tenants: Sequence[uuid.UUID], at: datetime) -> Present:
    """What waits, how late ingest and sealing are, and what is stopped."""
    params: dict[str, Any] = {"tenants": list(tenants), "at": at, "since": at - _INGEST_LOOK, "lately": at - _LAG_LOOK}
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, params | {"open": [str(state.value) for state in OPEN]})
        waiting, oldest = cursor.fetchone()
        cursor.execute(_INGEST, params)
        accepted, rejected = cursor.fetchone()
        cursor.execute(_LAG, params)
        lag, lag_most = cursor.fetchone()
    unsealed = audited.tenants_waiting(lately=True)
    return Present(
        confirmations=waiting,
        oldest_confirmation_at=oldest,
        spans_per_second=accepted / _INGEST_LOOK.total_seconds(),
        rejected=rejected,
        lag_ms=None if lag is None else float(lag),
        lag_ms_most=float(lag_most or 0),
        unsealed_since=unsealed[0][1] if unsealed else None,
        switches_on=len(guard.all_switches_on()) + sum(each.lifted_at is None for each in guard.product_switches()),
        tools_waiting=len(catalog.tools_waiting(tenant=None)),
    )
