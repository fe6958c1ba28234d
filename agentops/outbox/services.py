"""Writes of the outbox: something is to be sent, somebody takes it to send it, this is how it ended."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from agentops.common import scope
from agentops.common.errors import NotFound
from agentops.common.ids import new_id
from agentops.outbox import doorbell, policies
from agentops.outbox.errors import NotRepeatable
from agentops.outbox.models import Attempt, Message, Pace
from agentops.outbox.types import KEPT, SECRET_NAMES, Channel, Claimed, Outcome, State
from audit import services as audit
from audit.types import SYSTEM, Actor, Target
from audit.types import Outcome as Ending

__all__ = ["claim", "purge", "send", "send_again", "settle", "withdraw"]

CLAIM_SECONDS = 120  # longer than any attempt can take (mail.py, webhook.py)
PURGE_BATCH = 5000
LOOKED_AT_MOST = 20  # messages of destinations that have to wait, before one that need not

# The database's clock throughout: workers' clocks differ, and a claim is a promise among them.
_INSERT = """
INSERT INTO outbox_message (tenant_id, id, channel, destination, template, context, secrets, is_wiped, dedup_key,
    order_key, state, attempts, attempts_before, created_at, next_attempt_at, useless_at, last_error)
VALUES (%(tenant)s, %(id)s, %(channel)s, %(destination)s, %(template)s, %(context)s::jsonb, %(secrets)s, false, %(dedup_key)s,
    %(order_key)s, 'waiting', 0, 0, clock_timestamp(), clock_timestamp(), %(useless_at)s, '')
ON CONFLICT (tenant_id, dedup_key) DO NOTHING RETURNING id
"""
_DUE = """
SELECT id, channel, destination FROM outbox_message m
WHERE tenant_id = %(tenant)s AND (%(id)s::uuid IS NULL OR id = %(id)s) AND state = 'waiting'
    AND next_attempt_at <= clock_timestamp() AND (claimed_until IS NULL OR claimed_until <= clock_timestamp())
    AND (order_key = '' OR NOT EXISTS (
        SELECT 1 FROM outbox_message earlier
        WHERE earlier.tenant_id = m.tenant_id AND earlier.order_key = m.order_key AND earlier.order_key <> ''
            AND earlier.state = 'waiting' AND earlier.created_at < m.created_at
    ))
ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_PACE = """
INSERT INTO outbox_pace AS pace (tenant_id, channel, destination, free_at)
VALUES (%(tenant)s, %(channel)s, %(destination)s, clock_timestamp() + %(interval)s)
ON CONFLICT (tenant_id, channel, destination) DO UPDATE
SET free_at = greatest(pace.free_at, clock_timestamp()) + %(interval)s
WHERE pace.free_at <= clock_timestamp() + %(burst)s
"""
_POSTPONE = """
UPDATE outbox_message m SET next_attempt_at = p.free_at - %(burst)s
FROM outbox_pace p
WHERE m.tenant_id = %(tenant)s AND m.id = %(id)s
    AND p.tenant_id = m.tenant_id AND p.channel = %(channel)s AND p.destination = %(destination)s
"""
_CLAIM = """
WITH taken AS (
    UPDATE outbox_message SET attempts = attempts + 1, claimed_until = clock_timestamp() + %(lease)s
    WHERE tenant_id = %(tenant)s AND id = %(id)s RETURNING *
), noted AS (
    INSERT INTO outbox_attempt (tenant_id, id, message_id, number, started_at, detail)
    SELECT tenant_id, %(attempt)s, id, attempts, clock_timestamp(), '' FROM taken
)
SELECT id, channel, destination, template, context, attempts, attempts - attempts_before, created_at,
    coalesce(useless_at <= clock_timestamp(), false)
FROM taken
"""
_END_ATTEMPT = """
UPDATE outbox_attempt SET ended_at = clock_timestamp(), is_sent = %(is_sent)s, status = %(status)s, detail = %(detail)s
WHERE tenant_id = %(tenant)s AND message_id = %(id)s AND number = %(attempt)s AND ended_at IS NULL
"""
# Whoever sent it says so, even where its claim was over and another has begun: it has arrived.
_SENT = """
UPDATE outbox_message SET state = 'sent', sent_at = clock_timestamp(), given_up_at = NULL, claimed_until = NULL,
    last_error = '', context = context - secrets, is_wiped = secrets <> '{}'
WHERE tenant_id = %(tenant)s AND id = %(id)s AND state <> 'sent'
"""
# A failure counts only for whoever holds the claim: who lost it knows nothing of what happened since.
_RETRY = """
UPDATE outbox_message SET claimed_until = NULL, last_error = %(detail)s,
    next_attempt_at = clock_timestamp() + %(delay)s
WHERE tenant_id = %(tenant)s AND id = %(id)s AND state = 'waiting' AND attempts = %(attempt)s
"""
_GIVE_UP = """
UPDATE outbox_message SET state = 'given_up', given_up_at = clock_timestamp(), claimed_until = NULL,
    last_error = %(detail)s, context = context - secrets, is_wiped = secrets <> '{}'
WHERE tenant_id = %(tenant)s AND id = %(id)s AND state = 'waiting' AND attempts = %(attempt)s
"""
# Who is sending it now may have sent it: that attempt goes on, and what follows waits for its end.
_WITHDRAW = """
UPDATE outbox_message SET state = 'given_up', given_up_at = clock_timestamp(), claimed_until = NULL,
    last_error = %(detail)s, context = context - secrets, is_wiped = secrets <> '{}'
WHERE tenant_id = %(tenant)s AND id = %(id)s AND state = 'waiting'
    AND (claimed_until IS NULL OR claimed_until <= clock_timestamp())
RETURNING destination, template
"""
_AGAIN = """
UPDATE outbox_message SET state = 'waiting', sent_at = NULL, given_up_at = NULL, last_error = '', claimed_until = NULL,
    next_attempt_at = clock_timestamp(), useless_at = NULL, attempts_before = attempts
WHERE tenant_id = %(tenant)s AND id = %(id)s AND state IN ('sent', 'given_up') AND NOT is_wiped
"""


def send(
    *,
    tenant: uuid.UUID,
    channel: str,
    destination: str,
    template: str,
    context: Mapping[str, Any],
    dedup_key: str,
    secrets: Collection[str] = (),
    useless_at: datetime | None = None,
    order_key: str = "",
) -> uuid.UUID:
    """Send this once the caller's transaction is committed; answers the message's id.

    Mail: `destination` is an address and `template` a text template whose first line is `Subject: …`. Webhook:
    `destination` is a URL, `template` the type of the event and `context` its data. `context` is JSON. The same
    `dedup_key` sends once. Values of the context named in `secrets` (and those of SECRET_NAMES) are wiped when it was
    sent or given up. After `useless_at` it is given up instead of sent. Of messages with the same `order_key`, none is
    sent before those that were written earlier are sent or given up.

    Pagers and chat: `destination` names the target for people, `context` is a page (pagers/document.py) with the id of
    the `target` whose key is asked for when it is sent (credentials.py).
    """
    scope.require_tenant(tenant)
    message = new_id()
    values: dict[str, Any] = {
        "tenant": tenant,
        "id": message,
        "channel": Channel(channel).value,
        "destination": destination,
        "template": template,
        "context": json.dumps(dict(context)),
        "secrets": sorted((set(secrets) | SECRET_NAMES) & set(context)),
        "dedup_key": dedup_key,
        "useless_at": useless_at,
        "order_key": order_key,
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
        if cursor.fetchone() is None:
            return Message.objects.values_list("id", flat=True).get(tenant_id=tenant, dedup_key=dedup_key)
    doorbell.ring(tenant=tenant, message=message)
    return message


def claim(*, tenant: uuid.UUID, message: uuid.UUID | None = None) -> Claimed | None:
    """Take what is due (or this one, if it is) to send it after the commit; None where there is nothing to take.

    None also where destinations had their share for the moment: then what is for them is due later.
    """
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        for _ in range(LOOKED_AT_MOST if message is None else 1):
            cursor.execute(_DUE, {"tenant": tenant, "id": message})
            due = cursor.fetchone()
            if due is None:
                return None
            channel = Channel(due[1])
            if _has_its_turn(cursor, tenant, due[0], channel, due[2]):
                return _claimed(cursor, tenant, due[0], channel)
    return None


def _has_its_turn(cursor: Any, tenant: uuid.UUID, message: uuid.UUID, channel: Channel, destination: str) -> bool:
    """Else the message is due when its destination is free again, and does not stand in the way of others meanwhile."""
    pace: dict[str, Any] = {
        "tenant": tenant,
        "id": message,
        "channel": channel.value,
        "destination": policies.paced_by(channel, destination),
        "interval": timedelta(seconds=policies.interval_seconds(channel)),
        "burst": timedelta(seconds=policies.burst_seconds(channel)),
    }
    cursor.execute(_PACE, pace)
    if cursor.rowcount:
        return True
    cursor.execute(_POSTPONE, pace)
    return False


def _claimed(cursor: Any, tenant: uuid.UUID, message: uuid.UUID, channel: Channel) -> Claimed:
    taken: dict[str, Any] = {
        "tenant": tenant,
        "id": message,
        "attempt": new_id(),
        "lease": timedelta(seconds=CLAIM_SECONDS),
    }
    cursor.execute(_CLAIM, taken)
    row = cursor.fetchone()
    return Claimed(
        id=row[0],
        tenant_id=tenant,
        channel=channel,
        destination=row[2],
        template=row[3],
        context=json.loads(row[4]),
        attempt=row[5],
        tries=row[6],
        created_at=row[7],
        is_late=row[8],
    )


def settle(*, tenant: uuid.UUID, claimed: Claimed, outcome: Outcome, at: datetime) -> State:
    """Note how an attempt ended; answers what became of the message."""
    scope.require_tenant(tenant)
    delay = policies.delay_seconds(
        claimed.tries, chance=random.random(), asked_for=outcome.retry_after, channel=claimed.channel
    )
    values: dict[str, Any] = {
        "tenant": tenant,
        "id": claimed.id,
        "attempt": claimed.attempt,
        "is_sent": outcome.is_sent,
        "status": outcome.status,
        "detail": outcome.detail[:500],
        "delay": timedelta(seconds=delay),
    }
    is_over = outcome.is_final or policies.is_last(claimed.tries, channel=claimed.channel)
    with connection.cursor() as cursor:
        cursor.execute(_END_ATTEMPT, values)
        if outcome.is_sent:
            cursor.execute(_SENT, values)
            return State.SENT
        cursor.execute(_GIVE_UP if is_over else _RETRY, values)
        is_ours = bool(cursor.rowcount)
    if is_over and is_ours:
        _record(tenant, "delivery.given_up", claimed.id, claimed.destination, claimed.template, SYSTEM, at, outcome)
        return State.GIVEN_UP
    return State.WAITING


def send_again(*, tenant: uuid.UUID, message: uuid.UUID, by: Actor, at: datetime) -> None:
    """Send what was sent or given up once more, with as many attempts as at first. Raises NotFound, NotRepeatable."""
    scope.require_tenant(tenant)
    found = Message.objects.filter(tenant_id=tenant, id=message).first()
    if found is None:
        raise NotFound("There is no such message.")
    with connection.cursor() as cursor:
        cursor.execute(_AGAIN, {"tenant": tenant, "id": message})
        if cursor.rowcount == 0:
            raise NotRepeatable(_why_not(found))
    _record(tenant, "delivery.repeated", message, found.destination, found.template, by, at, None)
    doorbell.ring(tenant=tenant, message=message)


def withdraw(*, tenant: uuid.UUID, message: uuid.UUID, because: str, at: datetime) -> bool:
    """Do not send it any more, if nobody is sending it at the moment; False where it is, or is over already."""
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        cursor.execute(_WITHDRAW, {"tenant": tenant, "id": message, "detail": because[:500]})
        row = cursor.fetchone()
    if row is None:
        return False
    why = Outcome(is_sent=False, detail=because)
    _record(tenant, "delivery.given_up", message, row[0], row[1], SYSTEM, at, why)
    return True


def purge(*, tenant: uuid.UUID, at: datetime) -> int:
    """Delete what was sent or given up long ago, and paces that say nothing any more; answers how many messages."""
    scope.require_tenant(tenant)
    old = Message.objects.filter(tenant_id=tenant, created_at__lt=at - KEPT).exclude(state=State.WAITING)
    ids = list(old.order_by("created_at").values_list("id", flat=True)[:PURGE_BATCH])
    Attempt.objects.filter(tenant_id=tenant, message_id__in=ids).delete()
    Message.objects.filter(tenant_id=tenant, id__in=ids).delete()
    Pace.objects.filter(tenant_id=tenant, free_at__lt=at - timedelta(hours=1)).delete()
    return len(ids)


def _why_not(message: Message) -> str:
    if message.is_wiped:
        return "It held a secret that is kept only until it is sent. Ask for a new one where it came from."
    return "It is still being sent."


def _record(
    tenant: uuid.UUID,
    action: str,
    message: uuid.UUID,
    destination: str,
    template: str,
    by: Actor,
    at: datetime,
    outcome: Outcome | None,
) -> None:
    audit.record(
        tenant=tenant,
        action=action,
        actor=by,
        target=Target(type="message", id=str(message)),
        outcome=Ending.FAILURE if outcome else Ending.SUCCESS,
        data={"destination": destination[:500], "template": template},
        at=at,
        reason=outcome.detail[:500] if outcome else "",
    )
