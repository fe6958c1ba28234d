"""Reads of a tenant's own prices."""

from __future__ import annotations

import uuid

from agentops.budgets.models import PriceOverride
from agentops.budgets.prices import CLASSES, Overrides
from agentops.common import prepared
from agentops.common.errors import NotFound

_OVERRIDES = f"""
SELECT provider, model, {", ".join(f"{name}_usd" for name in CLASSES)} FROM budgets_priceoverride WHERE tenant_id = %s
"""  # noqa: S608  our own names


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
    """The same in the form `prices.price` takes. Read for each guarded call, so without the ORM."""
    return {
        (provider, model): {name: rate for name, rate in zip(CLASSES, rates, strict=True) if rate is not None}
        for provider, model, *rates in prepared.run(_OVERRIDES, [tenant])
    }
