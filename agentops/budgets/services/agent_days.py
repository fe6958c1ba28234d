"""Folded days without their users, so that a page over all organisations reads a few rows of each.

A day is added up once it is folded, while nobody charges. Who charges it later takes its rows away in the same
transaction, and the next round adds it up anew; in between, its hours are read (queries/product.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import date
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from agentops.budgets.services import counters
from agentops.budgets.types import SUMS
from agentops.common import scope

_DAYS_AT_ONCE = 62
_DUE = """
SELECT day FROM budgets_foldedday f WHERE tenant_id = %(tenant)s AND NOT EXISTS (
    SELECT 1 FROM budgets_agentdaydone d WHERE d.tenant_id = f.tenant_id AND d.day = f.day)
ORDER BY day DESC LIMIT %(most)s
"""
_ADD_UP = f"""
INSERT INTO budgets_agentday (tenant_id, day, agent, provider, model, {", ".join(SUMS)})
SELECT tenant_id, day, agent, provider, model, {", ".join(f"sum({name})" for name in SUMS)}
FROM budgets_usageday WHERE tenant_id = %(tenant)s AND day = ANY(%(days)s) GROUP BY 1, 2, 3, 4, 5
"""  # noqa: S608  our own names
_DONE = f"""
INSERT INTO budgets_agentdaydone (tenant_id, day, {", ".join(SUMS)})
SELECT %(tenant)s, d, {", ".join(f"coalesce(sum({name}), 0)" for name in SUMS)}
FROM unnest(%(days)s::date[]) AS d LEFT JOIN budgets_agentday a ON a.tenant_id = %(tenant)s AND a.day = d GROUP BY d
"""  # noqa: S608
_MONTHS = f"""
SELECT tenant_id, date_trunc('month', day::timestamp)::date AS month, agent, provider, model,
    {", ".join(f"sum({name})::int8 AS {name}" for name in SUMS)}
FROM budgets_agentday WHERE tenant_id = %(tenant)s AND day = ANY(%(days)s) GROUP BY 1, 2, 3, 4, 5
"""  # noqa: S608
_ADD_TO_MONTHS = f"""
INSERT INTO budgets_agentmonth AS m (tenant_id, month, agent, provider, model, {", ".join(SUMS)})
{_MONTHS} ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (tenant_id, month, agent, provider, model) DO UPDATE SET
    {", ".join(f"{name} = m.{name} + excluded.{name}" for name in SUMS)}
"""
_TAKE_FROM_MONTHS = f"""
UPDATE budgets_agentmonth m SET {", ".join(f"{name} = m.{name} - d.{name}" for name in SUMS)}
FROM ({_MONTHS}) d WHERE m.tenant_id = d.tenant_id AND m.month = d.month AND m.agent = d.agent
    AND m.provider = d.provider AND m.model = d.model
"""  # noqa: S608
_TOTALS = f"""
SELECT tenant_id, date_trunc('month', day::timestamp)::date AS month, count(*) AS days,
    {", ".join(f"sum({name})::int8 AS {name}" for name in SUMS)}
FROM budgets_agentdaydone WHERE tenant_id = %(tenant)s AND day = ANY(%(days)s) GROUP BY 1, 2
"""  # noqa: S608
_ADD_TO_TOTALS = f"""
INSERT INTO budgets_agentmonthdone AS m (tenant_id, month, days, {", ".join(SUMS)}) {_TOTALS} ORDER BY 1, 2
ON CONFLICT (tenant_id, month) DO UPDATE SET
    {", ".join(f"{name} = m.{name} + excluded.{name}" for name in ("days", *SUMS))}
"""
_TAKE_FROM_TOTALS = f"""
UPDATE budgets_agentmonthdone m SET {", ".join(f"{name} = m.{name} - d.{name}" for name in ("days", *SUMS))}
FROM ({_TOTALS}) d WHERE m.tenant_id = d.tenant_id AND m.month = d.month
"""  # noqa: S608
# One at a time takes from a tenant's months: late charges of several days would else wait in a circle.
_MONTHS_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('agent months:' || %(tenant)s, 12))"
# Locked in their order, so that two late charges of several days do not wait in a circle.
_LOCK = "SELECT day FROM budgets_agentdaydone WHERE tenant_id = %s AND day = ANY(%s) ORDER BY day FOR UPDATE"
_TAKE_AWAY = """
DELETE FROM budgets_agentdaydone WHERE tenant_id = %(tenant)s AND day = ANY(%(days)s);
DELETE FROM budgets_agentday WHERE tenant_id = %(tenant)s AND day = ANY(%(days)s)
"""


def add_up_agent_days(*, tenant: uuid.UUID) -> int:
    """Add up folded days that are not yet, the latest first, in the caller's transaction; answers how many."""
    scope.require_tenant(tenant)
    params: dict[str, Any] = {"tenant": tenant, "most": _DAYS_AT_ONCE}
    with connection.cursor() as cursor:
        cursor.execute(_DUE, params)
        if not cursor.fetchall():
            return 0
        counters.lock_alone(cursor, tenant)
        cursor.execute(_DUE, params)
        days = [row[0] for row in cursor.fetchall()]
        for statement in (_ADD_UP, _DONE, _ADD_TO_MONTHS, _ADD_TO_TOTALS):
            cursor.execute(statement, {"tenant": tenant, "days": days})
    return len(days)


def take_away(cursor: CursorWrapper, tenant: uuid.UUID, wanted: Collection[date]) -> None:
    """These days are being charged: their rows are not what they add up to any more, nor those of their months."""
    cursor.execute(_LOCK, [tenant, list(wanted)])
    days = [row[0] for row in cursor.fetchall()]
    if days:
        cursor.execute(f"{_MONTHS_ALONE}; {_TAKE_FROM_MONTHS}; {_TAKE_FROM_TOTALS}", {"tenant": tenant, "days": days})
        cursor.execute(_TAKE_AWAY, {"tenant": tenant, "days": days})
