"""What is looked at every few seconds, as no charge passes there: open slices, and budgets that were set."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import connection

from agentops.budgets.services import counters
from agentops.common import scope

# Not those of people who have a limit of their own by now: they begin when that one goes, and would fill every look until then.
_NEW = """
SELECT c.budget_id, c.subject FROM budgets_counter c JOIN budgets_budget b ON b.tenant_id = c.tenant_id AND b.id = c.budget_id
WHERE c.tenant_id = %s AND NOT c.is_based AND c.period_start <= %s AND c.period_end > %s
    AND (b.scope_id = c.subject OR b.scope_id = '' AND NOT EXISTS (SELECT 1 FROM budgets_budget o
        WHERE o.tenant_id = b.tenant_id AND o.scope = b.scope AND o.period = b.period AND o.scope_id = c.subject))
ORDER BY c.budget_id, c.subject COLLATE "C" LIMIT %s
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
