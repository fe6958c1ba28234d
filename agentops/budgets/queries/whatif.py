"""What a budget would have done to the last thirty days, had it been there."""

# ruff: noqa: S608  every name in these statements is ours
from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from django.db import connection

from agentops.budgets.policies import bounds
from agentops.budgets.queries.calendar import calendar
from agentops.budgets.queries.spending import SUBJECT_OF
from agentops.budgets.queries.sums import Only, source, sums
from agentops.budgets.types import BudgetTerms, Period, Scope

BACK = timedelta(days=29)  # thirty days, with today


@dataclass(frozen=True, slots=True)
class Hit:
    """A period in which the limit would have been reached."""

    start: date
    reached_on: date | None  # where the budget is that of one
    subjects: int  # how many reached it
    beyond_limit_nano_usd: int  # spent after it was reached
    beyond_ceiling_nano_usd: int  # of that, what would have been refused


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What a budget would have met in the periods of the last thirty days, with the present one."""

    periods: int
    hits: list[Hit]
    subjects: int  # how many reached it at least once
    beyond_limit_nano_usd: int
    beyond_ceiling_nano_usd: int


def only_of(terms: BudgetTerms) -> Only | None:
    """Whose spend a budget of one is about; None of all."""
    if terms.scope is Scope.USER and terms.scope_id:
        return Only(users=[terms.scope_id])
    if terms.scope is Scope.AGENT and terms.scope_id:
        return Only(agent=terms.scope_id)
    return None


def what_if(*, tenant: uuid.UUID, terms: BudgetTerms, at: datetime) -> WhatIf:
    """Periods that began more than thirty days ago count from their start, as the budget would have counted."""
    zone = calendar(tenant=tenant)
    since, _ = bounds(terms.period, at - BACK, zone)
    _, until = bounds(terms.period, at, zone)
    is_of_one = terms.scope is Scope.TENANT or terms.scope_id != ""
    name, only = SUBJECT_OF[terms.scope], only_of(terms)
    by = ("day",) if terms.scope is Scope.TENANT else ("day", name)
    rows = source(tenant=tenant, since=since, until=until, by=by, only=only)
    where = ""
    params: list[Any] = []
    if not is_of_one:  # those with a budget of their own have nothing to do with that of all
        where = (
            f"WHERE {name} <> '' AND NOT EXISTS (SELECT 1 FROM budgets_budget b WHERE b.tenant_id = %s "
            f"AND b.scope = %s AND b.period = %s AND b.scope_id = {name})"
        )
        params = [tenant, terms.scope.value, terms.period.value]
    limit, ceiling = terms.limit_nano_usd, terms.ceiling_nano_usd
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT start, count(DISTINCT subject), sum(spent - %s)::int8, sum(greatest(spent - %s, 0))::int8 "
            f"FROM (SELECT date_trunc(%s, day)::date AS start, {name} AS subject, sum(amount_nano_usd) AS spent "
            f"FROM ({rows.sql}) s {where} GROUP BY 1, 2) g WHERE spent >= %s AND spent > 0 "
            "GROUP BY GROUPING SETS ((start), ()) ORDER BY start NULLS LAST",
            [limit, ceiling, terms.period.value, *rows.params, *params, limit],
        )
        *found, whole = cursor.fetchall()
    reached = _reached_on(tenant, terms, since, until, only) if is_of_one and found else {}
    hits = [Hit(row[0], reached.get(row[0]), *row[1:]) for row in found]
    return WhatIf(_count(terms.period, at, zone), hits, whole[1], whole[2] or 0, whole[3] or 0)


def _count(period: Period, at: datetime, zone: tzinfo) -> int:
    start, count = bounds(period, at - BACK, zone)[0], 0
    while start <= at:
        start, count = bounds(period, start, zone)[1], count + 1
    return count


def _reached_on(
    tenant: uuid.UUID, terms: BudgetTerms, since: datetime, until: datetime, only: Only | None
) -> dict[date, date]:
    """The day on which each period's limit was reached, by the period's first day."""
    found: dict[date, date] = {}
    spent: dict[date, int] = {}
    for row in sums(tenant=tenant, since=since, until=until, by=("day",), only=only):
        assert row.day
        start = _first_of(terms.period, row.day)
        spent[start] = spent.get(start, 0) + row.amount_nano_usd
        if spent[start] >= terms.limit_nano_usd and spent[start] > 0:
            found.setdefault(start, row.day)
    return found


def _first_of(period: Period, day: date) -> date:
    if period is Period.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period is Period.MONTH else day
