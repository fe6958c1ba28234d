"""Sums over all organisations, for our own people. Every function needs staff's scope.

Days are those of each organisation's own calendar, so a figure of one is the same as on its own pages.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection

from agentops.budgets.queries.sums import SumRow
from agentops.budgets.types import SUMS

_KEY = ("tenant_id", "day", "agent", "provider", "model")
_ALL = ", ".join((*_KEY, *SUMS))
_WHOLE = ", ".join(("tenant_id", "day", "''", "''", "''", *SUMS))
_ADDED = ", ".join(f"sum({name})::int8 AS {name}" for name in SUMS)
# One statement, so one moment: a day is in AgentDay or is read by its hours, never both. OFFSET 0 keeps the hours of
# each open day a look at the index, whatever the planner thinks of the number of days.
_SUMS = f"""
WITH organisations AS (
    SELECT t.id, coalesce(z.time_zone, 'UTC') AS zone, (
        SELECT (h.hour AT TIME ZONE coalesce(z.time_zone, 'UTC'))::date FROM budgets_usagehour h
        WHERE h.tenant_id = t.id ORDER BY h.hour LIMIT 1) AS first
    FROM unnest(%(tenants)s::uuid[]) AS t (id) LEFT JOIN budgets_calendar z ON z.tenant_id = t.id
), open_days AS (
    SELECT o.id, o.zone, d::date AS day
    FROM organisations o, generate_series(greatest(%(since)s::date, o.first), %(until)s::date - 1, interval '1 day') AS d
    WHERE o.first IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM budgets_agentdaydone x WHERE x.tenant_id = o.id AND x.day = d::date)
), rows ({", ".join((*_KEY, *SUMS))}) AS (
    SELECT {{columns}} FROM {{table}}
    WHERE day >= %(since)s AND day < %(until)s AND tenant_id = ANY(%(tenants)s)
    UNION ALL
    SELECT h.* FROM open_days o CROSS JOIN LATERAL (
        SELECT u.tenant_id, o.day, u.agent, u.provider, u.model, {", ".join(f"u.{name}" for name in SUMS)}
        FROM budgets_usagehour u WHERE u.tenant_id = o.id AND u.hour >= (o.day::timestamp AT TIME ZONE o.zone)
            AND u.hour < ((o.day + 1)::timestamp AT TIME ZONE o.zone) OFFSET 0
    ) h
)
SELECT {{names}}{_ADDED} FROM rows WHERE calls <> 0 OR amount_nano_usd <> 0 OR cached_answers <> 0 {{group}}
"""  # noqa: S608  our own names
_MONTH = "date_trunc('month', day::timestamp)::date"
_OUTCOMES = """
SELECT s.tenant_id, s.agent, s.outcome, sum(s.runs)::int8, sum(s.amount_nano_usd)::int8
FROM unnest(%(tenants)s::uuid[]) AS t (id) CROSS JOIN LATERAL (
    SELECT * FROM budgets_outcomeday d WHERE d.tenant_id = t.id AND d.day >= %(since)s AND d.day < %(until)s OFFSET 0
) s GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """What one agent's runs that ended in one way cost, and how many began."""

    tenant_id: uuid.UUID
    agent: str
    outcome: str  # running, ok, error, refused, aborted
    runs: int
    amount_nano_usd: int


def product_sums(*, tenants: Sequence[uuid.UUID], since: date, until: date, by: Sequence[str] = ()) -> list[SumRow]:
    """Sums of these organisations from the day `since` until (and without) `until`.

    `by` is any of tenant_id, day, month, agent, provider, model; without, one row, unless nothing was charged. A month is
    told by its first day.
    """
    names = ", ".join(_MONTH if name == "month" else name for name in by)
    places = ", ".join(str(place) for place in range(1, len(by) + 1))
    is_whole = set(by) <= {"tenant_id", "day", "month"}  # the totals of days are enough
    statement = _SUMS.format(
        names=f"{names}, " if by else "",
        group=f"GROUP BY {places} ORDER BY {places}" if by else "",
        columns=_WHOLE if is_whole else _ALL,
        table="budgets_agentdaydone" if is_whole else "budgets_agentday",
    )
    params: dict[str, Any] = {"tenants": list(tenants), "since": since, "until": until}
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        rows = [row for row in cursor.fetchall() if row[len(by)] is not None]
    fields = [*("day" if name == "month" else name for name in by), *SUMS]
    return [SumRow(**dict(zip(fields, row, strict=True))) for row in rows]


def product_outcomes(*, tenants: Sequence[uuid.UUID], since: date, until: date) -> list[OutcomeRow]:
    """What became of the runs, as it was last added up (every few minutes)."""
    with connection.cursor() as cursor:
        cursor.execute(_OUTCOMES, {"tenants": list(tenants), "since": since, "until": until})
        return [OutcomeRow(*row) for row in cursor.fetchall()]
