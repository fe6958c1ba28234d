"""How long until the next attempt, when to give up, how fast one destination is written to. Pure."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

from agentops.outbox.types import Channel

ATTEMPTS_MOST = 9  # with the delays below: over about nine hours
_FIRST_DELAY_SECONDS, _GROWTH, _DELAY_MOST_SECONDS = 10.0, 3.0, 6 * 3600.0
_GROWING_MOST = 20  # by then every delay is the longest

# Messages a minute to one destination, and how many may go at once.
RATES = {
    Channel.MAIL: (20, 10),
    Channel.WEBHOOK: (120, 30),
    Channel.PAGERDUTY: (115, 30),  # about 120 a minute and key, says PagerDuty
    Channel.OPSGENIE: (100, 30),
    Channel.CHAT: (50, 5),  # Slack: one a second
}
# A page that comes after six hours is of no use to anybody: pagers are asked every two minutes, and for as long.
_PAGER_DELAY_MOST_SECONDS, _PAGER_ATTEMPTS_MOST = 120.0, 270
_PAGERS = (Channel.PAGERDUTY, Channel.OPSGENIE)


def delay_seconds(tries: int, *, chance: float, asked_for: int | None = None, channel: Channel = Channel.MAIL) -> float:
    """How long to wait after so many tries (from 1) failed; `chance` is from 0 to 1.

    Exponential, within 20 % of its mean, so that what failed together is not tried again together. A receiver that
    names a time (Retry-After) is not asked earlier than that.
    """
    most = _PAGER_DELAY_MOST_SECONDS if channel in _PAGERS else _DELAY_MOST_SECONDS
    mean = most if tries > _GROWING_MOST else min(_FIRST_DELAY_SECONDS * _GROWTH ** (tries - 1), most)
    return max(mean * (0.8 + 0.4 * chance), float(min(asked_for or 0, _DELAY_MOST_SECONDS)))


def is_last(tries: int, *, channel: Channel) -> bool:
    return tries >= (_PAGER_ATTEMPTS_MOST if channel in _PAGERS else ATTEMPTS_MOST)


def interval_seconds(channel: Channel) -> float:
    """The mean distance of two messages to one destination."""
    return 60.0 / RATES[channel][0]


def burst_seconds(channel: Channel) -> float:
    """How far ahead of that mean a destination may be."""
    return interval_seconds(channel) * (RATES[channel][1] - 1)


def paced_by(channel: Channel, destination: str) -> str:
    """What is counted as one destination: a mail address, the host and port of a URL, a pager's target by its name."""
    if channel is Channel.WEBHOOK:
        with suppress(ValueError):  # no URL: it will be refused as a whole
            return urlsplit(destination).netloc.lower()
    return destination.lower()
