"""Sums over all organisations, for our own people. Every function needs staff's scope.

Days are those of each organisation's own calendar, so a figure of one is the same as on its own pages.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

from django.db import connection

from agentops.budgets.queries.calendar import TWICE
from agentops.budgets.queries.sums import SumRow
from agentops.budgets.types import SUMS
from agentops.common import clock

_KEY = ("tenant_id", "day", "agent", "provider", "model")
_ALL = ", ".join((*_KEY, *SUMS))
_WHOLE = ", ".join(("tenant_id", "day", "''", "''", "''", *SUMS))
# One statement, so one moment: a day is in AgentDay or is read by its hours, never both. OFFSET 0 keeps the hours of
# each open day a look at the index, whatever the planner thinks of the number of days. It thinks of a thousand for each
# generate_series, and would sort for 34 million rows: the limits, which are never reached, tell it how many there can be.
_SUMS = f"""
WITH organisations AS MATERIALIZED (
    SELECT t.id, coalesce(z.time_zone, 'UTC') AS zone, (
        SELECT (h.hour AT TIME ZONE coalesce(z.time_zone, 'UTC'))::date FROM budgets_usagehour h
        WHERE h.tenant_id = t.id ORDER BY h.hour LIMIT 1) AS first
    FROM unnest(%(tenants)s::uuid[]) AS t (id) LEFT JOIN budgets_calendar z ON z.tenant_id = t.id
), open_months AS MATERIALIZED (
    SELECT o.id, o.zone, greatest(%(since)s::date, o.first, m::date) AS first,
        least(%(until_open)s::date, (m + interval '1 month')::date) AS until
    FROM organisations o, generate_series(
        date_trunc('month', greatest(%(since)s::date, o.first)::timestamp), %(until_open)s::date - 1, interval '1 month') AS m
    WHERE o.first IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM budgets_agentmonthdone y WHERE y.tenant_id = o.id AND y.month = m::date
            AND y.days = (m::date + interval '1 month')::date - m::date)
    LIMIT %(most)s
), open_days AS MATERIALIZED (
    SELECT o.id, o.zone, d.day FROM open_months o CROSS JOIN LATERAL (
        SELECT s::date AS day FROM generate_series(o.first, o.until - 1, interval '1 day') AS s
        EXCEPT SELECT x.day FROM budgets_agentdaydone x WHERE x.tenant_id = o.id AND x.day >= o.first AND x.day < o.until
    ) d
    LIMIT %(most)s
), rows ({", ".join((*_KEY, *SUMS))}) AS (
    {{months}}SELECT {{columns}} FROM {{table}} WHERE {{days}} AND tenant_id = ANY(%(tenants)s)
    UNION ALL
    SELECT h.* FROM open_days o CROSS JOIN LATERAL (
        SELECT u.tenant_id, o.day, {{of_hour}}, {", ".join(f"sum(u.{name})::int8" for name in SUMS)}
        FROM budgets_usagehour u WHERE u.tenant_id = o.id
            AND u.hour >= (o.day::timestamp AT TIME ZONE o.zone) - {TWICE}
            AND u.hour < ((o.day + 1)::timestamp AT TIME ZONE o.zone) AND (u.hour AT TIME ZONE o.zone)::date = o.day
        GROUP BY {{by_hour}} OFFSET 0
    ) h
)
SELECT {{names}}{{sums}} FROM rows {{group}}
HAVING sum(calls) <> 0 OR sum(amount_nano_usd) <> 0 OR sum(cached_answers) <> 0 {{order}}
"""  # noqa: S608  our own names
_AHEAD = timedelta(days=2)  # no calendar is further ahead: days from then on have no hours yet
_MONTH = "date_trunc('month', day::timestamp)::date"
_PERIOD = """
CASE WHEN day >= %(now_since)s THEN 'now' WHEN day >= %(then_since)s AND day < %(then_until)s THEN 'then' ELSE '' END
"""
# Whole months come added up, and the days before and after them by themselves.
_WHOLE_MONTHS = """
    SELECT {columns} FROM {table}
    WHERE month >= %(first_month)s AND month < %(end_month)s AND tenant_id = ANY(%(tenants)s)
    UNION ALL
"""
_ALL_DAYS = "day >= %(since)s AND day < %(until)s"
_OTHER_DAYS = "(day >= %(since)s AND day < %(first_month)s OR day >= %(end_month)s AND day < %(until)s)"
_OUTCOMES = """
SELECT tenant_id, agent, outcome, sum(runs)::int8, sum(amount_nano_usd)::int8 FROM budgets_outcomemonth
WHERE tenant_id = ANY(%(tenants)s) AND month >= %(first)s AND month < %(end)s GROUP BY 1, 2, 3
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
    rows = _read(tenants, since, until, by, SUMS)
    fields = [*("day" if name == "month" else name for name in by), *SUMS]
    return [SumRow(**dict(zip(fields, row, strict=True))) for row in rows]


def product_spend(*, tenants: Sequence[uuid.UUID], since: date, until: date) -> dict[tuple[uuid.UUID, date], int]:
    """What each organisation spent in each month, in nano-dollars: `product_sums` without the rest, for long times."""
    rows = _read(tenants, since, until, ("tenant_id", "month"), ("amount_nano_usd",))
    return {(tenant, month): amount for tenant, month, amount in rows}


def product_agents_and_models(
    *, tenants: Sequence[uuid.UUID], since: date, until: date
) -> tuple[list[SumRow], list[SumRow]]:
    """Sums by organisation and agent, and by provider and model, of one moment and in one pass."""
    names = ("tenant_id", "agent", "provider", "model")
    agents, models = [], []
    for row in _read(tenants, since, until, names, SUMS, sets="GROUPING SETS ((1, 2), (3, 4))"):
        tenant, agent, provider, model, *sums = row
        found = dict(zip(SUMS, sums, strict=True))
        if tenant is not None:
            agents.append(SumRow(tenant_id=tenant, agent=agent, **found))
        else:
            models.append(SumRow(provider=provider, model=model, **found))
    return agents, models


def product_months(
    *, tenants: Sequence[uuid.UUID], first: date, until: date, then: tuple[date, date], days_since: date
) -> tuple[dict[uuid.UUID, SumRow], dict[uuid.UUID, SumRow], list[SumRow]]:
    """A month from `first`, the days `then` of another before it, each by organisation; and the days from `days_since` on.

    All of one moment and in one pass: a page asks for them together.
    """
    now_by: dict[uuid.UUID, SumRow] = {}
    then_by: dict[uuid.UUID, SumRow] = {}
    days: list[SumRow] = []
    since = min(days_since, then[0])
    places = {"period": _PERIOD}
    params = {"now_since": first, "then_since": then[0], "then_until": then[1]}
    names = ("tenant_id", "period", "day")
    sets = "GROUPING SETS ((1, 2), (3))"
    for row in _read(tenants, since, until, names, SUMS, sets=sets, places=places, more=params):
        tenant, period, day, *sums = row
        found = dict(zip(SUMS, sums, strict=True))
        if tenant is None:
            if day >= days_since:
                days.append(SumRow(day=day, **found))
        elif period:
            (now_by if period == "now" else then_by)[tenant] = SumRow(tenant_id=tenant, **found)
    return now_by, then_by, days


def _read(
    tenants: Sequence[uuid.UUID],
    since: date,
    until: date,
    by: Sequence[str],
    wanted: Sequence[str],
    *,
    sets: str = "",
    places: Mapping[str, str] = MappingProxyType({}),
    more: Mapping[str, Any] = MappingProxyType({}),
) -> list[tuple[Any, ...]]:
    written = {"month": _MONTH, **places}
    names = ", ".join(written.get(name, name) for name in by)
    numbers = ", ".join(str(place) for place in range(1, len(by) + 1))
    is_whole = set(by) <= {"tenant_id", "day", "month", "period"}  # the totals of days are enough
    first_month, end_month = (since + timedelta(days=31)).replace(day=1), until.replace(day=1)
    if since.day == 1:
        first_month = since
    has_months = first_month < end_month and "day" not in by
    statement = _SUMS.format(
        names=f"{names}, " if by else "",
        group=f"GROUP BY {sets or numbers}" if by else "",
        order=f"ORDER BY {numbers}" if by else "",
        columns=_WHOLE if is_whole else _ALL,
        of_hour="'', '', ''" if is_whole else "u.agent, u.provider, u.model",
        by_hour="u.tenant_id" if is_whole else "u.tenant_id, u.agent, u.provider, u.model",
        table="budgets_agentdaydone" if is_whole else "budgets_agentday",
        months=_WHOLE_MONTHS.format(
            columns=(_WHOLE if is_whole else _ALL).replace("day", "month", 1),
            table="budgets_agentmonthdone" if is_whole else "budgets_agentmonth",
        )
        if has_months
        else "",
        sums=", ".join(f"sum({name})::int8" for name in wanted),
        days=_OTHER_DAYS if has_months else _ALL_DAYS,
    )
    begun = clock.now().date() + _AHEAD
    params: dict[str, Any] = {
        "tenants": list(tenants),
        "since": since,
        "until": until,
        "until_open": min(until, begun),
        "most": len(tenants) * max(0, (min(until, begun) - since).days) + 1,
        "first_month": first_month,
        "end_month": end_month,
        **more,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return list(cursor.fetchall())


def product_outcomes(*, tenants: Sequence[uuid.UUID], first: date, end: date) -> list[OutcomeRow]:
    """What became of the runs of whole months, told by their first days, without `end`; as it was last added up (every
    few minutes)."""
    with connection.cursor() as cursor:
        cursor.execute(_OUTCOMES, {"tenants": list(tenants), "first": first, "end": end})
        return [OutcomeRow(*row) for row in cursor.fetchall()]
