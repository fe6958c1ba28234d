"""What has no place in its tree yet, and for how long."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, connections

from audit.models import Finding, Head, Pending

LAG = timedelta(minutes=5)  # an entry that waits longer is a finding
LAGS = "sealing_lag"
LATE = timedelta(minutes=2)  # who commits so long after recording is found by a look from the beginning
COUNTED_MOST = 10_000

# Rows that were sealed stay in the way of every look as long as anybody's snapshot is older than their sealing (a dump, a
# forgotten transaction): nothing can vacuum them. So a look begins near the last leaf, and not at the beginning; what was
# recorded before and committed late is not seen by it. Where such a one was found to be late, looks begin at the beginning.
_FROM = """
coalesce((
    SELECT least(l.recorded_at, h.sealed_at) - %(late)s FROM audit_head h
    JOIN audit_leaf l ON l.tenant_id = h.tenant_id AND l.leaf_index = h.tree_size - 1
    WHERE h.tenant_id = {tenant} AND NOT EXISTS (
        SELECT FROM audit_finding f WHERE f.tenant_id = h.tenant_id AND f.kind = %(lags)s AND f.ended_at IS NULL
    )
), '-infinity')
"""
_FROM_OF_ONE = f"SELECT nullif({_FROM.format(tenant='%(tenant)s')}, '-infinity')"
_LATELY = f"""
SELECT t.id, p.recorded_at FROM tenants_tenant t, LATERAL (
    SELECT recorded_at FROM audit_pending WHERE tenant_id = t.id AND recorded_at >= {_FROM.format(tenant="t.id")}
    ORDER BY recorded_at LIMIT 1
) AS p
"""  # noqa: S608  constants only
# From one tenant to the next along the primary key: a few rows are read, however many wait.
_TENANTS = """
WITH RECURSIVE waiting AS (
    (SELECT tenant_id, recorded_at FROM audit_pending ORDER BY tenant_id, recorded_at LIMIT 1)
    UNION ALL
    SELECT next.tenant_id, next.recorded_at FROM waiting, LATERAL (
        SELECT p.tenant_id, p.recorded_at FROM audit_pending p WHERE p.tenant_id > waiting.tenant_id
        ORDER BY p.tenant_id, p.recorded_at LIMIT 1
    ) AS next
)
SELECT tenant_id, recorded_at FROM waiting
"""
_OF_ONE = f"""
SELECT count(*), min(recorded_at) FROM (
    SELECT recorded_at FROM audit_pending
    WHERE tenant_id = %(tenant)s AND recorded_at >= {_FROM.format(tenant="%(tenant)s")} ORDER BY recorded_at LIMIT %(most)s
) AS waiting
"""  # noqa: S608  constants only

_UNSEEN_LEAVES = """
SELECT h.tenant_id FROM audit_head h LEFT JOIN audit_manifestcursor c ON c.tenant_id = h.tenant_id
LEFT JOIN audit_leaf l ON l.tenant_id = h.tenant_id AND l.leaf_index = coalesce(c.next_leaf, 0)
WHERE h.tree_size > coalesce(c.next_leaf, 0) ORDER BY l.recorded_at NULLS FIRST, h.tenant_id
"""
_LOOK: dict[str, Any] = {"late": LATE, "lags": LAGS}


@dataclass(frozen=True, slots=True)
class SealingState:
    """How far a tenant's tree is. `waiting`, of what was written lately, is counted up to COUNTED_MOST; `findings` are open."""

    tree_size: int
    sealed_at: datetime | None
    pruned_below: int
    waiting: int
    oldest_waiting: datetime | None
    findings: list[Finding]

    def is_late(self, now: datetime) -> bool:
        return self.oldest_waiting is not None and now - self.oldest_waiting > LAG


def tenants_waiting(*, lately: bool = False, using: str = "default") -> list[tuple[uuid.UUID, datetime]]:
    """Each tenant with something that waits, and since when, the longest first. Asked by staff, or as the owner.

    `lately` is cheap at any time, and leaves out what was committed long after it was recorded (LATE).
    """
    with connections[using].cursor() as cursor:
        cursor.execute(_LATELY if lately else _TENANTS, _LOOK if lately else None)
        return sorted(cursor.fetchall(), key=lambda found: found[1])


def looked_at_from(*, tenant: uuid.UUID, using: str = "default") -> datetime | None:
    """Where a look for what a tenant wrote lately begins; None is the beginning."""
    with connections[using].cursor() as cursor:
        cursor.execute(_FROM_OF_ONE, _LOOK | {"tenant": tenant})
        found: datetime | None = cursor.fetchone()[0]
    return found


def sealing_state(*, tenant: uuid.UUID) -> SealingState:
    """For the pages of one tenant."""
    head = Head.objects.filter(tenant_id=tenant).first()
    with connection.cursor() as cursor:
        cursor.execute(_OF_ONE, _LOOK | {"tenant": tenant, "most": COUNTED_MOST})
        waiting, oldest = cursor.fetchone()
    return SealingState(
        tree_size=head.tree_size if head else 0,
        sealed_at=head.sealed_at if head else None,
        pruned_below=head.pruned_below if head else 0,
        waiting=waiting,
        oldest_waiting=oldest,
        findings=list(Finding.objects.filter(tenant_id=tenant, ended_at=None).order_by("found_at", "id")),
    )


def is_waiting(*, tenant: uuid.UUID, entry_id: uuid.UUID) -> bool:
    """Was the entry recorded, and has no place yet?"""
    return Pending.objects.filter(tenant_id=tenant, entry_id=entry_id).exists()


def tenants_with_finding(*, kind: str, using: str = "default") -> list[uuid.UUID]:
    """Those with an open finding of this kind."""
    found = Finding.objects.using(using).filter(kind=kind, ended_at=None)
    return list(found.order_by("tenant_id").values_list("tenant_id", flat=True))


def tenants_without_manifests() -> list[uuid.UUID]:
    """Those with leaves that were not looked at for runs that have ended, the longest first. Asked by staff."""
    with connection.cursor() as cursor:
        cursor.execute(_UNSEEN_LEAVES)
        return [tenant for (tenant,) in cursor.fetchall()]
