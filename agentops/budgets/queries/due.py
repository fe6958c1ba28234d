"""Reads of what sweeps have to do."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime

from django.db import connection

from agentops.budgets.policies import start_of
from agentops.budgets.queries.calendar import calendar

_EVER = datetime.min.replace(tzinfo=UTC)
_NEW = "SELECT DISTINCT tenant_id FROM budgets_counter WHERE NOT is_based AND period_end > %s"
_SPENT_IN_SLICES = """
SELECT c.tenant_id, c.id FROM budgets_lease l
JOIN budgets_counter c ON c.tenant_id = l.tenant_id AND c.id = ANY(l.counters)
WHERE l.is_open AND l.spent_nano_usd > 0 AND c.next_notice_nano_usd IS NOT NULL
GROUP BY c.tenant_id, c.id, c.charged_nano_usd, c.next_notice_nano_usd
HAVING c.charged_nano_usd + sum(l.spent_nano_usd) >= c.next_notice_nano_usd
"""

_ADDED_UP = "SELECT max(day) FROM budgets_outcomeday WHERE tenant_id = %s"
# The time is a parameter: the planner reads the whole history for one that it only computes.
_DAYS_SINCE = "SELECT DISTINCT (hour AT TIME ZONE %s)::date FROM budgets_usagehour WHERE tenant_id = %s AND hour >= %s"


def tenants_with_new_counters(at: datetime) -> list[uuid.UUID]:
    """Organisations with counters of a period that is not over which have no base yet. Needs staff's scope."""
    with connection.cursor() as cursor:
        cursor.execute(_NEW, [at])
        return [row[0] for row in cursor.fetchall()]


def spending_in_slices() -> dict[uuid.UUID, list[uuid.UUID]]:
    """Counters whose next threshold is crossed by what open slices have spent, by tenant. Needs staff's scope."""
    found: dict[uuid.UUID, list[uuid.UUID]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_SPENT_IN_SLICES)
        for tenant, counter in cursor.fetchall():
            found.setdefault(tenant, []).append(counter)
    return found


def stale_days(*, tenant: uuid.UUID, most: int) -> list[date]:
    """Days that were charged, or whose runs ended, after they were over: the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT day FROM budgets_staleday WHERE tenant_id = %s ORDER BY day LIMIT %s", [tenant, most])
        return [row[0] for row in cursor.fetchall()]


def days_since_added_up(*, tenant: uuid.UUID) -> list[date]:
    """The last day whose spend was added up by what it was for, and those with calls since; all, where none was."""
    zone = calendar(tenant=tenant)
    with connection.cursor() as cursor:
        cursor.execute(_ADDED_UP, [tenant])
        [(last,)] = cursor.fetchall()
        cursor.execute(_DAYS_SINCE, [str(zone), tenant, start_of(last, zone) if last else _EVER])
        return [row[0] for row in cursor.fetchall()]
