"""What organisations paid for agent features: booked by month and source, said again by whoever said it first."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from agentops.budgets.models import Revenue
from agentops.budgets.types import RevenueLine
from agentops.common import scope
from audit import services as audit
from audit.types import Actor, Outcome, Target


def book_revenue(*, tenant: uuid.UUID, lines: Sequence[RevenueLine], by: Actor, at: datetime) -> int:
    """Book what one organisation paid; a line of the same month and source is replaced. Answers how many changed.

    The lines are checked (revenue.py). The organisation's log says for which months, and no amounts: they are our books.
    """
    scope.require_tenant(tenant)
    changed = [line for line in lines if _book(tenant, line, by, at)]
    if changed:
        audit.record(
            tenant=tenant,
            action="revenue.booked",
            actor=by,
            target=Target(type="tenant", id=str(tenant)),
            outcome=Outcome.SUCCESS,
            data={"months": sorted({f"{line.month:%Y-%m}" for line in changed})},
            at=at,
        )
    return len(changed)


def _book(tenant: uuid.UUID, line: RevenueLine, by: Actor, at: datetime) -> bool:
    values = {"amount_nano_usd": line.amount_nano_usd, "set_at": at, "set_by": by.id}
    found, is_new = Revenue.objects.select_for_update().get_or_create(
        tenant_id=tenant, month=line.month, source=line.source, defaults=values
    )
    if is_new or found.amount_nano_usd == line.amount_nano_usd:
        return is_new
    Revenue.objects.filter(id=found.id).update(**values)
    return True
