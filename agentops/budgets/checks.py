"""Sums compared with the rows they come from. Each check is one statement, so it holds while others write."""

# ruff: noqa: S608  every name in these statements is ours
from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from agentops.budgets.services.days import HOUR_IN_ZONE
from agentops.budgets.types import GUARD_SPAN, HOLDS_KEPT, SUMS


@dataclass(frozen=True, slots=True)
class Difference:
    """One sum that is not what its rows add up to."""

    what: str
    tenant_id: uuid.UUID
    of: dict[str, Any]  # which row
    field: str
    rows: Any  # what the rows say
    stored: Any


@dataclass(frozen=True, slots=True)
class Check:
    """What one comparison found: how many rows were compared, and the first that differ."""

    what: str
    compared: int
    differing: int
    first: list[Difference]


# Entries of the ledger that come from the guard's calls; a stored answer that served was no call.
GUARD = f"(span_id = {GUARD_SPAN} AND kind <> 4)"
_KEPT = f"now() - interval '{HOLDS_KEPT.days - 1} days'"
OVERDUE = "1 hour"  # how long after its expiry a hold may wait for the sweep, which runs every ten seconds
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
_SIGN = "CASE kind WHEN 2 THEN -1 WHEN 4 THEN 0 ELSE 1 END"
_SUMS_OF_ROWS = (
    f"sum({_SIGN}) AS calls, coalesce(sum({_SIGN}) FILTER (WHERE NOT is_priced), 0) AS unpriced_calls, "
    f"{', '.join(f'coalesce(sum({name}), 0) AS {name}' for name in (*TOKENS, 'amount_nano_usd', 'saved_nano_usd'))}, "
    f"coalesce(sum(amount_nano_usd) FILTER (WHERE span_id = {GUARD_SPAN}), 0) AS guarded_nano_usd, "
    "count(*) FILTER (WHERE kind = 4) AS cached_answers"
)
_KEY = ("agent", "user_id", "provider", "model")
_MONTH = "date_trunc('month', day::timestamp)::date"
_ZONE = "coalesce(time_zone, 'UTC')"
_ENTRIES = "budgets_ledgerentry LEFT JOIN budgets_calendar USING (tenant_id)"


def usage_is_the_ledger(*, show: int = 20) -> Check:
    """The hourly sums of every tenant against the ledger's entries. Needs staff's scope."""
    rows = (
        f"SELECT tenant_id, {HOUR_IN_ZONE.format(zone=_ZONE)} AS hour, {', '.join(_KEY)}, {_SUMS_OF_ROWS} "
        f"FROM {_ENTRIES} GROUP BY 1, 2, 3, 4, 5, 6"
    )
    stored = f"SELECT tenant_id, {', '.join(('hour', *_KEY, *SUMS))} FROM budgets_usagehour"
    return compare("hourly sums and ledger", rows=rows, stored=stored, key=("hour", *_KEY), fields=SUMS, show=show)


def folded_days_are_the_ledger(*, show: int = 20) -> Check:
    """The sums of days that are folded against the ledger's entries of these days. Needs staff's scope."""
    day = f"(occurred_at AT TIME ZONE {_ZONE})::date"
    rows = (
        f"SELECT tenant_id, {day} AS day, {', '.join(_KEY)}, {_SUMS_OF_ROWS} FROM {_ENTRIES} WHERE EXISTS "
        f"(SELECT 1 FROM budgets_foldedday f WHERE f.tenant_id = budgets_ledgerentry.tenant_id AND f.day = {day}) "
        "GROUP BY 1, 2, 3, 4, 5, 6"
    )
    stored = f"SELECT tenant_id, {', '.join(('day', *_KEY, *SUMS))} FROM budgets_usageday"
    return compare("folded days and ledger", rows=rows, stored=stored, key=("day", *_KEY), fields=SUMS, show=show)


def agents_days_are_the_days(*, show: int = 20) -> Check:
    """What pages over all organisations read of each day against its sums by user. Needs staff's scope."""
    key = ("day", "agent", "provider", "model")
    rows = (
        f"SELECT tenant_id, {', '.join(key)}, {sums_of(SUMS)} FROM budgets_usageday u WHERE EXISTS "
        "(SELECT 1 FROM budgets_agentdaydone d WHERE d.tenant_id = u.tenant_id AND d.day = u.day) GROUP BY 1, 2, 3, 4, 5"
    )
    stored = f"SELECT tenant_id, {', '.join((*key, *SUMS))} FROM budgets_agentday"
    return compare("agents' days and folded days", rows=rows, stored=stored, key=key, fields=SUMS, show=show)


def agents_months_are_their_days(*, show: int = 20) -> Check:
    """The months that such pages read against their days. Needs staff's scope."""
    key = ("month", "agent", "provider", "model")
    rows = f"SELECT tenant_id, {_MONTH} AS month, agent, provider, model, {sums_of(SUMS)} FROM budgets_agentday GROUP BY 1, 2, 3, 4, 5"
    stored = f"SELECT tenant_id, {', '.join((*key, *SUMS))} FROM budgets_agentmonth"
    return compare("agents' months and days", rows=rows, stored=stored, key=key, fields=SUMS, show=show)


def whole_days_are_their_agents(*, show: int = 20) -> Check:
    """The totals of such days against their agents. Needs staff's scope."""
    rows = f"SELECT tenant_id, day, {sums_of(SUMS)} FROM budgets_agentday GROUP BY 1, 2"
    stored = f"SELECT tenant_id, day, {', '.join(SUMS)} FROM budgets_agentdaydone"
    return compare("whole days and their agents", rows=rows, stored=stored, key=("day",), fields=SUMS, show=show)


def whole_months_are_their_days(*, show: int = 20) -> Check:
    """The totals of such months, and how many days they have, against their days. Needs staff's scope."""
    rows = f"SELECT tenant_id, {_MONTH} AS month, count(*) AS days, {sums_of(SUMS)} FROM budgets_agentdaydone GROUP BY 1, 2"
    stored = f"SELECT tenant_id, month, days, {', '.join(SUMS)} FROM budgets_agentmonthdone"
    return compare("whole months and days", rows=rows, stored=stored, key=("month",), fields=("days", *SUMS), show=show)


def outcomes_are_their_tools(*, show: int = 20) -> Check:
    """What runs that ended in one way cost in each month against the same by day and tool. Needs staff's scope."""
    key, fields = ("month", "agent", "outcome"), ("runs", "amount_nano_usd", "of_days")
    rows = (
        f"SELECT tenant_id, {_MONTH} AS month, agent, outcome, {sums_of(fields[:2])}, sum(amount_nano_usd) AS of_days "
        "FROM budgets_spendday GROUP BY 1, 2, 3, 4"
    )
    days = f"SELECT tenant_id, {_MONTH} AS month, agent, outcome, sum(amount_nano_usd) AS of_days FROM budgets_outcomeday GROUP BY 1, 2, 3, 4"
    stored = (
        "SELECT tenant_id, month, agent, outcome, runs, amount_nano_usd, of_days FROM budgets_outcomemonth "
        f"FULL JOIN ({days}) d USING (tenant_id, month, agent, outcome)"
    )
    return compare("outcomes and tools", rows=rows, stored=stored, key=key, fields=fields, show=show)


def calendars_are_the_settings(*, show: int = 20) -> Check:
    """The clock by which budgets begin against what the organisation set. Needs staff's scope."""
    rows = "SELECT tenant_id, hashtext(time_zone)::int8 AS time_zone FROM tenants_tenantsettings"
    stored = (
        "SELECT tenant_id, hashtext(coalesce(c.time_zone, 'UTC'))::int8 AS time_zone FROM tenants_tenantsettings "
        "LEFT JOIN budgets_calendar c USING (tenant_id)"
    )
    return compare("clocks of budgets and settings", rows=rows, stored=stored, key=(), fields=("time_zone",), show=show)


def guard_charges_are_the_reservations(*, show: int = 20) -> Check:
    """What the guard charged for each call against its reservation: once, at its cost. Needs staff's scope.

    Of calls that are kept: reservations are forgotten after HOLDS_KEPT.
    """
    rows = (
        "SELECT tenant_id, run_id, call_id, CASE WHEN state IN ('settled', 'unknown') THEN 1 ELSE 0 END AS calls, "
        f"cost_nano_usd AS amount_nano_usd FROM budgets_reservation WHERE reserved_at >= {_KEPT}"
    )
    stored = (
        f"SELECT tenant_id, run_id, call_id, sum({_SIGN}) AS calls, sum(amount_nano_usd) AS amount_nano_usd "
        f"FROM budgets_ledgerentry WHERE {GUARD} AND occurred_at >= {_KEPT} GROUP BY tenant_id, run_id, call_id"
    )
    fields = ("calls", "amount_nano_usd")
    return compare(
        "guarded calls and ledger", rows=rows, stored=stored, key=("run_id", "call_id"), fields=fields, show=show
    )


def slices_hold_the_reservations(*, show: int = 20) -> Check:
    """What is held in each slice against the holds in it. Needs staff's scope."""
    rows = (
        "SELECT tenant_id, lease_id, sum(hold_nano_usd) AS held_nano_usd FROM budgets_reservation WHERE state = 'held' "
        "GROUP BY tenant_id, lease_id"
    )
    stored = "SELECT tenant_id, id AS lease_id, held_nano_usd FROM budgets_lease"
    return compare(
        "slices and holds", rows=rows, stored=stored, key=("lease_id",), fields=("held_nano_usd",), show=show
    )


def counters_are_the_ledger(*, show: int = 20) -> Check:
    """What is charged to each budget in each period, in its counter or still in slices, against the ledger's entries.

    Needs staff's scope. Counters that have no base yet are not relied on, and not compared.
    """
    based = (
        "SELECT c.*, b.scope FROM budgets_counter c JOIN budgets_budget b ON b.tenant_id = c.tenant_id "
        "AND b.id = c.budget_id WHERE c.is_based"
    )
    rows = (
        "SELECT c.tenant_id, c.id AS counter, coalesce(sum(e.amount_nano_usd), 0) AS charged_nano_usd "
        f"FROM ({based}) c LEFT JOIN budgets_ledgerentry e ON e.tenant_id = c.tenant_id "
        "AND e.occurred_at >= c.period_start AND e.occurred_at < c.period_end AND CASE c.scope "
        "WHEN 'user' THEN e.user_id = c.subject WHEN 'agent' THEN e.agent = c.subject ELSE true END "
        "GROUP BY c.tenant_id, c.id"
    )
    stored = (
        "SELECT c.tenant_id, c.id AS counter, c.charged_nano_usd + coalesce((SELECT sum(l.spent_nano_usd) "
        f"FROM budgets_lease l WHERE l.tenant_id = c.tenant_id AND c.id = ANY(l.counters)), 0) AS charged_nano_usd FROM ({based}) c"
    )
    return compare(
        "budgets and ledger", rows=rows, stored=stored, key=("counter",), fields=("charged_nano_usd",), show=show
    )


def no_hold_is_overdue(*, show: int = 20) -> Check:
    """No hold may wait much longer than its expiry: the sweep charges it. Needs staff's scope."""
    rows = "SELECT tenant_id, run_id, call_id, 0 AS overdue FROM budgets_reservation WHERE state = 'held'"
    stored = (
        f"SELECT tenant_id, run_id, call_id, CASE WHEN expires_at < now() - interval '{OVERDUE}' THEN 1 ELSE 0 END AS overdue "
        "FROM budgets_reservation WHERE state = 'held'"
    )
    return compare("overdue holds", rows=rows, stored=stored, key=("run_id", "call_id"), fields=("overdue",), show=show)


def sums_of(names: Sequence[str], *, where: str = "") -> str:
    """`sum(name) AS name, …`, 0 where there is nothing."""
    only = f" FILTER (WHERE {where})" if where else ""
    return ", ".join(f"coalesce(sum({name}){only}, 0) AS {name}" for name in names)


def compare(what: str, *, rows: str, stored: str, key: Sequence[str], fields: Sequence[str], show: int) -> Check:
    """Join two statements by tenant and key; what one of them lacks counts as zeros. All names are ours."""
    joined = ", ".join(("tenant_id", *key))
    differ = " OR ".join(f"coalesce(a.{name}, 0) <> coalesce(b.{name}, 0)" for name in fields)
    pairs = ", ".join(f"coalesce(a.{name}, 0), coalesce(b.{name}, 0)" for name in fields)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH a AS ({rows}), b AS ({stored}), compared AS ("
            f"SELECT {joined}, {pairs}, {differ} AS differs FROM a FULL JOIN b USING ({joined})) "
            "SELECT *, count(*) OVER (), count(*) FILTER (WHERE differs) OVER () FROM compared "
            f"ORDER BY differs DESC, {joined} LIMIT %s",
            [max(show, 1)],
        )
        found = cursor.fetchall()
    if not found:
        return Check(what, 0, 0, [])
    compared, differing = found[0][-2:]
    first = [
        Difference(what, row[0], dict(zip(key, row[1:], strict=False)), name, *row[place : place + 2])
        for row in found[: min(differing, show)]
        for name, place in zip(fields, range(len(key) + 1, len(row) - 3, 2), strict=True)
        if row[place] != row[place + 1]
    ]
    return Check(what, compared, differing, first[:show])
