"""The ledger's sums over a time: the one place that pages, files and the API read totals from.

Days that are folded come from the day sums, all else from the hourly ones, which equal the ledger at every commit. So
whatever is asked, the numbers are the same, to the nano-dollar.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from django.db import connection

from agentops.budgets.policies import start_of
from agentops.budgets.queries.calendar import calendar
from agentops.budgets.types import SUMS

ADDED = ", ".join(f"coalesce(sum({name}), 0)::int8 AS {name}" for name in SUMS)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Only:
    """Whose calls; None is any."""

    agent: str | None = None
    users: Collection[str] | None = None
    provider: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SumRow:
    """Sums of one group. Names that were not asked for are empty."""

    tenant_id: uuid.UUID | None = None
    day: date | None = None
    hour: datetime | None = None
    agent: str = ""
    user_id: str = ""
    provider: str = ""
    model: str = ""
    calls: int
    unpriced_calls: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    amount_nano_usd: int
    saved_nano_usd: int
    guarded_nano_usd: int
    cached_answers: int


class Part(NamedTuple):
    """Rows of one or both of the tables, as a SELECT that gives the names and the sums."""

    sql: str
    params: list[Any]


def sums(
    *, tenant: uuid.UUID | None, since: datetime, until: datetime, by: Sequence[str] = (), only: Only | None = None
) -> list[SumRow]:
    """Sums of what occurred from `since` until (and without) `until`, both at the full hour of the organisation's clock.

    `by` is any of day, hour, agent, user_id, provider, model; rows come in their order. Without: one row. `tenant` None:
    all organisations, in staff's scope, by the hours of UTC (whose days are then UTC's); `by` may have tenant_id, too.
    """
    rows = source(tenant=tenant, since=since, until=until, by=by, only=only)
    wanted = ", ".join(by)
    statement = f"SELECT {wanted + ', ' if by else ''}{ADDED} FROM ({rows.sql}) s"  # noqa: S608
    if by:
        statement += f" GROUP BY {wanted} ORDER BY {wanted}"
    with connection.cursor() as cursor:
        cursor.execute(statement, rows.params)
        names = (*by, *SUMS)
        return [SumRow(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def source(
    *, tenant: uuid.UUID | None, since: datetime, until: datetime, by: Sequence[str], only: Only | None = None
) -> Part:
    """The rows that `sums` adds up, for statements that rank or compare groups before they leave the database."""
    zone: tzinfo = calendar(tenant=tenant) if tenant else UTC
    parts = _parts(tenant, since, until, by, only or Only(), zone)
    return Part(" UNION ALL ".join(part.sql for part in parts), [value for part in parts for value in part.params])


def total(*, tenant: uuid.UUID | None, since: datetime, until: datetime, only: Only | None = None) -> SumRow:
    """The same in one row, zeros where there is nothing."""
    return sums(tenant=tenant, since=since, until=until, only=only)[0]


def _parts(
    tenant: uuid.UUID | None, since: datetime, until: datetime, by: Sequence[str], only: Only, zone: tzinfo
) -> list[Part]:
    folded = _folded(tenant, since, until, zone) if tenant and "hour" not in by else None
    if tenant is None or folded is None:
        return [_hours(tenant, since, until, by, only, zone)]
    first, end = folded
    parts = [_days(tenant, first, end, by, only)]
    if since < start_of(first, zone):
        parts.append(_hours(tenant, since, start_of(first, zone), by, only, zone))
    if start_of(end, zone) < until:
        parts.append(_hours(tenant, start_of(end, zone), until, by, only, zone))
    return parts


def _folded(tenant: uuid.UUID, since: datetime, until: datetime, zone: tzinfo) -> tuple[date, date] | None:
    """The folded days that lie wholly inside: the first, and the one after the last."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(day), max(day) FROM budgets_foldedday WHERE tenant_id = %s", [tenant])
        first, last = cursor.fetchone()
    if first is None:
        return None
    begin = since.astimezone(zone).date()
    if start_of(begin, zone) < since:
        begin += _DAY
    first = max(first, begin)
    end = min(last + _DAY, until.astimezone(zone).date())
    return (first, end) if first < end else None


def _hours(
    tenant: uuid.UUID | None, since: datetime, until: datetime, by: Sequence[str], only: Only, zone: tzinfo
) -> Part:
    columns = {"day": "(hour AT TIME ZONE %s)::date AS day"}
    names = [columns.get(name, name) for name in by]
    params: list[Any] = [str(zone)] if "day" in by else []
    wheres, values = _wheres(tenant, only)
    sql = f"SELECT {', '.join((*names, *SUMS))} FROM budgets_usagehour WHERE hour >= %s AND hour < %s{wheres}"  # noqa: S608
    return Part(sql, [*params, since, until, *values])


def _days(tenant: uuid.UUID, first: date, end: date, by: Sequence[str], only: Only) -> Part:
    wheres, values = _wheres(tenant, only)
    sql = f"SELECT {', '.join((*by, *SUMS))} FROM budgets_usageday WHERE day >= %s AND day < %s{wheres}"  # noqa: S608
    return Part(sql, [first, end, *values])


def _wheres(tenant: uuid.UUID | None, only: Only) -> tuple[str, list[Any]]:
    found: list[tuple[str, Any]] = [
        ("tenant_id = %s", tenant),
        ("agent = %s", only.agent),
        ("user_id = ANY(%s)", list(only.users) if only.users is not None else None),
        ("provider = %s", only.provider),
        ("model = %s", only.model),
    ]
    asked = [(where, value) for where, value in found if value is not None]
    return "".join(f" AND {where}" for where, _ in asked), [value for _, value in asked]
