"""When customers hear of an incident again, when the public does, and which bytes a second person agrees to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import rfc8785

from incidents.types import CommAudience, CommChannel, CommState, Severity

CUSTOMERS = (CommAudience.ADMINS, CommAudience.USERS, CommAudience.PUBLIC)  # of whom the clock "customer told" speaks
TOLD = (CommState.SENT, CommState.DELIVERED)
OVER = (CommState.SENT, CommState.DELIVERED, CommState.WAIVED)  # a closed incident has no other
PUBLIC_FROM = 3  # organisations hit, from which on a public statement is suggested
_NEXT_UPDATE = {Severity.SEV1: timedelta(hours=2), Severity.SEV2: timedelta(hours=24)}
_SHORTEST_NAME = 4  # a shorter one is found in every text


@dataclass(frozen=True, slots=True)
class Ended:
    """What is known of a text that was sent. `is_delivered` is None while mails are under way."""

    is_delivered: bool | None
    noticed_at: datetime | None  # when the customer first complained of it, or asked us


def digest(*, subject: str, body: str, recipients: Sequence[str]) -> str:
    """Hex SHA-256 of RFC 8785 JSON: what is approved is exactly this, to exactly these."""
    bound = {"subject": subject, "body": body, "recipients": list(recipients)}
    return hashlib.sha256(rfc8785.dumps(bound)).hexdigest()


def next_update_at(*, severity: int, is_last: bool, at: datetime) -> datetime | None:
    """By when customers are told more: in 2 hours at SEV-1, in a day at SEV-2; None for a pattern, or after the last word."""
    every = None if is_last else _NEXT_UPDATE.get(Severity(severity))
    return None if every is None else at + every


def is_public_suggested(organisations: int) -> bool:
    return organisations >= PUBLIC_FROM


def channel_for(audience: str) -> CommChannel:
    return CommChannel.STATEMENT if audience == CommAudience.PUBLIC else CommChannel.MAIL


def names_in(text: str, names: Iterable[str]) -> list[str]:
    """Which of these other customers a text names: none of them may be told of another."""
    words = " ".join(text.split()).casefold()
    return sorted(
        {
            name
            for name in names
            if len(name) >= _SHORTEST_NAME
            and re.search(rf"(?<!\w){re.escape(' '.join(name.split()).casefold())}(?!\w)", words)
        }
    )


def is_first(*, sent_at: datetime, noticed_at: datetime | None) -> bool:
    """Did we speak before they had noticed (said so, or asked us)?"""
    return noticed_at is None or sent_at < noticed_at
