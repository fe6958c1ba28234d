"""Reads of the outbox."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.db import connection

from agentops.common.cursors import Cursor
from agentops.common.errors import NotFound
from agentops.outbox import signing
from agentops.outbox.models import Attempt, Message
from agentops.outbox.types import Channel

PAGE, ATTEMPTS_SHOWN = 50, 1_000


@dataclass(frozen=True, slots=True)
class MessagePage:
    messages: list[Message]
    next: Cursor | None


def messages(*, tenant: uuid.UUID, state: str = "", text: str = "", cursor: Cursor | None = None) -> MessagePage:
    """What was or is to be sent, the latest first; of one state, to destinations that contain a text."""
    rows = Message.objects.filter(tenant_id=tenant)
    if state:
        rows = rows.filter(state=state)
    if text:
        rows = rows.filter(destination__icontains=text)
    if cursor is not None:
        rows = rows.filter(created_at__lte=cursor.at).exclude(created_at=cursor.at, id__gte=cursor.id)
    found = list(rows.order_by("-created_at", "-id")[: PAGE + 1])
    shown = found[:PAGE]
    more = Cursor(at=shown[-1].created_at, id=shown[-1].id) if len(found) > PAGE else None
    return MessagePage(messages=shown, next=more)


def message(*, tenant: uuid.UUID, message: uuid.UUID) -> Message:
    """Raises NotFound."""
    found = Message.objects.filter(tenant_id=tenant, id=message).first()
    if found is None:
        raise NotFound("There is no such message.")
    return found


def messages_by_id(*, tenant: uuid.UUID, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Message]:
    """Several at once; what was purged is left out."""
    return {each.id: each for each in Message.objects.filter(tenant_id=tenant, id__in=list(ids))}


def states_of(*, tenant: uuid.UUID, messages: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """How far each of these messages is; those that were purged are left out."""
    return dict(Message.objects.filter(tenant_id=tenant, id__in=list(messages)).values_list("id", "state"))


def attempts(*, tenant: uuid.UUID, message: uuid.UUID) -> list[Attempt]:
    """The attempts to send one message, the latest first."""
    return list(Attempt.objects.filter(tenant_id=tenant, message_id=message).order_by("-number"))


def attempts_of(*, tenant: uuid.UUID, messages: Collection[uuid.UUID]) -> list[Attempt]:
    """The attempts to send several messages, the latest first."""
    return list(
        Attempt.objects.filter(tenant_id=tenant, message_id__in=list(messages)).order_by("-started_at", "-number")[
            :ATTEMPTS_SHOWN
        ]
    )


def signing_secret(*, tenant: uuid.UUID, message: Message) -> str:
    """What the receiver of a webhook checks its signature with; "" for what is no webhook."""
    return signing.secret(tenant, message.destination) if message.channel == Channel.WEBHOOK else ""


def tenants_with_due() -> list[uuid.UUID]:
    """Tenants with something to send, whose turn is longest overdue first. Needs staff's scope."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tenant_id FROM outbox_message WHERE state = 'waiting' AND next_attempt_at <= clock_timestamp() "
            "AND (claimed_until IS NULL OR claimed_until <= clock_timestamp()) "
            "GROUP BY tenant_id ORDER BY min(next_attempt_at)"
        )
        return [row[0] for row in cursor.fetchall()]
