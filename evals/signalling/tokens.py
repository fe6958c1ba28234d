"""Tokens of the widget: signed words that say for which run of which organisation whose feedback may come in.

Nothing is kept of them. They hold for a day; a token of a key ends with the key.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.core import signing

LIFETIME = timedelta(hours=24)
MOST_CHARACTERS = 4_000  # a name of 200 characters that JSON writes with twelve each takes 3,400
_SALT = "agentops.feedback.1"


class TokenRefused(Exception):
    """Why a token is not taken, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a token is bound to. `key` is the API key it was made with; None: the portal's own page."""

    tenant: uuid.UUID
    run_id: uuid.UUID
    user: str
    span_id: str = ""
    key: uuid.UUID | None = None


def sign(bound: Bound) -> str:
    return signing.dumps(
        {
            "t": bound.tenant.hex,
            "r": bound.run_id.hex,
            "u": bound.user,
            "s": bound.span_id,
            "k": bound.key.hex if bound.key else "",
        },
        salt=_SALT,
    )


def read(text: str) -> Bound:
    """Raises TokenRefused."""
    if len(text) > MOST_CHARACTERS:
        raise TokenRefused("it is longer than any token of ours")
    try:
        told = signing.loads(text, salt=_SALT, max_age=LIFETIME)
        return Bound(
            tenant=uuid.UUID(hex=told["t"]),
            run_id=uuid.UUID(hex=told["r"]),
            user=told["u"],
            span_id=told["s"],
            key=uuid.UUID(hex=told["k"]) if told["k"] else None,
        )
    except signing.SignatureExpired as error:
        raise TokenRefused("it is older than 24 hours; have your server ask for a new one") from error
    except (signing.BadSignature, KeyError, TypeError, ValueError) as error:
        raise TokenRefused("it was not made here, or was changed on the way") from error
