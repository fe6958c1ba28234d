"""Reads of thresholds that were crossed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db.models import Q

from agentops.budgets.models import Notice
from agentops.common.cursors import Cursor


@dataclass(frozen=True, slots=True)
class NoticePage:
    notices: list[Notice]
    next: Cursor | None


def notices(*, tenant: uuid.UUID, limit: int, cursor: Cursor | None = None) -> NoticePage:
    """The newest first."""
    found = Notice.objects.filter(tenant_id=tenant)
    if cursor is not None:
        found = found.filter(Q(crossed_at__lt=cursor.at) | Q(crossed_at=cursor.at, id__lt=cursor.id))
    rows = list(found.order_by("-crossed_at", "-id")[: limit + 1])
    if len(rows) <= limit:
        return NoticePage(rows, None)
    return NoticePage(rows[:limit], Cursor(rows[limit - 1].crossed_at, rows[limit - 1].id))
