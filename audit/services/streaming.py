"""Streams: entries sent to a customer's address in the order of their leaves.

A stream's place moves only when a batch has arrived, and one batch is on its way at a time: a receiver that is slow or away
holds the stream back, and nothing is dropped. A batch that the outbox gives up stops the stream where it is, until a person
lets it go on. Whoever sends calls these in one transaction with the outbox (tasks.py); the row's lock makes one sender.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from agentops.common.scope import require_tenant
from audit import formats
from audit.destinations import webhook
from audit.errors import StreamRefused
from audit.models import Checkpoint, Head, Stream
from audit.queries import ranges, streams
from audit.services.recording import record
from audit.types import SYSTEM, Actor, ExportFormat, Outcome, StreamState, Target

BATCH = 500
BATCH_BYTES = 512 * 1024
STREAMS_MOST = 5
FORMATS = (ExportFormat.NDJSON, ExportFormat.OCSF, ExportFormat.BUNDLE)


@dataclass(frozen=True, slots=True)
class Batch:
    """What is to be sent next: the entries of the leaves `first` to before `upto`."""

    stream: uuid.UUID
    destination: str
    first: int
    upto: int
    data: dict[str, Any]


# -- people ----------------------------------------------------------------------------------------------------------


def set_stream(
    *, tenant: uuid.UUID, destination: str, form: str, from_beginning: bool, by: Actor, at: datetime
) -> Stream:
    """Send entries there from now on, or from the first one that is kept. Raises StreamRefused."""
    require_tenant(tenant)
    address, form = webhook(destination), ExportFormat(form)
    if form not in FORMATS:
        raise StreamRefused(f"A stream is one of {', '.join(FORMATS)}.")
    if Stream.objects.filter(tenant_id=tenant).count() >= STREAMS_MOST:
        raise StreamRefused(f"There are {STREAMS_MOST} streams already.")
    if Stream.objects.filter(tenant_id=tenant, destination=address).exists():
        raise StreamRefused("There is a stream to this address already.")
    head = Head.objects.filter(tenant_id=tenant).first()
    begin = (head.pruned_below if from_beginning else head.tree_size) if head else 0
    made = Stream.objects.create(
        tenant_id=tenant, destination=address, format=form.value, next_leaf=begin, made_at=at, made_by=by.id
    )
    _record_set(made, by, at)
    return made


def pause_stream(*, tenant: uuid.UUID, stream: uuid.UUID, by: Actor, at: datetime) -> None:
    """Send no more until somebody lets it go on; what is on its way arrives. Raises NotThere."""
    require_tenant(tenant)
    _change(streams.stream(tenant=tenant, stream=stream, is_locked=True), StreamState.PAUSED, by, at)


def resume_stream(*, tenant: uuid.UUID, stream: uuid.UUID, by: Actor, at: datetime) -> None:
    """Go on where it was: what was given up is sent first. Raises NotThere."""
    require_tenant(tenant)
    _change(streams.stream(tenant=tenant, stream=stream, is_locked=True), StreamState.ACTIVE, by, at)


def remove_stream(*, tenant: uuid.UUID, stream: uuid.UUID, by: Actor, at: datetime) -> None:
    """Send nothing there any more. Raises NotThere."""
    require_tenant(tenant)
    found = streams.stream(tenant=tenant, stream=stream, is_locked=True)
    Stream.objects.filter(tenant_id=tenant, id=stream).delete()
    _record(found, "audit.stream_removed", by, at, Outcome.SUCCESS)


def _change(found: Stream, state: StreamState, by: Actor, at: datetime) -> None:
    if found.state == state:
        return
    found.state, found.why_stopped = state, ""
    found.save(update_fields=["state", "why_stopped"])
    _record_set(found, by, at)


# -- the sender ------------------------------------------------------------------------------------------------------


def next_batch(*, tenant: uuid.UUID, stream: uuid.UUID) -> Batch | None:
    """The entries to send now; None where there are none, one batch is on its way, or nothing is to be sent.

    Locks the stream until the transaction ends: `note_sent` belongs to the same one.
    """
    require_tenant(tenant)
    found = streams.locked(tenant=tenant, stream=stream)
    if found is None or found.state != StreamState.ACTIVE or found.message_id is not None:
        return None
    newest = Checkpoint.objects.filter(tenant_id=tenant).order_by("-tree_size").first()
    if newest is None or found.next_leaf >= newest.tree_size:
        return None
    end = min(found.next_leaf + BATCH, newest.tree_size)
    entries: list[Any] = []
    size = 0
    for one in ranges.placed(tenant=tenant, first=found.next_leaf, end=end):
        entry = formats.message(one, found.format)
        size += len(orjson.dumps(entry))
        if entries and size > BATCH_BYTES:
            break
        entries.append(entry)
    upto = found.next_leaf + len(entries)
    data = {
        "stream": str(found.id),
        "format": found.format,
        "first_leaf": found.next_leaf,
        "next_leaf": upto,
        "checkpoint": newest.note,
        "entries": entries,
    }
    return Batch(stream=found.id, destination=found.destination, first=found.next_leaf, upto=upto, data=data)


def note_sent(*, tenant: uuid.UUID, batch: Batch, message: uuid.UUID) -> None:
    """The batch is with the outbox, under this message."""
    require_tenant(tenant)
    Stream.objects.filter(tenant_id=tenant, id=batch.stream).update(message_id=message, message_upto=batch.upto)


def note_arrived(*, tenant: uuid.UUID, stream: uuid.UUID, message: uuid.UUID, at: datetime) -> bool:
    """The receiver has it: the place moves. False where somebody noted it already."""
    require_tenant(tenant)
    found = streams.locked(tenant=tenant, stream=stream)
    if found is None or found.message_id != message or found.message_upto is None:
        return False
    found.next_leaf, found.message_id, found.message_upto, found.delivered_at = found.message_upto, None, None, at
    found.save(update_fields=["next_leaf", "message_id", "message_upto", "delivered_at"])
    return True


def note_given_up(*, tenant: uuid.UUID, stream: uuid.UUID, message: uuid.UUID, why: str, at: datetime) -> bool:
    """The outbox gave it up: the stream stops where it is, and says so. False where somebody noted it already."""
    require_tenant(tenant)
    found = streams.locked(tenant=tenant, stream=stream)
    if found is None or found.message_id != message:
        return False
    found.message_id = found.message_upto = None
    found.state, found.why_stopped = StreamState.STOPPED, why
    found.save(update_fields=["message_id", "message_upto", "state", "why_stopped"])
    _record(found, "audit.stream_stopped", SYSTEM, at, Outcome.FAILURE, why=why)
    return True


def _record_set(found: Stream, by: Actor, at: datetime) -> None:
    _record(found, "audit.stream_set", by, at, Outcome.SUCCESS, format=found.format, state=str(found.state))


def _record(found: Stream, action: str, by: Actor, at: datetime, outcome: Outcome, **data: str) -> None:
    record(
        tenant=found.tenant_id,
        action=action,
        actor=by,
        target=Target("audit_stream", str(found.id)),
        outcome=outcome,
        data={"stream": str(found.id), "destination": found.destination, **data},
        at=at,
    )
