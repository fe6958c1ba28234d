"""Values made safe for PostgreSQL `text` and `jsonb`, and ids made integers."""

from __future__ import annotations

import math
import uuid
from typing import Any

MAX_VALUE_DEPTH = 32
MAX_KEY_LENGTH = 256
MAX_INT = 2**63 - 1
MIN_INT = -(2**63)
TOO_DEEP = "[nested too deeply]"

_MAX_CACHED_KEYS = 20_000
_keys: dict[str, str] = {}


def clean_text(text: str) -> str:
    """`text` without NUL and lone surrogates, each replaced by U+FFFD."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def clean_key(key: str) -> str:
    """An attribute key, cleaned, cut to `MAX_KEY_LENGTH` and interned (the same few hundred come for ever)."""
    known = _keys.get(key)
    if known is not None:
        return known
    cleaned = clean_text(key)[:MAX_KEY_LENGTH]
    if len(_keys) >= _MAX_CACHED_KEYS:
        _keys.clear()
    _keys[key] = cleaned
    return cleaned


def clean_double(number: float) -> float | str:
    """A finite double, or its name as JSON and protobuf spell it ("NaN", "Infinity", "-Infinity")."""
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def clean_json(value: Any, depth: int = 0) -> Any:
    """A JSON value of any origin, made safe throughout; a new value."""
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if MIN_INT <= value <= MAX_INT else str(value)
    if isinstance(value, float):
        return clean_double(value)
    if depth >= MAX_VALUE_DEPTH:
        return TOO_DEEP
    if isinstance(value, dict):
        return {clean_text(str(key)): clean_json(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean_json(item, depth + 1) for item in value]
    return clean_text(str(value))


def deeper_than(value: Any, limit: int) -> bool:
    """Whether a JSON value nests deeper than `limit` arrays and objects. Linear, and without recursion."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        if not level:
            return False
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, (dict, list))
        ]
    return bool(level)


def trace_id_problem(raw: bytes) -> str | None:
    """Why these bytes are no trace id, or None."""
    if len(raw) != 16:
        return f"trace_id must be 16 bytes, got {len(raw)}"
    return None if any(raw) else "trace_id must not be all zero"


def span_id_problem(raw: bytes, name: str = "span_id") -> str | None:
    """Why these bytes are no span id, or None."""
    if len(raw) != 8:
        return f"{name} must be 8 bytes, got {len(raw)}"
    return None if any(raw) else f"{name} must not be all zero"


def span_id_from_bytes(raw: bytes) -> int:
    """The 8 bytes as a signed 64-bit integer."""
    return int.from_bytes(raw, "big", signed=True)


def span_id_hex(span_id: int) -> str:
    """16 lower-case hex digits of a signed 64-bit span id."""
    return f"{span_id & 0xFFFFFFFFFFFFFFFF:016x}"


def trace_id_from_bytes(raw: bytes) -> uuid.UUID:
    """The 16 bytes as a UUID."""
    return uuid.UUID(bytes=raw)
