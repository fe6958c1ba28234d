"""A tenant's own prices. They hold for calls that come in from then on; what was charged stays charged."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from agentops.budgets.models import PriceOverride
from agentops.budgets.prices import CLASSES
from agentops.common import scope
from agentops.common.errors import InputProblem, InvalidInput, NotFound
from audit import services as audit
from audit.types import Actor, Outcome, Target

MOST_USD = Decimal(100_000)  # per million tokens; a dearer model is a slip of the keyboard
_NEEDED = ("input", "output")


def set_price(
    *, tenant: uuid.UUID, provider: str, model: str, rates: Mapping[str, Decimal | None], by: Actor, at: datetime
) -> PriceOverride:
    """Set what a model costs here, in US dollars per million tokens of each class of `prices.CLASSES`.

    An earlier price of the same provider and model is replaced; provider "" holds for any. Raises InvalidInput.
    """
    scope.require_tenant(tenant)
    _check(model, rates)
    values = {f"{name}_usd": rates.get(name) for name in CLASSES}
    price, _ = PriceOverride.objects.update_or_create(
        tenant_id=tenant,
        provider=provider,
        model=model,
        defaults={**values, "valid_from": at, "set_at": at, "set_by": by.id},
    )
    told = {name: str(rate) for name, rate in rates.items() if rate is not None}
    _record(price, "price.set", {"model": str(price), "rates": told}, by, at)
    return price


def remove_price(*, tenant: uuid.UUID, price_id: uuid.UUID, by: Actor, at: datetime) -> None:
    """Go back to the price table. Raises NotFound."""
    scope.require_tenant(tenant)
    price = PriceOverride.objects.select_for_update().filter(tenant_id=tenant, id=price_id).first()
    if price is None:
        raise NotFound("There is no such price.")
    _record(price, "price.removed", {"model": str(price)}, by, at)
    price.delete()


def _check(model: str, rates: Mapping[str, Decimal | None]) -> None:
    problems = []
    if not model.strip() or len(model) > 200:
        problems.append(InputProblem("/model", "invalid", "Name the model as its spans do, in at most 200 characters."))
    for name in CLASSES:
        rate = rates.get(name)
        if rate is None and name in _NEEDED:
            problems.append(InputProblem(f"/{name}", "required", "Say what these tokens cost; 0 is a price."))
        elif rate is not None and not (rate.is_finite() and 0 <= rate <= MOST_USD):
            problems.append(
                InputProblem(f"/{name}", "invalid", f"A price is from 0 to {MOST_USD} dollars per million tokens.")
            )
    if problems:
        raise InvalidInput(problems[0].detail, problems=tuple(problems))


def _record(price: PriceOverride, action: str, data: dict[str, object], by: Actor, at: datetime) -> None:
    audit.record(
        tenant=price.tenant_id,
        action=action,
        actor=by,
        target=Target(type="price", id=str(price.id)),
        outcome=Outcome.SUCCESS,
        data=data,
        at=at,
    )
