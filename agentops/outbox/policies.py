"""How long until the next attempt, when to give up, how fast one destination is written to. Pure."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

from agentops.outbox.types import Channel

ATTEMPTS_MOST = 9  # with the delays below: over about nine hours
_FIRST_DELAY_SECONDS, _GROWTH, _DELAY_MOST_SECONDS = 10.0, 3.0, 6 * 3600.0

# Messages a minute to one destination, and how many may go at once.
RATES = {Channel.MAIL: (20, 10), Channel.WEBHOOK: (120, 30)}


def delay_seconds(tries: int, *, chance: float, asked_for: int | None = None) -> float:
    """How long to wait after so many tries (from 1) failed; `chance` is from 0 to 1.

    Exponential, within 20 % of its mean, so that what failed together is not tried again together. A receiver that
    names a time (Retry-After) is not asked earlier than that.
    """
    mean = min(_FIRST_DELAY_SECONDS * _GROWTH ** (tries - 1), _DELAY_MOST_SECONDS)
    return max(mean * (0.8 + 0.4 * chance), float(min(asked_for or 0, _DELAY_MOST_SECONDS)))


def is_last(tries: int) -> bool:
    return tries >= ATTEMPTS_MOST


def interval_seconds(channel: Channel) -> float:
    """The mean distance of two messages to one destination."""
    return 60.0 / RATES[channel][0]


def burst_seconds(channel: Channel) -> float:
    """How far ahead of that mean a destination may be."""
    return interval_seconds(channel) * (RATES[channel][1] - 1)


def paced_by(channel: Channel, destination: str) -> str:
    """What is counted as one destination: a mail address, or the host and port of a URL."""
    if channel is Channel.WEBHOOK:
        with suppress(ValueError):  # no URL: it will be refused as a whole
            return urlsplit(destination).netloc.lower()
    return destination.lower()
