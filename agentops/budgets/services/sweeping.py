"""What is looked at every few seconds, as no charge passes there: open slices, and budgets that were set."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import connection

from agentops.budgets.services import counters
from agentops.common import scope

_NEW = """
SELECT budget_id, subject FROM budgets_counter WHERE tenant_id = %s AND NOT is_based AND period_start <= %s AND period_end > %s
ORDER BY budget_id, subject COLLATE "C" LIMIT %s
"""
_AT_ONCE = 500


def begin_counters(*, tenant: uuid.UUID, at: datetime) -> int:
    """Begin counters with what their period has seen, which finds the thresholds it has crossed; answers how many.

    After a budget was set: its limit may be below what was spent already.
    """
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        kept = counters.kept_by(cursor, tenant)
        cursor.execute(_NEW, [tenant, at, at, _AT_ONCE])
        wanted = [place for budget, subject in cursor.fetchall() if (place := kept.place(budget, subject, at))]
        if wanted:
            counters.lock(cursor, tenant, wanted)
            counters.read(cursor, tenant, wanted, own=None)
    return len(wanted)
