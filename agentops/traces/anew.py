"""What calls that are charged cost by the price book of now. Shared by the preview and by the pricing anew itself."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from django.db import connection

from agentops.budgets.book import Book
from agentops.budgets.prices import price
from agentops.budgets.types import ChargedCall, NewPrice

SpanKey = tuple[uuid.UUID, int]


class Said(NamedTuple):
    """What a stored span says of its call; None is "not said"."""

    provider: str
    model: str
    input: int | None
    output: int | None
    cache_read: int | None
    cache_write: int | None
    reasoning: int | None


def changes(
    *, tenant: uuid.UUID, calls: Sequence[ChargedCall], days: Mapping[uuid.UUID, date], book: Book
) -> list[NewPrice]:
    """The calls whose amount, or what a cache saved with them, is another one by the book. `days` are those of kept runs."""
    spans = _spans(tenant, calls, days)
    found = (_anew(call, spans.get((call.key.run_id, call.key.span_id)), book) for call in calls)
    return [one for one in found if one is not None]


def _anew(call: ChargedCall, span: Said | None, book: Book) -> NewPrice | None:
    """None where nothing changes."""
    if call.is_guarded and not call.price_version:
        return None  # charged at its hold: nobody knows what it used
    said = span or _by_the_ledger(call)
    if said is None:
        return None
    found = price(**said._asdict(), at=call.key.occurred_at, overrides=book)
    if found.nano_usd is None and call.is_guarded:
        return None  # it had a price when it was let go, and keeps it
    if (found.nano_usd, found.saved_nano_usd) == (call.amount_nano_usd, call.saved_nano_usd):
        return None
    return NewPrice(
        call=call,
        amount_nano_usd=found.nano_usd,
        saved_nano_usd=found.saved_nano_usd,
        price_version=found.table_version if found.nano_usd is not None else "",
    )


def _by_the_ledger(call: ChargedCall) -> Said | None:
    """The same of a call whose span is gone, or that was guarded. The ledger does not tell "none" from "not said"."""
    usage = call.usage
    if call.amount_nano_usd is None and not (usage.input_tokens or usage.output_tokens):
        return None
    return Said(
        call.provider,
        call.model,
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
    )


def _spans(tenant: uuid.UUID, calls: Sequence[ChargedCall], days: Mapping[uuid.UUID, date]) -> dict[SpanKey, Said]:
    """The stored spans of calls. One look a day: a literal day prunes the partitions."""
    by_day: dict[date, list[SpanKey]] = defaultdict(list)
    for call in calls:
        if not call.is_guarded and call.key.run_id in days:
            by_day[days[call.key.run_id]].append((call.key.run_id, call.key.span_id))
    found: dict[SpanKey, Said] = {}
    with connection.cursor() as cursor:
        for day, keys in by_day.items():
            cursor.execute(
                "SELECT s.run_id, s.span_id, s.provider, s.model, s.input_tokens, s.output_tokens, s.cache_read_tokens, "
                "s.cache_write_tokens, s.reasoning_tokens FROM unnest(%s::uuid[], %s::int8[]) AS n (run_id, span_id) "
                "JOIN traces_span s ON s.tenant_id = %s AND s.day = %s AND s.run_id = n.run_id AND s.span_id = n.span_id",
                [[key[0] for key in keys], [key[1] for key in keys], tenant, day],
            )
            found.update({(row[0], row[1]): Said(*row[2:]) for row in cursor.fetchall()})
    return found
