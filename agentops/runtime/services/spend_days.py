"""Adding up what a day's spend was for, from the ledger and from what became of the runs.

Outcomes come from the guard where it ended a run, else from the run's spans. A run's spend is divided over its tools in
equal parts; what does not divide goes to the first. So the rows of a day add up to its ledger.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from django.db import connection

from agentops.budgets import queries as budgets
from agentops.budgets import services as money
from agentops.budgets.policies import start_of
from agentops.budgets.types import SpentOn
from agentops.common.scope import tenant_scope

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
    """Add up what is due, the oldest day first; answers how many. Opens its own scope, one a day: whoever charges a day late
    waits for one that is being added up, and whoever is cut off goes on there."""
    with tenant_scope(tenant):
        due = _due(tenant, at)
    for day in due:
        with tenant_scope(tenant):
            money.clear_stale(tenant=tenant, day=day)  # before anything is read
            zone = budgets.calendar(tenant=tenant)
            rows = spent_on(tenant=tenant, day=day, zone=zone)
            before = budgets.spend_day(tenant=tenant, day=day)
            money.write_spend_day(tenant=tenant, day=day, rows=_as_known_before(before, rows))
    return len(due)


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


def _due(tenant: uuid.UUID, at: datetime) -> list[date]:
    """Today, yesterday, days since the last round, and some of those that were charged, or whose runs ended, late."""
    today = at.astimezone(budgets.calendar(tenant=tenant)).date()
    late, missed = budgets.stale_days(tenant=tenant, most=DAYS_AT_ONCE), budgets.days_since_added_up(tenant=tenant)
    return sorted({*late, *missed, today, today - timedelta(days=1)})


def _as_known_before(before: Sequence[SpentOn], now: Sequence[SpentOn]) -> list[SpentOn]:
    """The rows of a day; where its runs are not kept any more, divided as they were while somebody knew how they ended.

    Such a day is priced anew, or settled very late. What an agent spent is exact all the same.
    """
    if sum(row.runs for row in now) >= sum(row.runs for row in before):
        return list(now)
    spent: dict[str, int] = defaultdict(int)
    for row in now:
        spent[row.agent] += row.amount_nano_usd
    found = [row for row in now if row.agent not in {one.agent for one in before}]
    for agent in sorted({row.agent for row in before}):
        rows = [row for row in before if row.agent == agent]
        whole = sum(row.amount_nano_usd for row in rows)
        shares = [row.amount_nano_usd * spent[agent] // whole if whole else 0 for row in rows]
        shares[0] += spent[agent] - sum(shares)
        found += [replace(row, amount_nano_usd=share) for row, share in zip(rows, shares, strict=True)]
    return found
