"""A run's slice of its budgets: opened, filled, taken back from the idle, closed."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from agentops.budgets.services import counters
from agentops.common import scope

UNLIMITED = 1 << 62  # the slice of a run that no budget holds for
# One at a time draws from a run's slice. A call that finds too little in it would else keep the row that it waited for,
# and then wait for counters whose holder may want that row.
MINE = "SELECT pg_advisory_xact_lock(hashtextextended(%(slice_of)s, 10))"
# Around a statement that waits for the row of an open slice. The row stays locked, also where it turns out to hold too little
# or to be closed: who has just taken back what was free in it may want it again, and has the counters that come next.
TRYING, GIVE_UP = "SAVEPOINT in_slice", "ROLLBACK TO SAVEPOINT in_slice"
_OWN = """
SELECT id, counters, amount_nano_usd, valid_from, valid_until FROM budgets_lease
WHERE tenant_id = %s AND run_id = %s AND is_open
"""
_RECLAIM = """
UPDATE budgets_lease SET amount_nano_usd = held_nano_usd + spent_nano_usd WHERE tenant_id = %(tenant)s AND id IN (
    SELECT id FROM budgets_lease WHERE tenant_id = %(tenant)s AND counters && %(counters)s::uuid[]
        AND amount_nano_usd > held_nano_usd + spent_nano_usd AND id IS DISTINCT FROM %(own)s
    ORDER BY id FOR UPDATE)
"""
_CLOSE = """
WITH ending AS (
    SELECT id, counters, spent_nano_usd AS spent FROM budgets_lease
    WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s::uuid[]) AND is_open ORDER BY id FOR UPDATE
), closed AS (
    UPDATE budgets_lease l SET is_open = false, amount_nano_usd = l.held_nano_usd, spent_nano_usd = 0
    FROM ending WHERE l.tenant_id = %(tenant)s AND l.id = ending.id
)
SELECT counter, sum(spent)::int8 FROM ending, unnest(counters) AS counter GROUP BY counter HAVING sum(spent) <> 0
"""
_FORGET = """
DELETE FROM budgets_lease WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s::uuid[]) AND NOT is_open AND held_nano_usd = 0
"""
_LOCK_COUNTERS = """
SELECT 1 FROM budgets_counter WHERE tenant_id = %s AND id = ANY(%s)
ORDER BY budget_id, subject COLLATE "C", period_start FOR UPDATE
"""


@dataclass(frozen=True, slots=True)
class Own:
    """The open slice of a run."""

    id: uuid.UUID
    counters: list[uuid.UUID]
    amount: int
    valid_from: datetime
    valid_until: datetime

    def holds_at(self, at: datetime) -> bool:
        return self.valid_from <= at < self.valid_until


def mine_key(run: uuid.UUID) -> str:
    """The text whose hash (seed 10) is the advisory lock of a run's slice."""
    return f"slice:{run}"


def own(cursor: CursorWrapper, tenant: uuid.UUID, run: uuid.UUID, *, lock: bool = False) -> Own | None:
    """The open slice of a run, if it has one."""
    cursor.execute(_OWN + ("FOR UPDATE" if lock else ""), [tenant, run])
    row = cursor.fetchone()
    return Own(*row) if row else None


def reclaim(
    cursor: CursorWrapper, tenant: uuid.UUID, counter_ids: Sequence[uuid.UUID], *, besides: uuid.UUID | None
) -> int:
    """Take back what other runs keep free of these counters, which are locked; answers from how many slices."""
    cursor.execute(_RECLAIM, {"tenant": tenant, "counters": list(counter_ids), "own": besides})
    return int(cursor.rowcount)


def close(cursor: CursorWrapper, tenant: uuid.UUID, ids: Sequence[uuid.UUID]) -> None:
    """End slices whose counters are locked: what they spent is charged, what they kept free goes back."""
    params: dict[str, Any] = {"tenant": tenant, "ids": list(ids)}
    cursor.execute(_CLOSE, params)
    spent = dict(cursor.fetchall())
    if spent:
        counters.post(cursor, tenant, spent)
    cursor.execute(_FORGET, params)


def close_lease(*, tenant: uuid.UUID, run: uuid.UUID, at: datetime) -> None:
    """Give back what an ended run has left of its slice. Its open holds stay held until they are settled or expire."""
    close_leases(tenant=tenant, runs=[run], at=at)


def close_leases(*, tenant: uuid.UUID, runs: Sequence[uuid.UUID], at: datetime) -> None:
    """The same for the runs of a family together: one after the other, they could wait for each other's counters."""
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, counters FROM budgets_lease WHERE tenant_id = %s AND run_id = ANY(%s) AND is_open",
            [tenant, list(runs)],
        )
        _close(cursor, tenant, cursor.fetchall())


def close_all(cursor: CursorWrapper, tenant: uuid.UUID) -> None:
    """End every slice of a tenant whose budgets change; nobody else may charge or take meanwhile."""
    cursor.execute("SELECT id, counters FROM budgets_lease WHERE tenant_id = %s AND is_open", [tenant])
    _close(cursor, tenant, cursor.fetchall())


def _close(cursor: CursorWrapper, tenant: uuid.UUID, found: Sequence[tuple[uuid.UUID, list[uuid.UUID]]]) -> None:
    """Lock the counters of slices that were read, and end those that are still open."""
    if found:
        cursor.execute(_LOCK_COUNTERS, [tenant, list({counter for _, counters in found for counter in counters})])
        close(cursor, tenant, [lease for lease, _ in found])
