"""What stands in the tables, read without the product's own code."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import connection

from agentops.common.scope import tenant_scope

TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")


def select(tenant: uuid.UUID, statement: str, *params: Any) -> list[dict[str, Any]]:
    """Rows as dicts, in the tenant's scope."""
    with tenant_scope(tenant), connection.cursor() as cursor:
        cursor.execute(statement, params)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def one(tenant: uuid.UUID, statement: str, *params: Any) -> dict[str, Any]:
    [row] = select(tenant, statement, *params)
    return row


def run(tenant: uuid.UUID, trace: str) -> dict[str, Any]:
    return one(tenant, "SELECT * FROM traces_run WHERE run_id = %s", uuid.UUID(trace))


def facets(tenant: uuid.UUID, trace: str) -> set[tuple[Any, ...]]:
    """(key, value, start) of a run."""
    found = select(tenant, "SELECT key, value, started_at FROM traces_runfacet WHERE run_id = %s", uuid.UUID(trace))
    return {tuple(row.values()) for row in found}


def ledger(tenant: uuid.UUID, trace: str) -> dict[str, int]:
    """Sums of the ledger over one run, corrections taken off."""
    return one(
        tenant,
        "SELECT coalesce(sum(CASE kind WHEN 2 THEN -1 ELSE 1 END), 0)::int8 AS calls, "
        "coalesce(sum(CASE kind WHEN 2 THEN -1 ELSE 1 END) FILTER (WHERE NOT is_priced), 0)::int8 AS unpriced, "
        + ", ".join(f"coalesce(sum({name}), 0)::int8 AS {name}" for name in (*TOKENS, "amount_nano_usd"))
        + " FROM budgets_ledgerentry WHERE run_id = %s",
        uuid.UUID(trace),
    )


def usage(tenant: uuid.UUID, user: str) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """The hourly sums of one end user that are not all zero."""
    names = ("calls", "unpriced_calls", *TOKENS, "amount_nano_usd")
    found = select(tenant, "SELECT * FROM budgets_usagehour WHERE user_id = %s", user)
    sums = {
        tuple(row[name] for name in ("hour", "agent", "provider", "model")): tuple(row[name] for name in names)
        for row in found
    }
    return {key: values for key, values in sums.items() if any(values)}
