"""Reading single attribute values: text, numbers, JSON inside strings, and what PostgreSQL can hold of them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from agentops.traces.otlp.clean import clean_json, deeper_than

FIELD_LIMIT = 256 * 1024  # bytes of one attribute or content field
NAME_LIMIT = 512  # characters; promoted columns are indexed, and a B-tree entry holds 2704 bytes
MESSAGE_LIMIT = 4096
MAX_JSON_DEPTH = 64
MAX_TOKENS = 2**31 - 1
_CUT = "…[truncated]"


def first(attributes: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The first non-empty value of these keys, or None. False and 0 are values."""
    for name in names:
        value = attributes[name]
        if value is not None and value != "" and value != []:
            return value
    return None


def text(value: Any, limit: int = NAME_LIMIT) -> str:
    """A value as short text for a promoted column: strings as they are, numbers printed, the rest as JSON."""
    if value.__class__ is str:
        return str(value) if len(value) <= limit else value[: limit - 1] + "…"
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    return text(orjson.dumps(value).decode(), limit)


def parsed(value: Any) -> Any:
    """A JSON value: strings that hold a JSON object, array or string are parsed; on failure the text stays."""
    if value.__class__ is not str or not value:
        return value
    head = value[0]
    if head in " \n\r\t":
        stripped = value.strip()
        head = stripped[0] if stripped else ""
    if head not in '{["':
        return value
    if head == '"' and (len(value) < 2 or value.rstrip()[-1] != '"'):
        return value
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    if value.count("[") + value.count("{") > MAX_JSON_DEPTH and deeper_than(found, MAX_JSON_DEPTH):
        return value  # orjson reads 1024 levels, and writes 254
    return clean_json(found) if "\\u0000" in value else found


def as_object(value: Any) -> dict[str, Any]:
    """A JSON object (or a string that holds one), else an empty dict."""
    found = parsed(value)
    return found if isinstance(found, dict) else {}


def tokens(value: Any) -> int | None:
    """A token count: an integer 0..2^31-1, also as a decimal string or an integral double. None where it is none."""
    if value.__class__ is int:
        return value if 0 <= value <= MAX_TOKENS else None
    if isinstance(value, float) and value.is_integer():
        return tokens(int(value))
    if isinstance(value, str) and len(value) <= 10 and value.isdecimal() and value.isascii():
        return tokens(int(value))
    return None


def nano_usd(value: Any) -> int | None:
    """US dollars as nano-dollars, rounded half to even; None for what is no amount, negative or absurd."""
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        amount = Decimal(str(value)) * 1_000_000_000
        return int(amount.to_integral_value()) if 0 <= amount < 10**18 else None
    except (InvalidOperation, ValueError):
        return None


def cut_text(value: str) -> str:
    """Text of at most `FIELD_LIMIT` bytes of UTF-8."""
    room = FIELD_LIMIT - len(_CUT.encode())
    return value.encode()[:room].decode("utf-8", "ignore") + _CUT


def is_large(value: Any) -> bool:
    """Whether a value takes more than `FIELD_LIMIT` bytes; nearly free for short strings and numbers."""
    if value.__class__ is str:
        return len(value) > FIELD_LIMIT // 4 and len(value.encode()) > FIELD_LIMIT
    if isinstance(value, (dict, list)):
        return len(orjson.dumps(value)) > FIELD_LIMIT
    return False


def fitted(value: Any) -> Any:
    """A JSON value cut to `FIELD_LIMIT` bytes: long strings first, then the middle of long lists, else text."""
    if isinstance(value, str):
        return cut_text(value)
    for longest, most in ((32_768, 10_000), (4_096, 1_000), (512, 100), (128, 20)):
        value = _shortened(value, longest, most)
        if len(orjson.dumps(value)) <= FIELD_LIMIT:
            return value
    return cut_text(orjson.dumps(value).decode("utf-8", "ignore"))


def _shortened(value: Any, longest: int, most: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= longest else value[:longest] + _CUT
    if isinstance(value, dict):
        return {key[:longest]: _shortened(item, longest, most) for key, item in list(value.items())[:most]}
    if isinstance(value, list):
        if len(value) > most:
            half = most // 2
            value = [*value[:half], f"[{len(value) - 2 * half} items left out]", *value[-half:]]
        return [_shortened(item, longest, most) for item in value]
    return value
