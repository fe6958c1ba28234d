"""Drift findings, as lists and one by one."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db.models import Q

from agentops.common.cursors import Cursor
from evals.errors import Unknown
from evals.models import DriftFinding


@dataclass(frozen=True, slots=True)
class FindingPage:
    rows: list[DriftFinding]
    next: Cursor | None


def findings(
    *,
    tenant: uuid.UUID,
    is_open: bool | None = None,
    agent: str | None = None,
    kind: str = "",
    metric: str = "",
    after: Cursor | None = None,
    most: int = 50,
) -> FindingPage:
    """The latest first."""
    wanted = Q(tenant_id=tenant)
    if is_open is not None:
        wanted &= Q(ended_at__isnull=is_open)
    if agent is not None:
        wanted &= Q(agent=agent)
    if kind:
        wanted &= Q(kind=kind)
    if metric:
        wanted &= Q(metric=metric)
    if after is not None:
        wanted &= Q(found_at__lt=after.at) | Q(found_at=after.at, id__lt=after.id)
    rows = list(DriftFinding.objects.filter(wanted).order_by("-found_at", "-id")[: most + 1])
    kept = rows[:most]
    return FindingPage(kept, Cursor(kept[-1].found_at, kept[-1].id) if len(rows) > most else None)


def finding(*, tenant: uuid.UUID, finding: uuid.UUID) -> DriftFinding:
    """Raises Unknown."""
    found = DriftFinding.objects.filter(tenant_id=tenant, id=finding).first()
    if found is None:
        raise Unknown("There is no such finding.")
    return found


def open_everywhere(*, most: int = 100) -> list[DriftFinding]:
    """Of all organisations, in the staff scope."""
    return list(DriftFinding.objects.filter(ended_at=None).order_by("-found_at", "-id")[:most])
