"""An entry a day for each tenant, so that a log that stopped is told from one in which nothing happened."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, time, timedelta

from django.db import connections, transaction

from agentops.common.scope import tenant_scope
from audit.models import Checkpoint, Entry, Head
from audit.services.recording import record
from audit.types import SYSTEM, Outcome, Target

OWNER = "owner"
HEARTBEAT = "audit.heartbeat"

_BEATEN = "UPDATE audit_head SET heartbeat_on = %s WHERE tenant_id = %s"


def beat(*, tenant: uuid.UUID, at: datetime) -> bool:
    """Say how far the tree was when the last day (UTC) ended, and how many entries that day sealed; once a day.

    False where it was said, or nothing was sealed by then. It works as the owner, whose lock on the head makes one
    heartbeat of two workers, and opens the tenant's scope for the entry.
    """
    today = at.astimezone(UTC).date()
    with transaction.atomic(using=OWNER, durable=True), connections[OWNER].cursor() as cursor:
        head = Head.objects.using(OWNER).select_for_update().filter(tenant_id=tenant).first()
        if head is None or head.heartbeat_on == today:
            return False
        begins = datetime.combine(today, time(), tzinfo=UTC)
        is_new = _record(tenant, begins, at)
        cursor.execute(_BEATEN, [today, tenant])
    return is_new


def _record(tenant: uuid.UUID, begins: datetime, at: datetime) -> bool:
    day = begins - timedelta(days=1)
    with tenant_scope(tenant):
        # Who was killed between the entry and the head's row has left the entry.
        if Entry.objects.filter(tenant_id=tenant, action=HEARTBEAT, recorded_at__gte=begins).exists():
            return False
        size, before = _size_at(tenant, begins), _size_at(tenant, day)
        if not size:  # its log began today
            return False
        record(
            tenant=tenant,
            action=HEARTBEAT,
            actor=SYSTEM,
            target=Target("audit_log", str(tenant)),
            outcome=Outcome.SUCCESS,
            data={"day": f"{day:%Y-%m-%d}", "entries": size - before, "tree_size": size},
            at=at,
        )
    return True


def _size_at(tenant: uuid.UUID, moment: datetime) -> int:
    """How many leaves the tree had; of several checkpoints of one instant, the last."""
    found = Checkpoint.objects.filter(tenant_id=tenant, sealed_at__lt=moment).order_by("-sealed_at", "-tree_size")
    return found.values_list("tree_size", flat=True).first() or 0
