"""Confirmations of which one of two people has agreed: what the first said is told to nobody until the second has spoken."""

from __future__ import annotations

import uuid

from agentops.confirmations.models import Confirmation
from agentops.confirmations.types import State


def half_agreed(*, tenant: uuid.UUID) -> list[uuid.UUID]:
    """Their ids. By the state that is written: one that has expired is in it until the sweep has been."""
    found = Confirmation.objects.filter(tenant_id=tenant, state=State.HALF)
    return list(found.values_list("id", flat=True))
