"""Streams, where they are, and where checkpoints are sent."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, connections

from audit.errors import NotThere
from audit.models import Checkpoint, CheckpointDelivery, Head, Stream
from audit.types import Every, StreamState

PERIODS = {Every.HOUR: timedelta(hours=1), Every.DAY: timedelta(days=1)}
_EARLY = timedelta(minutes=1)  # a sweep that comes by a moment early does not miss a turn

# As staff: streams with a batch on its way, or with entries that were not sent yet.
_DUE = """
SELECT s.tenant_id, s.id FROM audit_stream s JOIN audit_head h ON h.tenant_id = s.tenant_id
WHERE s.message_id IS NOT NULL OR (s.state = 'active' AND s.next_leaf < h.tree_size)
ORDER BY s.tenant_id, s.id
"""
_STOPPED = "SELECT DISTINCT tenant_id FROM audit_stream WHERE state = 'stopped' ORDER BY tenant_id"
_DELIVERIES_DUE = """
SELECT d.tenant_id, d.id FROM audit_checkpointdelivery d JOIN audit_head h ON h.tenant_id = d.tenant_id
WHERE h.tree_size > d.sent_size AND (d.sent_at IS NULL OR d.sent_at <= %(at)s - CASE d.every
    WHEN 'hour' THEN %(hour)s::interval ELSE %(day)s::interval END)
ORDER BY d.tenant_id, d.id
"""


@dataclass(frozen=True, slots=True)
class StandingStream:
    """A stream, and how many sealed entries it has not sent yet."""

    stream: Stream
    behind: int


def all_streams(*, tenant: uuid.UUID) -> list[StandingStream]:
    """The oldest first."""
    head = Head.objects.filter(tenant_id=tenant).first()
    size = head.tree_size if head else 0
    found = Stream.objects.filter(tenant_id=tenant).order_by("made_at", "id")
    return [StandingStream(stream=one, behind=max(0, size - one.next_leaf)) for one in found]


def stream(*, tenant: uuid.UUID, stream: uuid.UUID, is_locked: bool = False) -> Stream:
    """Raises NotThere."""
    rows = Stream.objects.select_for_update() if is_locked else Stream.objects.all()
    found = rows.filter(tenant_id=tenant, id=stream).first()
    if found is None:
        raise NotThere("There is no such stream.")
    return found


def stream_if_there(*, tenant: uuid.UUID, stream: uuid.UUID) -> Stream | None:
    return Stream.objects.filter(tenant_id=tenant, id=stream).first()


def locked(*, tenant: uuid.UUID, stream: uuid.UUID) -> Stream | None:
    """The stream for whoever sends; None where somebody else has it, or it was removed."""
    return Stream.objects.select_for_update(skip_locked=True).filter(tenant_id=tenant, id=stream).first()


def streams_due() -> list[tuple[uuid.UUID, uuid.UUID]]:
    """Tenant and stream of those with something to do. Asked by staff."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE)
        return list(cursor.fetchall())


def tenants_with_stopped_stream(*, using: str) -> list[uuid.UUID]:
    """Asked by staff, or as the owner."""
    with connections[using].cursor() as cursor:
        cursor.execute(_STOPPED)
        return [tenant for (tenant,) in cursor.fetchall()]


def stopped_streams(*, tenant: uuid.UUID, using: str = "default") -> list[Stream]:
    found = Stream.objects.using(using).filter(tenant_id=tenant, state=StreamState.STOPPED)
    return list(found.order_by("made_at", "id"))


# -- checkpoints -----------------------------------------------------------------------------------------------------


def deliveries(*, tenant: uuid.UUID) -> list[CheckpointDelivery]:
    """Where checkpoints are sent, the oldest first."""
    return list(CheckpointDelivery.objects.filter(tenant_id=tenant).order_by("made_at", "id"))


def delivery(*, tenant: uuid.UUID, delivery: uuid.UUID) -> CheckpointDelivery:
    """Raises NotThere."""
    found = CheckpointDelivery.objects.filter(tenant_id=tenant, id=delivery).first()
    if found is None:
        raise NotThere("Checkpoints are not sent there.")
    return found


def deliveries_due(*, at: datetime) -> list[tuple[uuid.UUID, uuid.UUID]]:
    """Tenant and delivery of those whose turn it is, and whose log has grown. Asked by staff."""
    values: dict[str, Any] = {"at": at}
    values |= {every.value: period - _EARLY for every, period in PERIODS.items()}
    with connection.cursor() as cursor:
        cursor.execute(_DELIVERIES_DUE, values)
        return list(cursor.fetchall())


def is_due(found: CheckpointDelivery, at: datetime) -> bool:
    return found.sent_at is None or found.sent_at <= at - PERIODS[Every(found.every)] + _EARLY


def newest(*, tenant: uuid.UUID) -> Checkpoint | None:
    return Checkpoint.objects.filter(tenant_id=tenant).order_by("-tree_size").first()
