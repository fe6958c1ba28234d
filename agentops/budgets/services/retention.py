"""What the guard's money needs no more. The ledger and its hourly sums stay."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.db import connection

from agentops.budgets.types import HOLDS_KEPT
from agentops.common import scope
from agentops.common.ids import first_id_of

# Run ids sort by the time they were made, so the primary key finds the old ones without an index of their own.
_HOLDS = """
DELETE FROM budgets_reservation WHERE tenant_id = %(tenant)s AND (run_id, call_id) IN (
    SELECT run_id, call_id FROM budgets_reservation
    WHERE tenant_id = %(tenant)s AND run_id < %(run)s AND reserved_at < %(before)s AND state <> 'held' LIMIT %(most)s)
"""
_COUNTERS = """
DELETE FROM budgets_counter c WHERE c.tenant_id = %(tenant)s AND c.period_end < %(before)s
    AND NOT EXISTS (SELECT 1 FROM budgets_lease l WHERE l.tenant_id = c.tenant_id AND c.id = ANY(l.counters))
"""
_MOST = 10_000
_COUNTERS_KEPT = timedelta(days=400)


def forget_old(*, tenant: uuid.UUID, at: datetime) -> int:
    """Delete calls that were settled long ago, at most some thousands a round, and counters of periods long past.

    Answers how many calls. A span of such a call that comes only now would be charged as one without a guard.
    """
    scope.require_tenant(tenant)
    before = at - HOLDS_KEPT
    with connection.cursor() as cursor:
        cursor.execute(_HOLDS, {"tenant": tenant, "run": first_id_of(before), "before": before, "most": _MOST})
        count = int(cursor.rowcount)
        cursor.execute(_COUNTERS, {"tenant": tenant, "before": at - _COUNTERS_KEPT})
    return count
