"""Reads of replays. Inside the tenant's scope."""

from __future__ import annotations

import uuid

from evals.errors import Unknown
from evals.models import Replay


def replay(*, tenant: uuid.UUID, replay: uuid.UUID) -> Replay:
    """Raises Unknown."""
    found = Replay.objects.filter(tenant_id=tenant, id=replay).first()
    if found is None:
        raise Unknown("There is no such replay.")
    return found


def replays_of(*, tenant: uuid.UUID, run_id: uuid.UUID, most: int = 20) -> list[Replay]:
    """Of one run, the newest first, without tapes and results."""
    found = Replay.objects.filter(tenant_id=tenant, run_id=run_id).defer("tape", "result")
    return list(found.order_by("-asked_at", "-id")[:most])
