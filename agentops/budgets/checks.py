"""Sums compared with the rows they come from. Each check is one statement, so it holds while others write."""

# ruff: noqa: S608  every name in these statements is ours
from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection


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


TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
_HOUR_KEY = ("hour", "agent", "user_id", "provider", "model")
_HOUR_SUMS = ("calls", "unpriced_calls", *TOKENS, "amount_nano_usd")


def usage_is_the_ledger(*, show: int = 20) -> Check:
    """The hourly sums of every tenant against the ledger's entries. Needs staff's scope."""
    sign = "CASE kind WHEN 2 THEN -1 ELSE 1 END"
    rows = (
        "SELECT tenant_id, date_trunc('hour', occurred_at, 'UTC') AS hour, agent, user_id, provider, model, "
        f"sum({sign}) AS calls, coalesce(sum({sign}) FILTER (WHERE NOT is_priced), 0) AS unpriced_calls, "
        f"{sums_of((*TOKENS, 'amount_nano_usd'))} FROM budgets_ledgerentry GROUP BY 1, 2, 3, 4, 5, 6"
    )
    stored = f"SELECT tenant_id, {', '.join((*_HOUR_KEY, *_HOUR_SUMS))} FROM budgets_usagehour"
    return compare("hourly sums and ledger", rows=rows, stored=stored, key=_HOUR_KEY, fields=_HOUR_SUMS, show=show)


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
