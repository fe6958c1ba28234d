"""What a day's spend was for: the rows that a sweep adds up (runtime/services/spend_days.py)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date

from django.db import connection

from agentops.budgets.models import OutcomeDay, SpendDay
from agentops.budgets.types import SpentOn
from agentops.common import scope

_ALONE = (
    "SELECT pg_advisory_xact_lock(hashtextextended('outcome days:' || %s, 12))"  # a month is added up from all its days
)
_MONTH_ANEW = """
DELETE FROM budgets_outcomemonth WHERE tenant_id = %(tenant)s AND month = %(month)s;
INSERT INTO budgets_outcomemonth (tenant_id, month, agent, outcome, runs, amount_nano_usd)
SELECT tenant_id, %(month)s::date, agent, outcome, sum(runs), sum(amount_nano_usd) FROM budgets_outcomeday
WHERE tenant_id = %(tenant)s AND day >= %(month)s::date AND day < %(month)s::date + interval '1 month' GROUP BY 1, 3, 4
"""


def clear_stale(*, tenant: uuid.UUID, day: date) -> None:
    """A day is about to be added up. Whoever charges it meanwhile is waited for, or marks it again."""
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM budgets_staleday WHERE tenant_id = %s AND day = %s", [tenant, day])


def write_spend_day(*, tenant: uuid.UUID, day: date, rows: Sequence[SpentOn]) -> None:
    """Put these rows in the place of what was added up before for the day, in the caller's transaction."""
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        cursor.execute(_ALONE, [str(tenant)])
        cursor.execute("DELETE FROM budgets_spendday WHERE tenant_id = %s AND day = %s", [tenant, day])
        cursor.execute("DELETE FROM budgets_outcomeday WHERE tenant_id = %s AND day = %s", [tenant, day])
    by_outcome: dict[tuple[str, str], OutcomeDay] = {}
    for row in rows:
        whole = by_outcome.setdefault(
            (row.agent, row.outcome),
            OutcomeDay(tenant_id=tenant, day=day, agent=row.agent, outcome=row.outcome, runs=0, amount_nano_usd=0),
        )
        whole.runs += row.runs
        whole.amount_nano_usd += row.amount_nano_usd
    OutcomeDay.objects.bulk_create(by_outcome.values())
    SpendDay.objects.bulk_create(
        SpendDay(
            tenant_id=tenant,
            day=day,
            agent=row.agent,
            outcome=row.outcome,
            tool=row.tool,
            runs=row.runs,
            amount_nano_usd=row.amount_nano_usd,
        )
        for row in rows
    )
    with connection.cursor() as cursor:
        cursor.execute(_MONTH_ANEW, {"tenant": tenant, "month": day.replace(day=1)})
