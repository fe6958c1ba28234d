"""The life of a run after its spans: finished when silent, forgotten when retention has passed."""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta

from django.db import connection

from agentops.common import scope
from agentops.common.ids import new_id
from agentops.traces import writing
from audit import services as audit
from audit.types import SYSTEM, Outcome, Target

BATCH = 500


def finalise_idle_runs(*, tenant: uuid.UUID, idle: timedelta, at: datetime) -> int:
    """Finish up to BATCH runs of which nothing was heard for `idle`; answers how many. Safe to run twice at once."""
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT run_id FROM traces_run WHERE tenant_id = %s AND finalised_at IS NULL AND received_at < %s LIMIT %s",
            [tenant, at - idle, BATCH],
        )
        run_ids = [row[0] for row in cursor.fetchall()]
    if not run_ids:
        return 0
    return writing.close_idle(tenant=tenant, run_ids=run_ids, at=at)


def register_end_users(*, tenant: uuid.UUID, since: datetime, at: datetime) -> int:
    """Note the end users that runs named since a time; answers how many were new."""
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT left(user_id, 200) FROM traces_run WHERE tenant_id = %s AND received_at >= %s AND user_id <> '' "
            "EXCEPT SELECT external_id FROM tenants_enduser WHERE tenant_id = %s LIMIT 5000",
            [tenant, since, tenant],
        )
        names = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            "INSERT INTO tenants_enduser (id, tenant_id, external_id, first_seen_at) "
            "SELECT n.id, %s, n.name, %s FROM unnest(%s::uuid[], %s::text[]) AS n (id, name) ON CONFLICT DO NOTHING",
            [tenant, at, [new_id() for _ in names], names],
        )
        return int(cursor.rowcount)


def apply_retention(*, tenant: uuid.UUID, before: date, at: datetime) -> int:
    """Delete up to BATCH runs first seen before a day, with all that belongs to them; answers how many.

    What never belonged to a run goes too: log records of runs that never came, refused spans, minutes of ingest, names of
    attributes not seen since. The
    ledger stays: what was spent was spent. Partitions that no tenant needs any more are dropped whole elsewhere
    (agentops/portal/tasks.py); this serves tenants that keep less than others.
    """
    scope.require_tenant(tenant)
    _forget_loose_ends(tenant, before)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT run_id FROM traces_run WHERE tenant_id = %s AND day < %s AND ended_at < %s ORDER BY day, run_id LIMIT %s "
            "FOR UPDATE SKIP LOCKED",
            [tenant, before, before, BATCH],
        )
        run_ids = [row[0] for row in cursor.fetchall()]
    if not run_ids:
        return 0
    count = writing.forget(tenant=tenant, run_ids=run_ids)
    audit.record(
        tenant=tenant,
        action="retention.applied",
        actor=SYSTEM,
        target=Target(type="tenant", id=str(tenant)),
        outcome=Outcome.SUCCESS,
        data={"runs": count, "day": before.isoformat()},
        at=at,
    )
    return count


def _forget_loose_ends(tenant: uuid.UUID, before: date) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM traces_spanevent e WHERE e.tenant_id = %s AND e.at < %s AND NOT EXISTS "
            "(SELECT 1 FROM traces_run r WHERE r.tenant_id = %s AND r.run_id = e.run_id)",
            [tenant, before, tenant],
        )
        cursor.execute("DELETE FROM traces_deadletter WHERE tenant_id = %s AND received_at < %s", [tenant, before])
        cursor.execute("DELETE FROM traces_ingestminute WHERE tenant_id = %s AND minute < %s", [tenant, before])
        cursor.execute("DELETE FROM traces_unmappedkey WHERE tenant_id = %s AND last_seen_at < %s", [tenant, before])
