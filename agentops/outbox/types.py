"""Words of the outbox."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import models

# Values of a message's context under these names are wiped as soon as nobody needs them for sending.
SECRET_NAMES = frozenset({"code", "password", "secret", "token"})
KEPT = timedelta(days=90)


class Channel(models.TextChoices):
    MAIL = "mail", "Mail"
    WEBHOOK = "webhook", "Webhook"
    PAGERDUTY = "pagerduty", "PagerDuty"
    OPSGENIE = "opsgenie", "JSM Operations or Opsgenie"
    CHAT = "chat", "Chat"


class State(models.TextChoices):
    WAITING = "waiting", "Waiting"
    SENT = "sent", "Sent"
    GIVEN_UP = "given_up", "Given up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A message that this process alone may send until its claim is over.

    `attempt` is its number among all, `tries` among those since it was (last) asked to be sent; both count from 1.
    """

    id: uuid.UUID
    tenant_id: uuid.UUID
    channel: Channel
    destination: str
    template: str
    context: dict[str, Any]
    attempt: int
    tries: int
    created_at: datetime
    is_late: bool  # nobody wants it any more: its `useless_at` has passed


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one attempt ended. What is `final` is not tried again. `retry_after` is the receiver's wish, in seconds."""

    is_sent: bool
    detail: str = ""
    status: int | None = None  # what the receiver answered (HTTP, SMTP)
    is_final: bool = False
    retry_after: int | None = None
