"""Reads of a tenant's price book."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from agentops.budgets.book import Book, DatedDiscount, DatedRates, Key
from agentops.budgets.models import Discount, PriceOverride
from agentops.budgets.prices import CLASSES
from agentops.common import prepared
from agentops.common.errors import NotFound

HISTORY_MOST = 500  # rows that a page shows of prices, and as many of discounts
_LIVES = """
tenant_id = %(tenant)s AND valid_until IS DISTINCT FROM valid_from
    AND (valid_until IS NULL OR %(since)s::timestamptz IS NULL OR valid_until > %(since)s)
"""
_BOOK = f"""
SELECT provider, model, valid_from, valid_until, NULL::int, {", ".join(f"{name}_usd" for name in CLASSES)}
FROM budgets_priceoverride WHERE {_LIVES}
UNION ALL SELECT provider, model, valid_from, valid_until, hundredths, {", ".join("NULL::numeric" for _ in CLASSES)}
FROM budgets_discount WHERE {_LIVES}
"""  # noqa: S608  our own names
_Row = TypeVar("_Row", PriceOverride, Discount)


@dataclass(frozen=True, slots=True)
class History(Generic[_Row]):
    """All that was ever said of one provider and model: what holds now, what will, and what did, the latest first."""

    provider: str
    model: str
    now: _Row | None
    coming: Sequence[_Row]
    past: Sequence[_Row]  # over, replaced or taken back


def overrides(*, tenant: uuid.UUID, since: datetime | None = None) -> Book:
    """The book that `prices.price` takes, with all that holds after `since`. Read for each guarded call: without the ORM."""
    prices: dict[Key, list[DatedRates]] = defaultdict(list)
    discounts: dict[Key, list[DatedDiscount]] = defaultdict(list)
    for provider, model, begins, ends, hundredths, *rates in prepared.run(_BOOK, {"tenant": tenant, "since": since}):
        if hundredths is not None:
            discounts[provider, model].append(DatedDiscount(begins, ends, hundredths))
        else:
            said = {name: rate for name, rate in zip(CLASSES, rates, strict=True) if rate is not None}
            prices[provider, model].append(DatedRates(begins, ends, said))
    return Book(dict(prices), dict(discounts))


def price_histories(*, tenant: uuid.UUID, at: datetime) -> list[History[PriceOverride]]:
    """A tenant's own prices, by model and provider."""
    rows = PriceOverride.objects.filter(tenant_id=tenant).order_by("-valid_from", "-set_at", "-id")[:HISTORY_MOST]
    return _histories(list(rows), at)


def discount_histories(*, tenant: uuid.UUID, at: datetime) -> list[History[Discount]]:
    """What comes off list prices, by model and provider."""
    rows = Discount.objects.filter(tenant_id=tenant).order_by("-valid_from", "-set_at", "-id")[:HISTORY_MOST]
    return _histories(list(rows), at)


def price_override(*, tenant: uuid.UUID, price_id: uuid.UUID) -> PriceOverride:
    """Raises NotFound."""
    found = PriceOverride.objects.filter(tenant_id=tenant, id=price_id).first()
    if found is None:
        raise NotFound("There is no such price.")
    return found


def discount(*, tenant: uuid.UUID, discount_id: uuid.UUID) -> Discount:
    """Raises NotFound."""
    found = Discount.objects.filter(tenant_id=tenant, id=discount_id).first()
    if found is None:
        raise NotFound("There is no such discount.")
    return found


def _histories(rows: Sequence[_Row], at: datetime) -> list[History[_Row]]:
    by_key: dict[Key, list[_Row]] = defaultdict(list)
    for row in rows:
        by_key[row.model, row.provider].append(row)
    found = []
    for (model, provider), said in sorted(by_key.items()):
        lives = [row for row in said if row.valid_until is None or row.valid_until > max(at, row.valid_from)]
        now = next((row for row in lives if row.valid_from <= at), None)
        coming = [row for row in reversed(lives) if row.valid_from > at]
        found.append(History(provider, model, now, coming, [row for row in said if row not in lives]))
    return found
