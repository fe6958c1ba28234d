"""Reads of the ledger's sums."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, Sum

from agentops.budgets.models import PriceOverride, UsageHour
from agentops.budgets.prices import CLASSES, Overrides
from agentops.common.errors import NotFound


@dataclass(frozen=True, slots=True)
class UnpricedModel:
    """A model that was called without a price: its spend is unknown, not zero."""

    provider: str
    model: str
    calls: int
    last_hour: datetime


@dataclass(frozen=True, slots=True)
class Spend:
    """Sums over a time; `amount_nano_usd` leaves out the unpriced calls."""

    calls: int
    unpriced_calls: int
    amount_nano_usd: int


def unpriced_models(*, tenant: uuid.UUID, since: datetime) -> list[UnpricedModel]:
    """Models without a price, the most called first."""
    rows = (
        UsageHour.objects.filter(tenant_id=tenant, hour__gte=since, unpriced_calls__gt=0)
        .values("provider", "model")
        .annotate(sum_calls=Sum("unpriced_calls"), last=Max("hour"))
        .order_by("-sum_calls", "provider", "model")
    )
    return [UnpricedModel(row["provider"], row["model"], row["sum_calls"], row["last"]) for row in rows]


def spend(*, tenant: uuid.UUID, since: datetime, user_id: str | None = None) -> Spend:
    """What model calls cost since a time (cut to the hour), for one end user or all."""
    rows = UsageHour.objects.filter(tenant_id=tenant, hour__gte=since.replace(minute=0, second=0, microsecond=0))
    if user_id is not None:
        rows = rows.filter(user_id=user_id)
    found = rows.aggregate(calls=Sum("calls"), unpriced=Sum("unpriced_calls"), amount=Sum("amount_nano_usd"))
    return Spend(found["calls"] or 0, found["unpriced"] or 0, int(found["amount"] or 0))


def price_overrides(*, tenant: uuid.UUID) -> list[PriceOverride]:
    """A tenant's own prices, by model."""
    return list(PriceOverride.objects.filter(tenant_id=tenant).order_by("model", "provider", "id"))


def price_override(*, tenant: uuid.UUID, price_id: uuid.UUID) -> PriceOverride:
    """Raises NotFound."""
    found = PriceOverride.objects.filter(tenant_id=tenant, id=price_id).first()
    if found is None:
        raise NotFound("There is no such price.")
    return found


def overrides(*, tenant: uuid.UUID) -> Overrides:
    """The same in the form `prices.price` takes."""
    return {
        (price.provider, price.model): {
            name: rate for name in CLASSES if (rate := getattr(price, f"{name}_usd")) is not None
        }
        for price in price_overrides(tenant=tenant)
    }
