"""Identifiers: time-ordered UUIDs for rows, and the hexadecimal forms that OpenTelemetry uses."""

from __future__ import annotations

import uuid
from datetime import datetime

import uuid_utils

from agentops.common import clock

_FIRST_MS, _LAST_MS = 1_735_689_600_000, 4_102_444_800_000  # 2025 to 2100


def new_id() -> uuid.UUID:
    """A UUID version 7 (RFC 9562): sorts by the time it was made, so B-trees grow at one end."""
    return uuid.UUID(int=uuid_utils.uuid7().int)


def first_id_of(moment: datetime) -> uuid.UUID:
    """Below every version 7 id that is made from this moment on, and above those of the milliseconds before it."""
    return uuid.UUID(int=(clock.to_ns(moment) // 1_000_000) << 80)


def is_minted(run_id: uuid.UUID) -> bool:
    """May the guard have minted this run id? Its ids are version 7 and of these years; random trace ids hardly ever are."""
    return run_id.version == 7 and _FIRST_MS <= run_id.int >> 80 < _LAST_MS


def span_hex(span_id: int) -> str:
    """The 16 hex digits of a span id that is kept as a signed 64-bit integer."""
    return f"{span_id & 0xFFFFFFFFFFFFFFFF:016x}"


def span_int(text: str) -> int:
    """The signed 64-bit integer of 16 hex digits. Raises ValueError for anything else."""
    if len(text) != 16:
        raise ValueError("a span id is 16 hex digits")
    return int.from_bytes(bytes.fromhex(text), "big", signed=True)


def trace_uuid(text: str) -> uuid.UUID:
    """The UUID of a trace id of 32 hex digits. Raises ValueError for anything else."""
    if len(text) != 32:
        raise ValueError("a run id is 32 hex digits")
    return uuid.UUID(bytes=bytes.fromhex(text))
