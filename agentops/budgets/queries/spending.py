"""Reads of the pages about spend: the largest of many, who is near a limit, and how a period will end.

All of them come from the same sums (`queries/sums.py`), so that every page tells the same numbers. What may be thousands
(users) is ranked in the database, and read a page at a time.
"""

# ruff: noqa: S608  every name in these statements is ours
from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from django.db import connection

from agentops.budgets.forecast import HISTORY_DAYS, WHOLE_DAY, Forecast, forecast
from agentops.budgets.models import SpendDay
from agentops.budgets.policies import bounds, start_of
from agentops.budgets.queries.calendar import calendar
from agentops.budgets.queries.sums import ADDED, Only, SumRow, source, sums
from agentops.budgets.types import SUMS, Action, Period, Scope, SpentOn

_DAY = timedelta(days=1)
SUBJECT_OF = {Scope.TENANT: "''", Scope.USER: "user_id", Scope.AGENT: "agent"}


@dataclass(frozen=True, slots=True)
class Ranking:
    """One page of groups, the dearest first, and how many there are in all."""

    rows: list[SumRow]
    count: int


@dataclass(frozen=True, slots=True)
class ToolRow:
    """What the runs that used a tool spent, divided over their tools. "" are runs that used none."""

    tool: str
    runs: int
    amount_nano_usd: int


@dataclass(frozen=True, slots=True)
class Tools:
    """One page of tools, the dearest first; how many there are, and what all of them spent."""

    rows: list[ToolRow]
    count: int
    amount_nano_usd: int


@dataclass(frozen=True, slots=True)
class Near:
    """Somebody of whose budget a good part is spent."""

    budget_id: uuid.UUID
    scope: Scope
    subject: str
    period: Period
    action: Action
    limit_nano_usd: int
    ceiling_nano_usd: int
    spent_nano_usd: int
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class Outlook:
    """A period of the organisation, of one user or of one agent: its days so far, and how it will end."""

    start: datetime
    end: datetime
    first_day: date
    days: list[tuple[date, int]]  # each day of the period up to now, with what it cost
    spent_nano_usd: int
    forecast: Forecast | None


def ranking(
    *, tenant: uuid.UUID, since: datetime, until: datetime, by: Sequence[str], most: int, skip: int = 0,
    only: Only | None = None,
) -> Ranking:  # fmt: skip
    """The groups of `sums` that spent most."""
    rows, names = source(tenant=tenant, since=since, until=until, by=by, only=only), ", ".join(by)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT g.*, count(*) OVER () FROM (SELECT {names}, {ADDED} FROM ({rows.sql}) s GROUP BY {names}) g "
            f"ORDER BY amount_nano_usd DESC, calls DESC, {names} LIMIT %s OFFSET %s",
            [*rows.params, most, skip],
        )
        found = cursor.fetchall()
    return Ranking(
        [SumRow(**dict(zip((*by, *SUMS), row[:-1], strict=True))) for row in found], found[0][-1] if found else 0
    )


def tools(*, tenant: uuid.UUID, first: date, end: date, most: int, skip: int = 0) -> Tools:
    """Spend by tool of the days from `first` until (and without) `end`, as far as it was added up."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT g.*, count(*) OVER (), (sum(amount) OVER ())::int8 FROM (SELECT tool, sum(runs)::int8 AS runs, "
            "sum(amount_nano_usd)::int8 AS amount FROM budgets_spendday "
            "WHERE tenant_id = %s AND day >= %s AND day < %s GROUP BY tool) g "
            "ORDER BY amount DESC, tool LIMIT %s OFFSET %s",
            [tenant, first, end, most, skip],
        )
        found = cursor.fetchall()
    return Tools([ToolRow(*row[:3]) for row in found], *(found[0][3:] if found else (0, 0)))


def spend_day(*, tenant: uuid.UUID, day: date) -> list[SpentOn]:
    """What a day's spend was for, as it was last added up."""
    rows = SpendDay.objects.filter(tenant_id=tenant, day=day).order_by("agent", "outcome", "tool")
    return [SpentOn(row.agent, row.outcome, row.tool, row.runs, row.amount_nano_usd) for row in rows]


def near_limits(
    *, tenant: uuid.UUID, at: datetime, percent: int, most: int, budget: uuid.UUID | None = None
) -> tuple[list[Near], int]:
    """Users and agents that have spent so much of a limit, the nearest first; and how many they are.

    With `budget`, only those for whom this one holds.
    """
    zone, found, count = calendar(tenant=tenant), [], 0
    for scope, period in _kinds(tenant, budget):
        start, end = bounds(period, at, zone)
        rows = source(tenant=tenant, since=start, until=end, by=(SUBJECT_OF[scope],))
        name = SUBJECT_OF[scope]
        with connection.cursor() as cursor:
            cursor.execute(
                f"WITH spent AS (SELECT {name} AS subject, sum(amount_nano_usd)::int8 AS spent FROM ({rows.sql}) s "
                f"WHERE {name} <> '' GROUP BY {name}), "
                "held AS (SELECT DISTINCT ON (s.subject) b.id, s.subject, b.action, b.limit_nano_usd, "
                "b.ceiling_nano_usd, s.spent FROM spent s JOIN budgets_budget b ON b.tenant_id = %s AND b.scope = %s "
                "AND b.period = %s AND b.scope_id IN ('', s.subject) ORDER BY s.subject, b.scope_id DESC) "
                "SELECT held.*, count(*) OVER () FROM held WHERE spent * 100::numeric >= limit_nano_usd * %s::numeric "
                "AND (%s::uuid IS NULL OR id = %s) "
                "ORDER BY spent / greatest(limit_nano_usd, 1)::numeric DESC, subject LIMIT %s",
                [*rows.params, tenant, scope.value, period.value, percent, budget, budget, most],
            )
            for row in (hits := cursor.fetchall()):
                id_, subject, action, limit, ceiling, spent, _ = row
                found.append(Near(id_, scope, subject, period, Action(action), limit, ceiling, spent, end))
            count += hits[0][-1] if hits else 0
    found.sort(key=lambda one: -one.spent_nano_usd * 10**6 // max(one.limit_nano_usd, 1))
    return found[:most], count


def outlook(*, tenant: uuid.UUID, period: Period, at: datetime, now: datetime, only: Only | None = None) -> Outlook:
    """The period around `at`: what its days cost until `now`, and the forecast where it is not over."""
    zone = calendar(tenant=tenant)
    start, end = bounds(period, at, zone)
    today = now.astimezone(zone).date()
    first, is_over = start.astimezone(zone).date(), end <= now
    since = first if is_over else min(first, today - HISTORY_DAYS * _DAY)
    rows = sums(tenant=tenant, since=start_of(since, zone), until=end, by=("day",), only=only)
    amounts = {row.day: row.amount_nano_usd for row in rows}
    last = end.astimezone(zone).date() - _DAY
    days = [(day, amounts.get(day, 0)) for day in _days(first, last if is_over else min(today, last))]
    spent = sum(amount for day, amount in amounts.items() if day and day >= first)
    ahead = None
    if not is_over:
        history = [(day, amounts.get(day, 0)) for day in _days(today - HISTORY_DAYS * _DAY, today - _DAY)]
        ahead = forecast(history=history, spent_nano_usd=spent, ahead=_ahead(today, last, now, zone))
    return Outlook(start, end, first, days, spent, ahead)


def _kinds(tenant: uuid.UUID, budget: uuid.UUID | None) -> list[tuple[Scope, Period]]:
    """The scopes and periods for which there are budgets of users or agents."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT scope, period FROM budgets_budget WHERE tenant_id = %s AND scope <> 'tenant' "
            "AND (%s::uuid IS NULL OR id = %s) ORDER BY 1, 2",
            [tenant, budget, budget],
        )
        return [(Scope(scope), Period(period)) for scope, period in cursor.fetchall()]


def _days(first: date, last: date) -> list[date]:
    return [first + place * _DAY for place in range((last - first).days + 1)]


def _ahead(today: date, last: date, now: datetime, zone: tzinfo) -> list[tuple[date, int]]:
    """What is left of today, and the days after it up to the last."""
    begin, end = start_of(today, zone), start_of(today + _DAY, zone)
    left = (end - now) * WHOLE_DAY // (end - begin)
    return [(today, left), *((day, WHOLE_DAY) for day in _days(today + _DAY, last))]
