"""What comes off list prices for a tenant, each with its time. A price of its own is the price: nothing comes off it."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any

from agentops.budgets.models import Discount
from agentops.budgets.services import timeline
from agentops.common import scope
from agentops.common.errors import InputProblem, InvalidInput, NotFound
from audit import services as audit
from audit.types import Actor, Outcome, Target


def set_discount(
    *,
    tenant: uuid.UUID,
    provider: str,
    model: str,
    percent: Decimal,
    by: Actor,
    at: datetime,
    valid_from: datetime | None = None,
) -> Discount:
    """Set what comes off the table's prices of a model, of a provider (model ""), or of all (both "").

    `percent` is above 0, at most 100, with at most two decimals. It holds like a price (services/prices.py). Raises
    InvalidInput, and Conflict while calls are priced anew.
    """
    scope.require_tenant(tenant)
    hundredths = _hundredths(percent)
    if len(provider) > 64 or len(model) > 200:
        raise InvalidInput("A provider has at most 64 characters, a model 200.")
    timeline.open_book(tenant)
    timeline.check_room(tenant, Discount, at)
    begins = timeline.beginning(tenant, valid_from, at)
    rows = Discount.objects.filter(tenant_id=tenant, provider=provider, model=model)
    discount = Discount.objects.create(
        tenant_id=tenant,
        provider=provider,
        model=model,
        hundredths=hundredths,
        valid_until=timeline.make_room(rows, begins),
        valid_from=begins,
        set_at=at,
        set_by=by.id,
    )
    _record(discount, "discount.set", by, at, since=begins.isoformat())
    return discount


def end_discount(*, tenant: uuid.UUID, discount_id: uuid.UUID, ends: datetime, by: Actor, at: datetime) -> None:
    """Let a discount hold until a time. Raises NotFound, InvalidInput, Conflict."""
    scope.require_tenant(tenant)
    timeline.open_book(tenant)
    discount = _discount(tenant, discount_id)
    timeline.end(discount, ends)
    _record(discount, "discount.ended", by, at, until=ends.isoformat())


def remove_discount(*, tenant: uuid.UUID, discount_id: uuid.UUID, by: Actor, at: datetime) -> None:
    """Take a discount back: it never held. Raises NotFound, Conflict."""
    scope.require_tenant(tenant)
    timeline.open_book(tenant)
    discount = _discount(tenant, discount_id)
    rows = Discount.objects.filter(tenant_id=tenant, provider=discount.provider, model=discount.model)
    timeline.take_back(rows, discount)
    _record(discount, "discount.removed", by, at)


def _discount(tenant: uuid.UUID, discount_id: uuid.UUID) -> Discount:
    found = Discount.objects.filter(tenant_id=tenant, id=discount_id).first()
    if found is None:
        raise NotFound("There is no such discount.")
    return found


def _hundredths(percent: Decimal) -> int:
    hundredths = percent * 100 if percent.is_finite() else Decimal(0)
    if hundredths != hundredths.to_integral_value() or not 1 <= hundredths <= 10_000:
        detail = "A discount is above 0 and at most 100 percent, with at most two decimals."
        raise InvalidInput(detail, problems=(InputProblem("/percent", "range", detail),))
    return int(hundredths)


def _record(discount: Discount, action: str, by: Actor, at: datetime, **data: Any) -> None:
    audit.record(
        tenant=discount.tenant_id,
        action=action,
        actor=by,
        target=Target(type="discount", id=str(discount.id)),
        outcome=Outcome.SUCCESS,
        data={"discount": str(discount), **data},
        at=at,
    )
