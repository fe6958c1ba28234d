"""Adding up what a day's spend was for, from the ledger and from what became of the runs.

Outcomes come from the guard where it ended a run, else from the run's spans. A run's spend is divided over its tools in
equal parts; what does not divide goes to the first. So the rows of a day add up to its ledger.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from django.db import connection

from agentops.budgets import queries as budgets
from agentops.budgets import services as money
from agentops.budgets.policies import start_of
from agentops.budgets.services import SpentOn
from agentops.common import scope

DAYS_AT_ONCE = 14
_OUTCOME = """
CASE WHEN g.status IN (6, 7, 8) THEN 'aborted' WHEN g.status IN (4, 5) THEN 'refused' WHEN g.status = 3 THEN 'error'
    WHEN g.status = 2 THEN 'ok' WHEN g.status = 1 THEN 'running' WHEN r.status = 2 THEN 'error' WHEN r.status = 1 THEN 'ok'
    ELSE 'running' END
"""
_SPENT = f"""
WITH spent AS (
    SELECT run_id, agent, sum(amount_nano_usd)::int8 AS amount FROM budgets_ledgerentry
    WHERE tenant_id = %(tenant)s AND occurred_at >= %(start)s AND occurred_at < %(end)s GROUP BY run_id, agent
), known AS (
    SELECT s.agent, s.amount, {_OUTCOME} AS outcome,
        CASE WHEN cardinality(r.tools) > 0 THEN r.tools ELSE ARRAY[''] END AS tools
    FROM spent s
    LEFT JOIN traces_run r ON r.tenant_id = %(tenant)s AND r.run_id = s.run_id
    LEFT JOIN runtime_guardedrun g ON g.tenant_id = %(tenant)s AND g.run_id = s.run_id
)
SELECT agent, outcome, t.tool, 0,
    sum(amount / cardinality(tools) + CASE WHEN t.place = 1 THEN amount %% cardinality(tools) ELSE 0 END)::int8
FROM known, unnest(tools) WITH ORDINALITY AS t (tool, place) GROUP BY 1, 2, 3
"""  # noqa: S608  our own names
_BEGUN = f"""
SELECT coalesce(nullif(g.agent, ''), r.agent, ''), {_OUTCOME}, coalesce(r.tools[1], ''), count(*), 0
FROM (SELECT * FROM traces_run WHERE tenant_id = %(tenant)s AND started_at >= %(start)s AND started_at < %(end)s) r
FULL JOIN (
    SELECT run_id, agent, status FROM runtime_guardedrun
    WHERE tenant_id = %(tenant)s AND started_at >= %(start)s AND started_at < %(end)s
) g ON g.run_id = r.run_id
GROUP BY 1, 2, 3
"""  # noqa: S608


def add_up_days(*, tenant: uuid.UUID, at: datetime) -> int:
    """Add up today, yesterday, and days that were charged late, some at a time; answers how many. In one transaction."""
    scope.require_tenant(tenant)
    zone = budgets.calendar(tenant=tenant)
    today = at.astimezone(zone).date()
    late = budgets.stale_days(tenant=tenant, most=DAYS_AT_ONCE)
    wanted = sorted({*late, today, today - timedelta(days=1)})
    for day in wanted:
        money.write_spend_day(tenant=tenant, day=day, rows=spent_on(tenant=tenant, day=day, zone=zone))
    return len(wanted)


def spent_on(*, tenant: uuid.UUID, day: date, zone: tzinfo) -> list[SpentOn]:
    """The day's rows as the ledger and the runs are now."""
    params: dict[str, Any] = {
        "tenant": tenant,
        "start": start_of(day, zone),
        "end": start_of(day + timedelta(days=1), zone),
    }
    found: dict[tuple[str, str, str], tuple[int, int]] = {}
    with connection.cursor() as cursor:
        for statement in (_SPENT, _BEGUN):
            cursor.execute(statement, params)
            for agent, outcome, tool, runs, amount in cursor.fetchall():
                before = found.get((agent, outcome, tool), (0, 0))
                found[agent, outcome, tool] = (before[0] + runs, before[1] + amount)
    return [SpentOn(*key, runs, amount) for key, (runs, amount) in sorted(found.items())]
