"""Writes of the ledger."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, tzinfo

import orjson
from django.db import connection
from django.db.backends.utils import CursorWrapper

from agentops.budgets.models import LedgerEntry
from agentops.budgets.policies import hour_of
from agentops.budgets.services import counters, days
from agentops.budgets.types import SUMS, Charge, EntryKind
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
_KEY = ("agent", "user_id", "provider", "model")


def _upsert(table: str, when: str, kind: str) -> str:
    """Adds rows of sums, given as JSON, to those of a table."""
    names = ", ".join((when, *_KEY, *SUMS))
    types = f"{when} {kind}, {', '.join(f'{name} text' for name in _KEY)}, {', '.join(f'{name} int8' for name in SUMS)}"
    return (
        f"INSERT INTO {table} AS u (tenant_id, {names}) SELECT %s, n.* FROM json_to_recordset(%s::json) AS n ({types}) "  # noqa: S608
        f"ON CONFLICT (tenant_id, {when}, {', '.join(_KEY)}) DO UPDATE SET "
        + ", ".join(f"{name} = u.{name} + excluded.{name}" for name in SUMS)
    )


_HOURS = _upsert("budgets_usagehour", "hour", "timestamptz")
_DAYS = _upsert("budgets_usageday", "day", "date")
_OLD = timedelta(hours=24)  # a charge older than this may be of a day that is folded


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
        zone = counters.charge(cursor, tenant, charges)
        _STAGING.insert(cursor, (_row(tenant, charge, at) for charge in charges))
        # As JSON: psycopg quotes arrays of hundreds of values ten times slower.
        hours = _summed(charges, "hour", lambda charge: hour_of(charge.occurred_at, zone))
        cursor.execute(_HOURS, [tenant, orjson.dumps(hours).decode()])
        old = [charge for charge in charges if charge.occurred_at < at - _OLD]
        if old:
            _charge_days(cursor, tenant, old, zone)
    return len(charges)


def _charge_days(cursor: CursorWrapper, tenant: uuid.UUID, old: Sequence[Charge], zone: tzinfo) -> None:
    """What comes late: it is added to the days that are folded already, and these are told anew what they were for."""
    of_day = {charge.occurred_at: charge.occurred_at.astimezone(zone).date() for charge in old}
    folded = days.folded_among(cursor, tenant, set(of_day.values()))
    late = [charge for charge in old if of_day[charge.occurred_at] in folded]
    if late:
        rows = _summed(late, "day", lambda charge: of_day[charge.occurred_at])
        cursor.execute(_DAYS, [tenant, orjson.dumps(rows).decode()])
    days.mark_stale(cursor, tenant, set(of_day.values()))


def _shorten(charge: Charge) -> None:
    """Cut the texts that are the key of the hourly sums: a B-tree entry holds 2704 bytes, whatever senders write."""
    for name in _KEY:
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


def _summed(charges: Sequence[Charge], when: str, of: Callable[[Charge], datetime | date]) -> list[dict[str, object]]:
    """Sums by time, agent, user, provider and model, in key order: two batches that lock the same rows never deadlock."""
    sums: dict[tuple[datetime | date, str, str, str, str], list[int]] = {}
    for charge in charges:
        total = sums.setdefault(
            (of(charge), charge.agent, charge.user_id, charge.provider, charge.model), [0] * len(SUMS)
        )
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
            charge.saved_nano_usd,
            charge.guarded_nano_usd,
            1 if charge.kind == EntryKind.CACHED else 0,
        )
        for place, value in enumerate(values):
            total[place] += value
    names = (when, *_KEY, *SUMS)
    return [dict(zip(names, (*key, *total), strict=True)) for key, total in sorted(sums.items())]
