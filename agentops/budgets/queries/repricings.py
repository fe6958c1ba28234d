"""Reads of the pricing anew of periods."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.budgets.models import Repricing
from agentops.budgets.types import REPRICING_OPEN, CallKey
from agentops.common.errors import NotFound

LIST_MOST = 50


def repricings(*, tenant: uuid.UUID) -> list[Repricing]:
    """The latest first."""
    return list(Repricing.objects.filter(tenant_id=tenant).order_by("-asked_at", "-id")[:LIST_MOST])


def repricing(*, tenant: uuid.UUID, repricing_id: uuid.UUID) -> Repricing:
    """Raises NotFound."""
    found = Repricing.objects.filter(tenant_id=tenant, id=repricing_id).first()
    if found is None:
        raise NotFound("There is no such re-pricing.")
    return found


def open_repricings() -> list[tuple[uuid.UUID, uuid.UUID]]:
    """Tenant and id of those that are not done, the oldest first. Needs staff's scope."""
    rows = Repricing.objects.filter(state__in=REPRICING_OPEN).order_by("asked_at", "id")
    return list(rows.values_list("tenant_id", "id"))


def came_to(repricing: Repricing) -> CallKey | None:
    """The last call that was looked at."""
    if repricing.cursor is None:
        return None
    last = repricing.cursor
    return CallKey(
        occurred_at=datetime.fromisoformat(last["occurred_at"]),
        run_id=uuid.UUID(last["run_id"]),
        span_id=last["span_id"],
        call_id=last["call_id"],
    )
