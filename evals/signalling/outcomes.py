"""Is an outcome a success? The sender says so, or the last word of its kind does: `email.replied`, `refund_reversed`."""

from __future__ import annotations

import re

SUCCESSES = frozenset(
    {
        "accepted", "accurate", "arrived", "booked", "clicked", "closed", "completed", "confirmed", "converted", "delivered",
        "done", "kept", "opened", "paid", "purchased", "received", "renewed", "replied", "resolved", "settled", "shipped",
        "signed", "solved", "succeeded", "success", "used",
    }
)  # fmt: skip
FAILURES = frozenset(
    {
        "abandoned", "bounced", "cancelled", "canceled", "churned", "complained", "corrected", "declined", "disputed",
        "edited", "error", "escalated", "expired", "failed", "failure", "ignored", "lost", "overwritten", "rejected",
        "reopened", "reversed", "returned", "undelivered", "undone", "unsubscribed",
    }
)  # fmt: skip
_NO = frozenset({"false", "no", "0", "none", "not"})
_WORDS = re.compile(r"[._:/\s-]+")


def is_success(*, kind: str, value: str, said: bool | None) -> bool | None:
    """What the sender said; else by the kind's last word, turned round by a value that says no. None: a fact that is neither."""
    if said is not None:
        return said
    word = _WORDS.split(kind.strip().lower())[-1]
    if word not in SUCCESSES and word not in FAILURES:
        return None
    return (word in SUCCESSES) != (value.strip().lower() in _NO)
