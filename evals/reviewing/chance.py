"""Which runs come to people by chance. By the run's id alone: asked again, the answer is the same."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping

DEFAULT_SHARE = 0.01  # where an organisation has said nothing
_WHOLE = 1 << 64


def share_of(agent: str, shares: Mapping[str, float]) -> float:
    """The share for an agent: its own line, else that of all others ("")."""
    return shares.get(agent, shares.get("", DEFAULT_SHARE))


def is_drawn(*, tenant: uuid.UUID, run_id: uuid.UUID, share: float) -> bool:
    digest = hashlib.sha256(b"review\0" + tenant.bytes + run_id.bytes).digest()
    return int.from_bytes(digest[:8], "big") < share * _WHOLE
