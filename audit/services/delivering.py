"""Checkpoints sent to where a customer keeps them: what we have signed and sent, we cannot take back there.

With each goes the proof that its tree begins with that of the one before (RFC 9162, 2.1.4), so that a receiver who keeps
them all needs to ask us nothing.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agentops.common.clock import rfc3339
from agentops.common.scope import require_tenant
from audit import notes
from audit.destinations import mailbox, webhook
from audit.errors import StreamRefused
from audit.models import Checkpoint, CheckpointDelivery
from audit.queries import proofs, streams
from audit.services.recording import record
from audit.types import Actor, Every, Outcome, Target

DELIVERIES_MOST = 10
CHANNELS = {"webhook": webhook, "mail": mailbox}


@dataclass(frozen=True, slots=True)
class Parcel:
    """A checkpoint to be sent."""

    delivery: uuid.UUID
    channel: str
    destination: str
    tree_size: int
    data: dict[str, Any]


def set_checkpoint_delivery(
    *, tenant: uuid.UUID, channel: str, destination: str, every: str, by: Actor, at: datetime
) -> CheckpointDelivery:
    """Send checkpoints there, the first within a minute. Raises StreamRefused."""
    require_tenant(tenant)
    if channel not in CHANNELS:
        raise StreamRefused(f"They are sent by one of {', '.join(CHANNELS)}.")
    address, period = CHANNELS[channel](destination), Every(every)
    present = CheckpointDelivery.objects.filter(tenant_id=tenant)
    if present.count() >= DELIVERIES_MOST:
        raise StreamRefused(f"They are sent to {DELIVERIES_MOST} places already.")
    if present.filter(channel=channel, destination=address).exists():
        raise StreamRefused("They are sent there already.")
    made = CheckpointDelivery.objects.create(
        tenant_id=tenant, channel=channel, destination=address, every=period.value, made_at=at, made_by=by.id
    )
    _record(made, "audit.checkpoint_delivery_set", by, at, every=made.every)
    return made


def remove_checkpoint_delivery(*, tenant: uuid.UUID, delivery: uuid.UUID, by: Actor, at: datetime) -> None:
    """Send no more there. Raises NotThere."""
    require_tenant(tenant)
    found = streams.delivery(tenant=tenant, delivery=delivery)
    CheckpointDelivery.objects.filter(tenant_id=tenant, id=delivery).delete()
    _record(found, "audit.checkpoint_delivery_removed", by, at)


def next_checkpoint(*, tenant: uuid.UUID, delivery: uuid.UUID, at: datetime) -> Parcel | None:
    """What is to be sent now; None where it is not yet time, or nothing is new.

    Locks the delivery until the transaction ends, and notes that it was sent: the outbox's message belongs to the same one.
    """
    require_tenant(tenant)
    rows = CheckpointDelivery.objects.select_for_update(skip_locked=True)
    found = rows.filter(tenant_id=tenant, id=delivery).first()
    newest = streams.newest(tenant=tenant)
    if found is None or newest is None or newest.tree_size <= found.sent_size or not streams.is_due(found, at):
        return None
    parcel = Parcel(
        delivery=found.id,
        channel=found.channel,
        destination=found.destination,
        tree_size=newest.tree_size,
        data=_data(newest, found.sent_size),
    )
    found.sent_size, found.sent_at = newest.tree_size, at
    found.save(update_fields=["sent_size", "sent_at"])
    return parcel


def _data(newest: Checkpoint, before: int) -> dict[str, Any]:
    path = proofs.consistency(tenant=newest.tenant_id, first=before, second=newest.tree_size) if before else []
    return {
        "origin": notes.read(newest.note).origin,
        "tree_size": newest.tree_size,
        "root": bytes(newest.root).hex(),
        "sealed_at": rfc3339(newest.sealed_at),
        "key_id": newest.key_id,
        "note": newest.note,
        "consistency": {"first": before, "second": newest.tree_size, "path": [one.hex() for one in path]},
    }


def _record(found: CheckpointDelivery, action: str, by: Actor, at: datetime, **data: str) -> None:
    record(
        tenant=found.tenant_id,
        action=action,
        actor=by,
        target=Target("checkpoint_delivery", str(found.id)),
        outcome=Outcome.SUCCESS,
        data={"destination": found.destination, "channel": found.channel, **data},
        at=at,
    )
