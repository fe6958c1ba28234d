"""Entries go when their time is over; their leaves, the tree and its checkpoints stay, so what remains can be checked.

Deleting goes along the tree: everything below a leaf is gone, except what a legal hold keeps. `audit_head.pruned_below`
and the entry `audit.pruned` say up to where, so that an entry that is missing above it was taken by somebody else.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper

from agentops.common import scope
from agentops.common.errors import InputProblem, InvalidInput
from agentops.common.scope import tenant_scope
from audit import canonical
from audit.models import Entry, Keeping
from audit.services.recording import record
from audit.types import SYSTEM, Actor, Outcome, Target

OWNER = "owner"
PRUNED = "audit.pruned"
BATCH = 20_000  # leaves in one transaction
LEAST_DAYS = 184  # six months: what the EU AI Act asks of logs of high-risk systems (articles 19 and 26)
CHECKPOINTS_WHOLE = timedelta(days=30)
# What later entries are checked with: which key came after which, what was deleted, what was erased. They name nobody.
LASTING = ["audit.key_rotated", PRUNED, "privacy.erased"]

_LOCK = "SELECT pruned_below, tree_size FROM audit_head WHERE tenant_id = %s FOR UPDATE"
_HOLDS = "SELECT run_id FROM audit_hold WHERE tenant_id = %s AND lifted_at IS NULL"
_LIFTED = "SELECT DISTINCT run_id FROM audit_hold WHERE tenant_id = %s AND lifted_at IS NOT NULL AND run_id IS NOT NULL"
# Leaves are in the order of their batches, nearly that of time: the first young one ends what may go.
_FIRST_YOUNG = """
SELECT leaf_index FROM audit_leaf WHERE tenant_id = %s AND leaf_index >= %s AND leaf_index < %s AND recorded_at >= %s
ORDER BY leaf_index LIMIT 1
"""
_OLD = """
FROM audit_entry e JOIN audit_leaf l ON l.tenant_id = e.tenant_id AND l.recorded_at = e.recorded_at AND l.entry_id = e.id
WHERE l.tenant_id = %(tenant)s AND l.leaf_index >= %(first)s AND l.leaf_index < %(below)s
"""
_IS_KEPT = "(coalesce(e.run_id = ANY(%(held)s::uuid[]), false) OR e.action = ANY(%(lasting)s))"
_COUNT = f"SELECT count(*), count(*) FILTER (WHERE {_IS_KEPT}) {_OLD}"
_DELETE = f"""
WITH old AS (SELECT e.tenant_id, e.recorded_at, e.id {_OLD} AND NOT {_IS_KEPT}),
blobs AS (DELETE FROM audit_blob b USING old WHERE b.tenant_id = old.tenant_id AND b.entry_id = old.id)
DELETE FROM audit_entry e USING old WHERE e.tenant_id = old.tenant_id AND e.recorded_at = old.recorded_at AND e.id = old.id
"""  # noqa: S608  constants only
_MOVE = "UPDATE audit_head SET pruned_below = %s WHERE tenant_id = %s"
# What was held when everything around it went: found by its run, among the leaves below.
_FREED = """
FROM audit_entry e JOIN audit_leaf l ON l.tenant_id = e.tenant_id AND l.entry_id = e.id
WHERE e.tenant_id = %(tenant)s AND e.run_id = ANY(%(runs)s::uuid[]) AND l.leaf_index < %(below)s
"""
_DELETE_FREED = f"""
WITH old AS (SELECT e.tenant_id, e.recorded_at, e.id {_FREED}),
blobs AS (DELETE FROM audit_blob b USING old WHERE b.tenant_id = old.tenant_id AND b.entry_id = old.id)
DELETE FROM audit_entry e USING old WHERE e.tenant_id = old.tenant_id AND e.recorded_at = old.recorded_at AND e.id = old.id
"""  # noqa: S608  constants only
# Between two checkpoints that stay, the tree proves itself; the last one under each key says which key came next.
_THIN = """
DELETE FROM audit_checkpoint c WHERE c.tenant_id = %(tenant)s AND c.sealed_at < %(before)s AND NOT EXISTS (
    SELECT FROM (
        SELECT max(tree_size) AS kept FROM audit_checkpoint WHERE tenant_id = %(tenant)s GROUP BY date_trunc('hour', sealed_at)
        UNION ALL SELECT max(tree_size) FROM audit_checkpoint WHERE tenant_id = %(tenant)s GROUP BY key_id
    ) AS k WHERE k.kept = c.tree_size
)
"""


def set_period(*, tenant: uuid.UUID, days: int, most: int, by: Actor, at: datetime) -> None:
    """Keep entries for so many days, at least LEAST_DAYS and at most what the plan keeps. Raises InvalidInput."""
    scope.require_tenant(tenant)
    if not LEAST_DAYS <= days <= most:
        accepted = f"is a number of days from {LEAST_DAYS} to {most}, which is what your plan keeps"
        raise InvalidInput("The period is not valid.", problems=(InputProblem("/days", "invalid", accepted),))
    before = Keeping.objects.filter(tenant_id=tenant).first()
    old = before.days if before else most
    if old == days:
        return
    Keeping.objects.update_or_create(tenant_id=tenant, defaults={"days": days})
    record(
        tenant=tenant,
        action="audit.retention_set",
        actor=by,
        target=Target("audit_log", str(tenant)),
        outcome=Outcome.SUCCESS,
        data={"days": days, "old_days": old},
        at=at,
    )


def prune(*, tenant: uuid.UUID, before: datetime, at: datetime) -> int:
    """Delete the entries of the next BATCH leaves that were recorded before a time; answers how many leaves it passed.

    It works as the owner, and opens the tenant's scope for the entry that says what went. Nothing under a hold goes.
    """
    with transaction.atomic(using=OWNER, durable=True), connections[OWNER].cursor() as cursor:
        cursor.execute(_LOCK, [tenant])
        row = cursor.fetchone()
        held = _held(cursor, tenant)
        if row is None or held is None:
            return 0
        first, size = row
        upto = min(size, first + BATCH)
        cursor.execute(_FIRST_YOUNG, [tenant, first, upto, before])
        young = cursor.fetchone()
        below = young[0] if young else upto
        freed = _freed(cursor, tenant, held, first)
        if below == first and not freed:
            return 0
        _delete(cursor, tenant, first, below, held=held, freed=freed, before=before, at=at)
        cursor.execute(_MOVE, [below, tenant])
    return int(below - first)


def thin_checkpoints(*, tenant: uuid.UUID, at: datetime) -> int:
    """Of checkpoints older than a month keep the last of each hour, and of each key; answers how many went."""
    with transaction.atomic(using=OWNER, durable=True), connections[OWNER].cursor() as cursor:
        cursor.execute(_LOCK, [tenant])
        cursor.execute(_THIN, {"tenant": tenant, "before": at - CHECKPOINTS_WHOLE})
        return int(cursor.rowcount)


def _held(cursor: CursorWrapper, tenant: uuid.UUID) -> list[uuid.UUID] | None:
    """The runs that are held; None where everything is."""
    cursor.execute(_HOLDS, [tenant])
    runs = [run for (run,) in cursor.fetchall()]
    return None if None in runs else runs


def _freed(cursor: CursorWrapper, tenant: uuid.UUID, held: list[uuid.UUID], below: int) -> list[uuid.UUID]:
    """Runs that were held while everything around them went, and are held no more."""
    cursor.execute(_LIFTED, [tenant])
    runs = [run for (run,) in cursor.fetchall() if run not in held]
    if not runs:
        return []
    cursor.execute(f"SELECT DISTINCT e.run_id {_FREED}", {"tenant": tenant, "runs": runs, "below": below})
    return [run for (run,) in cursor.fetchall()]


def _delete(
    cursor: CursorWrapper,
    tenant: uuid.UUID,
    first: int,
    below: int,
    *,
    held: list[uuid.UUID],
    freed: list[uuid.UUID],
    before: datetime,
    at: datetime,
) -> None:
    places: dict[str, Any] = {"tenant": tenant, "first": first, "below": below, "held": held, "lasting": LASTING}
    cursor.execute(_COUNT, places)
    there, kept = cursor.fetchone()
    cursor.execute(_DELETE, places)
    count = cursor.rowcount
    if count != there - kept:
        raise RuntimeError(f"{there - kept} entries of tenant {tenant} were to be deleted, and {count} were")
    if freed:
        cursor.execute(_DELETE_FREED, {"tenant": tenant, "runs": freed, "below": first})
        count += cursor.rowcount
    _tell(tenant, {"before": canonical.timestamp(before), "entries": count, "below_leaf": below, "kept": kept}, at)


def _tell(tenant: uuid.UUID, data: dict[str, object], at: datetime) -> None:
    """Committed before the deletion is: who is killed in between has said it, and does it the next time."""
    with tenant_scope(tenant):
        last = Entry.objects.filter(tenant_id=tenant, action=PRUNED).order_by("-recorded_at", "-id").first()
        if last is not None and last.told() == {**data, "before": last.told()["before"]}:
            return
        record(
            tenant=tenant,
            action=PRUNED,
            actor=SYSTEM,
            target=Target("audit_log", str(tenant)),
            outcome=Outcome.SUCCESS,
            data=data,
            at=at,
        )
