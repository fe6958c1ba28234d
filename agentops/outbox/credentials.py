"""Where a channel finds the key it sends with: never in a message, and only for the moment of sending.

The outbox does not know who keeps keys, as it stands below them all. Whoever does says so when the process starts
(`AppConfig.ready`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from agentops.outbox.types import Claimed


class Missing(Exception):
    """There is no key to send with; the message says why."""


@dataclass(frozen=True, slots=True)
class Credentials:
    base_url: str
    secret: str = field(repr=False)


Reader = Callable[[uuid.UUID, uuid.UUID], Credentials]
_readers: list[Reader] = []


def read_by(reader: Reader) -> None:
    """Keys are asked of this function, by tenant and target; it opens the tenant's scope, and raises Missing."""
    _readers[:] = [reader]


def of(claimed: Claimed) -> Credentials:
    """The key of the target that a message names. Raises Missing."""
    if not _readers:
        raise Missing("nobody keeps keys here")
    try:
        target = uuid.UUID(str(claimed.context.get("target")))
    except ValueError as error:
        raise Missing("the message names no target") from error
    return _readers[0](claimed.tenant_id, target)
