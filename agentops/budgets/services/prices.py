"""A tenant's own prices, each with its time. They hold for calls of that time that come in from now on; what was charged
stays charged, until somebody asks to have it priced anew."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from agentops.budgets.models import PriceOverride
from agentops.budgets.prices import CLASSES
from agentops.budgets.services import timeline
from agentops.common import scope
from agentops.common.errors import InputProblem, InvalidInput, NotFound
from audit import services as audit
from audit.types import Actor, Outcome, Target

MOST_USD = Decimal(100_000)  # per million tokens; a dearer model is a slip of the keyboard
_NEEDED = ("input", "output")


def set_price(
    *,
    tenant: uuid.UUID,
    provider: str,
    model: str,
    rates: Mapping[str, Decimal | None],
    by: Actor,
    at: datetime,
    valid_from: datetime | None = None,
) -> PriceOverride:
    """Set what a model costs here, in US dollars per million tokens of each class of `prices.CLASSES`.

    It holds from `valid_from` (else from the beginning of the day, by the organisation's clock) until the next price of
    the same provider and model begins, and ends the one before; provider "" holds for any. Raises InvalidInput, and
    Conflict while calls are priced anew.
    """
    scope.require_tenant(tenant)
    _check(model, rates)
    timeline.open_book(tenant)
    timeline.check_room(tenant, PriceOverride, at)
    begins = timeline.beginning(tenant, valid_from, at)
    rows = PriceOverride.objects.filter(tenant_id=tenant, provider=provider, model=model)
    price = PriceOverride.objects.create(
        tenant_id=tenant,
        provider=provider,
        model=model,
        **{f"{name}_usd": rates.get(name) for name in CLASSES},
        valid_until=timeline.make_room(rows, begins),
        valid_from=begins,
        set_at=at,
        set_by=by.id,
    )
    told = {name: str(rate) for name, rate in rates.items() if rate is not None}
    _record(price, "price.set", by, at, rates=told, since=begins.isoformat())
    return price


def end_price(*, tenant: uuid.UUID, price_id: uuid.UUID, ends: datetime, by: Actor, at: datetime) -> None:
    """Let a price hold until a time; the table's holds from there. Raises NotFound, InvalidInput, Conflict."""
    scope.require_tenant(tenant)
    timeline.open_book(tenant)
    price = _price(tenant, price_id)
    timeline.end(price, ends)
    _record(price, "price.ended", by, at, until=ends.isoformat())


def remove_price(*, tenant: uuid.UUID, price_id: uuid.UUID, by: Actor, at: datetime) -> None:
    """Take a price back: it never held. What it ended holds on, else the table. Raises NotFound, Conflict."""
    scope.require_tenant(tenant)
    timeline.open_book(tenant)
    price = _price(tenant, price_id)
    rows = PriceOverride.objects.filter(tenant_id=tenant, provider=price.provider, model=price.model)
    timeline.take_back(rows, price)
    _record(price, "price.removed", by, at)


def _price(tenant: uuid.UUID, price_id: uuid.UUID) -> PriceOverride:
    found = PriceOverride.objects.filter(tenant_id=tenant, id=price_id).first()
    if found is None:
        raise NotFound("There is no such price.")
    return found


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


def _record(price: PriceOverride, action: str, by: Actor, at: datetime, **data: Any) -> None:
    audit.record(
        tenant=price.tenant_id,
        action=action,
        actor=by,
        target=Target(type="price", id=str(price.id)),
        outcome=Outcome.SUCCESS,
        data={"model": str(price), **data},
        at=at,
    )
