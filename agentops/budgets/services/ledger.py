"""Writes of the ledger."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
from django.db import connection

from agentops.budgets.models import LedgerEntry
from agentops.budgets.services import counters
from agentops.budgets.types import Charge
from agentops.common import scope
from agentops.common.bulk import Staging
from agentops.common.ids import new_id

_STAGING = Staging.of(LedgerEntry)
_EXPECTED = (
    "tenant_id", "id", "occurred_at", "recorded_at", "kind", "run_id", "span_id", "call_id", "agent", "user_id",
    "model", "provider", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "reasoning_tokens", "amount_nano_usd", "saved_nano_usd", "is_priced", "price_version", "reason",
)  # fmt: skip
assert _STAGING.columns == _EXPECTED
KEY_BYTES = 512
_KEY_TEXTS = ("agent", "user_id", "provider", "model")
_USAGE_NAMES = (
    "hour", "agent", "user_id", "provider", "model", "calls", "unpriced_calls", "input_tokens", "output_tokens",
    "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "amount_nano_usd",
)  # fmt: skip
_USAGE_UPSERT = """
INSERT INTO budgets_usagehour AS u (tenant_id, hour, agent, user_id, provider, model, calls, unpriced_calls,
    input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, amount_nano_usd)
SELECT %s, n.* FROM json_to_recordset(%s::json) AS n (hour timestamptz, agent text, user_id text, provider text,
    model text, calls int8, unpriced_calls int8, input_tokens int8, output_tokens int8, cache_read_tokens int8,
    cache_write_tokens int8, reasoning_tokens int8, amount_nano_usd int8)
ON CONFLICT (tenant_id, hour, agent, user_id, provider, model) DO UPDATE SET
    calls = u.calls + excluded.calls, unpriced_calls = u.unpriced_calls + excluded.unpriced_calls,
    input_tokens = u.input_tokens + excluded.input_tokens, output_tokens = u.output_tokens + excluded.output_tokens,
    cache_read_tokens = u.cache_read_tokens + excluded.cache_read_tokens,
    cache_write_tokens = u.cache_write_tokens + excluded.cache_write_tokens,
    reasoning_tokens = u.reasoning_tokens + excluded.reasoning_tokens,
    amount_nano_usd = u.amount_nano_usd + excluded.amount_nano_usd
"""


def charge_many(*, tenant: uuid.UUID, charges: Sequence[Charge], at: datetime) -> int:
    """Append charges to the ledger, its hourly sums and the budgets, in the caller's transaction; answers how many.

    The caller makes sure that a call is charged once (ingest charges only spans that were new). The sums' rows are
    shared by everything of a tenant, so call this late, just before the commit: their locks are held until then.
    """
    scope.require_tenant(tenant)
    if not charges:
        return 0
    for charge in charges:
        _shorten(charge)
    with connection.cursor() as cursor:
        _STAGING.insert(cursor, (_row(tenant, charge, at) for charge in charges))
        counters.charge(cursor, tenant, charges)
        # As JSON: psycopg quotes arrays of hundreds of values ten times slower.
        cursor.execute(_USAGE_UPSERT, [tenant, orjson.dumps(_by_hour(charges)).decode()])
    return len(charges)


def _shorten(charge: Charge) -> None:
    """Cut the texts that are the key of the hourly sums: a B-tree entry holds 2704 bytes, whatever senders write."""
    for name in _KEY_TEXTS:
        text = getattr(charge, name)
        if len(text) > KEY_BYTES // 4:
            setattr(charge, name, cut(text))


def cut(text: str) -> str:
    """A text that may be part of the key of the hourly sums."""
    if len(text) > KEY_BYTES // 4 and len(raw := text.encode()) > KEY_BYTES:
        return raw[:KEY_BYTES].decode("utf-8", "ignore")
    return text


def _row(tenant: uuid.UUID, charge: Charge, at: datetime) -> tuple[object, ...]:
    return (
        tenant,
        new_id(),
        charge.occurred_at,
        at,
        int(charge.kind),
        charge.run_id,
        charge.span_id,
        charge.call_id,
        charge.agent,
        charge.user_id,
        charge.model,
        charge.provider,
        charge.input_tokens,
        charge.output_tokens,
        charge.cache_read_tokens,
        charge.cache_write_tokens,
        charge.reasoning_tokens,
        charge.amount_nano_usd or 0,
        charge.saved_nano_usd,
        charge.amount_nano_usd is not None,
        charge.price_version,
        charge.reason,
    )


def _by_hour(charges: Sequence[Charge]) -> list[dict[str, object]]:
    """Sums by hour, agent, user, provider and model, in key order: two batches that lock the same rows never deadlock."""
    sums: dict[tuple[datetime, str, str, str, str], list[int]] = {}
    for charge in charges:
        hour = charge.occurred_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        total = sums.setdefault((hour, charge.agent, charge.user_id, charge.provider, charge.model), [0] * 8)
        sign = charge.sign
        values = (
            sign,
            sign if charge.amount_nano_usd is None else 0,
            charge.input_tokens,
            charge.output_tokens,
            charge.cache_read_tokens,
            charge.cache_write_tokens,
            charge.reasoning_tokens,
            charge.amount_nano_usd or 0,
        )
        for place, value in enumerate(values):
            total[place] += value
    return [dict(zip(_USAGE_NAMES, (*key, *total), strict=True)) for key, total in sorted(sums.items())]
