"""How far sweeps have read. Each begins some time before where the last one ended.

Rows carry the time their transaction began with, and commit later: what is committed behind the mark would be read by
nobody. All that sweeps write is unique, so reading twice changes nothing.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from evals.models import Mark

OVERLAP = timedelta(minutes=2)
FIRST_LOOK_BACK = timedelta(days=7)  # of an organisation that no sweep has seen yet


def since(tenant: uuid.UUID, sweep: str, at: datetime) -> datetime:
    found = Mark.objects.filter(tenant_id=tenant, sweep=sweep).values_list("at", flat=True).first()
    return found - OVERLAP if found else at - FIRST_LOOK_BACK


def move(tenant: uuid.UUID, sweep: str, to: datetime) -> None:
    Mark.objects.update_or_create(tenant_id=tenant, sweep=sweep, defaults={"at": to})
