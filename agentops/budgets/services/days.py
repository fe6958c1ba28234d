"""Days whose hours were added up, so that a page of a year reads days; and the clock by which days begin.

A day is folded once it is over for a day, nothing is held that would count in it, and nobody charges meanwhile. From
then on whoever charges it adds to its hours and to its day (ledger.py). Folded days have no gaps between them.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.backends.utils import CursorWrapper

from agentops.budgets.models import Budget, Calendar, Counter
from agentops.budgets.policies import hour_of, start_of
from agentops.budgets.queries.calendar import calendar
from agentops.budgets.services import agent_days, counters, slices
from agentops.budgets.services.budgets import make_counters
from agentops.budgets.types import SUMS
from agentops.common import scope

_NAMES = f"agent, user_id, provider, model, {', '.join(SUMS)}"
_ADDED = ", ".join(f"sum({name})" for name in SUMS)
_FOLDED = "SELECT min(day), max(day) FROM budgets_foldedday WHERE tenant_id = %s"
_FIRST_HOUR = "SELECT min(hour) FROM budgets_usagehour WHERE tenant_id = %s"
_STILL_HELD = """
SELECT EXISTS (SELECT 1 FROM budgets_reservation WHERE tenant_id = %s AND state = 'held' AND reserved_at < %s)
"""
_FOLD = f"""
INSERT INTO budgets_usageday (tenant_id, day, {_NAMES})
SELECT tenant_id, (hour AT TIME ZONE %(zone)s)::date, agent, user_id, provider, model, {_ADDED}
FROM budgets_usagehour WHERE tenant_id = %(tenant)s AND hour >= %(start)s AND hour < %(end)s
GROUP BY 1, 2, 3, 4, 5, 6
"""  # noqa: S608  our own names
_NOTE = """
INSERT INTO budgets_foldedday (tenant_id, day)
SELECT %(tenant)s, d::date FROM generate_series(%(first)s::date, %(last)s::date, interval '1 day') AS d
"""
# A day that is marked already is locked, too: the sweep, which takes the mark away and then adds up, waits for this commit.
_MARK = "ON CONFLICT (tenant_id, day) DO UPDATE SET day = excluded.day"
# One transaction of a tenant at a time marks days: two that mark some twice would wait in a circle.
_MARKING = "SELECT pg_advisory_xact_lock(hashtextextended('stale days:' || %s, 12))"
_STALE = f"INSERT INTO budgets_staleday (tenant_id, day) SELECT %s, d FROM unnest(%s::date[]) AS d ORDER BY d {_MARK}"  # noqa: S608
_STALE_OF_RUNS = f"""
INSERT INTO budgets_staleday (tenant_id, day) SELECT %(tenant)s, d FROM (
    SELECT (occurred_at AT TIME ZONE %(zone)s)::date AS d FROM budgets_ledgerentry
    WHERE tenant_id = %(tenant)s AND run_id = ANY(%(runs)s) AND occurred_at < %(before)s
    UNION SELECT (began AT TIME ZONE %(zone)s)::date FROM unnest(%(began)s::timestamptz[]) AS began WHERE began < %(before)s
) AS days ORDER BY d {_MARK}
"""  # noqa: S608
_BY_DAY = (
    "budgets_usageday", "budgets_foldedday", "budgets_staleday", "budgets_spendday", "budgets_agentdaydone",
    "budgets_agentday", "budgets_agentmonth", "budgets_agentmonthdone", "budgets_outcomeday", "budgets_outcomemonth",
)  # fmt: skip
_DAYS_AT_ONCE = 31
_ADDED_UP_ANYWAY = timedelta(hours=23)  # at least, as today and yesterday are; a day may have 23
# By the minutes that the clocks show past the hour: hours that clocks show twice stay two (policies.hour_of).
HOUR_IN_ZONE = """
occurred_at - ((occurred_at AT TIME ZONE {zone}) - date_trunc('hour', occurred_at AT TIME ZONE {zone}))
"""
_HELD_DAYS = """
SELECT DISTINCT (reserved_at AT TIME ZONE %(zone)s)::date FROM budgets_reservation
WHERE tenant_id = %(tenant)s AND state = 'held'
"""
# What is held stands in slices of a day: by another clock, of another day, perhaps of two.
_HOLDS_ANEW = """
WITH held AS (
    SELECT run_id, agent, user_id, (reserved_at AT TIME ZONE %(zone)s)::date AS day, sum(hold_nano_usd)::int8 AS amount,
        gen_random_uuid() AS id
    FROM budgets_reservation WHERE tenant_id = %(tenant)s AND state = 'held' GROUP BY 1, 2, 3, 4
), moved AS (
    UPDATE budgets_reservation r SET lease_id = held.id FROM held
    WHERE r.tenant_id = %(tenant)s AND r.state = 'held' AND r.run_id = held.run_id AND r.agent = held.agent
        AND r.user_id = held.user_id AND (r.reserved_at AT TIME ZONE %(zone)s)::date = held.day
)
INSERT INTO budgets_lease (tenant_id, id, run_id, agent, user_id, counters, amount_nano_usd, held_nano_usd, spent_nano_usd,
    is_open, is_past_limit, valid_from, valid_until)
SELECT %(tenant)s, id, run_id, agent, user_id, '{}', amount, amount, 0, false, false,
    d.begins, d.ends
FROM held JOIN unnest(%(days)s::date[], %(begins)s::timestamptz[], %(ends)s::timestamptz[]) AS d (day, begins, ends) USING (day)
"""
_FORGET_EMPTY = """
DELETE FROM budgets_lease l WHERE l.tenant_id = %s AND NOT EXISTS (
    SELECT 1 FROM budgets_reservation r WHERE r.tenant_id = l.tenant_id AND r.lease_id = l.id AND r.state = 'held')
"""
_SIGN = "CASE kind WHEN 2 THEN -1 WHEN 4 THEN 0 ELSE 1 END"
_HOURS_ANEW = f"""
INSERT INTO budgets_usagehour (tenant_id, hour, {_NAMES})
SELECT tenant_id, {HOUR_IN_ZONE.format(zone="%(zone)s")}, agent, user_id, provider, model,
    sum({_SIGN}), coalesce(sum({_SIGN}) FILTER (WHERE NOT is_priced), 0), sum(input_tokens), sum(output_tokens),
    sum(cache_read_tokens), sum(cache_write_tokens), sum(reasoning_tokens), sum(amount_nano_usd), sum(saved_nano_usd),
    coalesce(sum(amount_nano_usd) FILTER (WHERE span_id = 0), 0), count(*) FILTER (WHERE kind = 4)
FROM budgets_ledgerentry WHERE tenant_id = %(tenant)s GROUP BY 1, 2, 3, 4, 5, 6
"""  # noqa: S608


def fold_days(*, tenant: uuid.UUID, at: datetime) -> int:
    """Add up days that are over, some at a time, in the caller's transaction; answers how many."""
    scope.require_tenant(tenant)
    zone = calendar(tenant=tenant)
    end = at.astimezone(zone).date() - timedelta(days=1)  # yesterday's late spans are many
    with connection.cursor() as cursor:
        first = _first_unfolded(cursor, tenant, zone)
        if first is None or first >= end:
            return 0
        counters.lock_alone(cursor, tenant)
        first = _first_unfolded(cursor, tenant, zone)
        if first is None or first >= end:
            return 0
        until = min(end, first + timedelta(days=_DAYS_AT_ONCE))
        cursor.execute(_STILL_HELD, [tenant, start_of(until, zone)])
        if cursor.fetchone()[0]:
            return 0
        params: dict[str, Any] = {
            "tenant": tenant,
            "zone": str(zone),
            "start": start_of(first, zone),
            "end": start_of(until, zone),
            "first": first,
            "last": until - timedelta(days=1),
        }
        cursor.execute(_FOLD, params)
        cursor.execute(_NOTE, params)
    return (until - first).days


def folded_among(cursor: CursorWrapper, tenant: uuid.UUID, wanted: Collection[date]) -> set[date]:
    """Which of these days are folded. The tenant's budgets are locked, at least shared."""
    cursor.execute(_FOLDED, [tenant])
    first, last = cursor.fetchone()
    return {day for day in wanted if first is not None and first <= day <= last}


def mark_stale(cursor: CursorWrapper, tenant: uuid.UUID, wanted: Collection[date]) -> None:
    """These days were charged after they were over: what they were for is to be added up anew."""
    cursor.execute(f"{_MARKING}; {_STALE}", [str(tenant), tenant, list(wanted)])
    agent_days.take_away(cursor, tenant, wanted)


def look_again(*, tenant: uuid.UUID, began: Mapping[uuid.UUID, datetime], at: datetime) -> None:
    """Runs that began at these times ended, or turned out otherwise: what their days were for is added up anew.

    Today and yesterday are added up anyway. Late in the caller's transaction, as other writers of these days wait.
    """
    scope.require_tenant(tenant)
    if any(moment < at - _ADDED_UP_ANYWAY for moment in began.values()):
        zone = calendar(tenant=tenant)
        params: dict[str, Any] = {
            "tenant": tenant,
            "zone": str(zone),
            "runs": list(began),
            "began": list(began.values()),
            "before": start_of(at.astimezone(zone).date() - timedelta(days=1), zone),
        }
        with connection.cursor() as cursor:
            cursor.execute(_MARKING, [str(tenant)])
            cursor.execute(_STALE_OF_RUNS, params)


def adopt_calendar(*, tenant: uuid.UUID, time_zone: str, at: datetime) -> None:
    """Let hours, days, weeks and months begin by another clock, from now on and for all that was charged.

    Every slice ends and every period's counter begins anew. Hours are added up anew from the ledger where the clocks
    do not agree on the minutes. The caller leaves the entry: it is the organisation's setting that changes.
    """
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        counters.lock_alone(cursor, tenant)
        before = calendar(tenant=tenant)
        after = ZoneInfo(time_zone)
        if str(before) == time_zone:
            return
        slices.close_all(cursor, tenant)
        Calendar.objects.update_or_create(tenant_id=tenant, defaults={"time_zone": time_zone, "set_at": at})
        Counter.objects.filter(tenant_id=tenant).update(is_based=False)
        for table in _BY_DAY:
            cursor.execute(f"DELETE FROM {table} WHERE tenant_id = %s", [tenant])  # noqa: S608  our own names
        _hold_anew(cursor, tenant, after)
        cursor.execute(_FORGET_EMPTY, [tenant])
        if not _agree(before, after, at):
            cursor.execute("DELETE FROM budgets_usagehour WHERE tenant_id = %s", [tenant])
            cursor.execute(_HOURS_ANEW, {"tenant": tenant, "zone": time_zone})
    for budget in Budget.objects.filter(tenant_id=tenant):
        make_counters(budget, at)


def _hold_anew(cursor: CursorWrapper, tenant: uuid.UUID, zone: ZoneInfo) -> None:
    params: dict[str, Any] = {"tenant": tenant, "zone": str(zone)}
    cursor.execute(_HELD_DAYS, params)
    held = [day for (day,) in cursor.fetchall()]
    params["days"] = held
    params["begins"], params["ends"] = ([start_of(day + timedelta(days=more), zone) for day in held] for more in (0, 1))
    cursor.execute(_HOLDS_ANEW, params)


def _first_unfolded(cursor: CursorWrapper, tenant: uuid.UUID, zone: tzinfo) -> date | None:
    cursor.execute(_FOLDED, [tenant])
    last: date | None = cursor.fetchone()[1]
    if last is not None:
        return last + timedelta(days=1)
    cursor.execute(_FIRST_HOUR, [tenant])
    hour: datetime | None = cursor.fetchone()[0]
    return hour.astimezone(zone).date() if hour is not None else None


def _agree(one: tzinfo, other: tzinfo, at: datetime) -> bool:
    """Do the hours of two clocks begin at the same moments, in summer and in winter, lately and long ago?"""
    moments = [at - timedelta(days=91 * quarter) for quarter in range(4 * 8)]
    return all(hour_of(moment, one) == hour_of(moment, other) for moment in moments)
