"""Reads of single calls from the ledger: what each is charged now, after all that was corrected in it."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from operator import itemgetter
from typing import Any

from django.db import connection

from agentops.budgets.types import CallKey, ChargedCall, EntryKind, Usage

_USAGE = tuple(one.name for one in fields(Usage))
_KEY = "occurred_at, run_id, span_id, call_id"
# The primary key begins with the time, so this reads on from where it was, and no further than it must.
_NEXT = f"""
SELECT DISTINCT {_KEY} FROM budgets_ledgerentry
WHERE tenant_id = %s AND occurred_at >= %s AND occurred_at < %s AND kind <> {int(EntryKind.CACHED)}{{after}}
ORDER BY {_KEY} LIMIT %s
"""  # noqa: S608  our own names
_AFTER = " AND (occurred_at, run_id, span_id, call_id) > (%s, %s, %s, %s)"
_COLUMNS = (
    "kind", "agent", "user_id", "model", "provider", *_USAGE, "amount_nano_usd", "saved_nano_usd", "is_priced",
    "price_version",
)  # fmt: skip
_ENTRIES = f"""
SELECT {", ".join(f"e.{name}" for name in _KEY.split(", "))}, {", ".join(f"e.{name}" for name in _COLUMNS)}
FROM unnest(%s::timestamptz[], %s::uuid[], %s::int8[], %s::text[]) AS k ({_KEY})
JOIN budgets_ledgerentry e ON e.tenant_id = %s AND e.occurred_at = k.occurred_at AND e.run_id = k.run_id
    AND e.span_id = k.span_id AND e.call_id = k.call_id AND e.kind <> {int(EntryKind.CACHED)}
ORDER BY e.recorded_at, e.id
"""  # noqa: S608
_SAVED = """
SELECT span_id, sum(saved_nano_usd)::int8 FROM budgets_ledgerentry
WHERE tenant_id = %s AND run_id = %s AND span_id = ANY(%s) GROUP BY span_id
"""
# A move takes back what it charged before under another name; forgetting may have made the two one.
_NAMES = f"""
SELECT span_id, agent, user_id FROM budgets_ledgerentry
WHERE tenant_id = %s AND run_id = %s AND span_id = ANY(%s) AND kind <> {int(EntryKind.CACHED)}
GROUP BY span_id, agent, user_id HAVING sum(CASE kind WHEN {int(EntryKind.CORRECTION)} THEN -1 ELSE 1 END) > 0
"""  # noqa: S608


def next_calls(
    *, tenant: uuid.UUID, since: datetime, until: datetime, after: CallKey | None, most: int
) -> list[CallKey]:
    """The calls that occurred in a time and come after one of them, in their order; among them those taken back."""
    with connection.cursor() as cursor:
        cursor.execute(
            _NEXT.format(after=_AFTER if after else ""),
            [tenant, after.occurred_at if after else since, until, *(asdict(after).values() if after else ()), most],
        )
        return [CallKey(occurred_at=row[0], run_id=row[1], span_id=row[2], call_id=row[3]) for row in cursor.fetchall()]


def charged_calls(*, tenant: uuid.UUID, keys: Sequence[CallKey]) -> list[ChargedCall]:
    """What these calls are charged now, in the order of `keys`; those that are taken back are left out."""
    entries: dict[CallKey, list[dict[str, Any]]] = defaultdict(list)
    with connection.cursor() as cursor:
        columns = [[getattr(key, name) for key in keys] for name in _KEY.split(", ")]
        cursor.execute(_ENTRIES, [*columns, tenant])
        for row in cursor.fetchall():
            key = CallKey(occurred_at=row[0], run_id=row[1], span_id=row[2], call_id=row[3])
            entries[key].append(dict(zip(_COLUMNS, row[4:], strict=True)))
    return [call for key in keys if (call := _call(key, entries[key])) is not None]


def saved_by_spans(*, tenant: uuid.UUID, run: uuid.UUID, spans: Sequence[int]) -> dict[int, int]:
    """What a cache saved with these charged spans, in nano-dollars."""
    with connection.cursor() as cursor:
        cursor.execute(_SAVED, [tenant, run, list(spans)])
        return dict(cursor.fetchall())


def names_of_spans(*, tenant: uuid.UUID, run: uuid.UUID, spans: Sequence[int]) -> dict[int, tuple[str, str]]:
    """The agent and the user that these spans are charged under now."""
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, [tenant, run, list(spans)])
        return {row[0]: (row[1], row[2]) for row in cursor.fetchall()}


def _call(key: CallKey, entries: Sequence[dict[str, Any]]) -> ChargedCall | None:
    """Corrections take back all of what an earlier entry charged, so the sums are what holds now."""
    signs = [-1 if entry["kind"] == EntryKind.CORRECTION else 1 for entry in entries]
    if sum(signs) != 1:
        return None
    is_priced = not sum(sign for sign, entry in zip(signs, entries, strict=True) if not entry["is_priced"])
    amount = sum(entry["amount_nano_usd"] for entry in entries)
    whose = itemgetter("agent", "user_id")
    charges = [entry for sign, entry in zip(signs, entries, strict=True) if sign == 1]
    # The newest charge of this amount, and of whom it was not taken back: clocks of two machines may differ, sums do not.
    left = Counter(whose(entry) for entry in charges)
    left.subtract(whose(entry) for sign, entry in zip(signs, entries, strict=True) if sign == -1)
    latest = next(
        one
        for one in reversed(charges)
        if left[whose(one)] > 0 and (one["amount_nano_usd"], one["is_priced"]) == (amount, is_priced)
    )
    return ChargedCall(
        key=key,
        **{name: latest[name] for name in ("agent", "user_id", "model", "provider")},
        usage=Usage(**{name: sum(entry[name] for entry in entries) for name in _USAGE}),
        amount_nano_usd=amount if is_priced else None,
        saved_nano_usd=sum(entry["saved_nano_usd"] for entry in entries),
        price_version=latest["price_version"],
    )
