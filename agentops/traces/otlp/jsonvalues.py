"""Single fields and AnyValues of OTLP/JSON, read strictly; a bad one is a `BadField` of its span."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from agentops.traces.otlp.clean import (
    MAX_INT,
    MAX_VALUE_DEPTH,
    MIN_INT,
    TOO_DEEP,
    clean_double,
    clean_key,
    clean_text,
    deeper_than,
)
from agentops.traces.otlp.errors import MalformedRequest

MAX_BODY_DEPTH = 128  # of values; the envelope adds about ten levels


class BadField(ValueError):
    """One field of one span is not what OTLP says; refuses that span only."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def text(value: Any, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadField("invalid_field", f"{name} must be a string")
    return clean_text(value)


def enum(value: Any, name: str) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadField("invalid_field", f"{name} must be an integer (OTLP/JSON enums are numbers, not names)")
    return int(value)


def time_ns(value: Any, name: str) -> int:
    if value is None:
        return 0
    try:
        number = _integer(value)
    except ValueError:
        number = -1
    if not 0 <= number < 2**64:
        raise BadField("invalid_field", f"{name} must be nanoseconds since the epoch as a decimal string")
    return number


def _integer(value: Any) -> int:
    if isinstance(value, str):
        if len(value) > 20 or not (value.removeprefix("-").isdecimal() and value.isascii()):
            raise ValueError(value)
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise ValueError(value)


def count(value: Any) -> int:
    return int(value) if isinstance(value, int) and 0 <= value < 2**32 else 0


def attributes_of(holder: dict[str, Any]) -> dict[str, Any]:
    pairs = holder.get("attributes")
    return {} if pairs is None else _pairs(pairs, 0)


def _pairs(pairs: Any, depth: int) -> dict[str, Any]:
    if not isinstance(pairs, list):
        raise BadField("invalid_field", 'attributes must be an array of {"key", "value"}')
    found: dict[str, Any] = {}
    for pair in pairs:
        if not isinstance(pair, dict) or not isinstance(key := pair.get("key"), str):
            raise BadField("invalid_field", 'attributes must be an array of {"key", "value"}')
        found[clean_key(key)] = any_value(pair.get("value"), depth)
    return found


def any_value(value: Any, depth: int) -> Any:
    """AnyValue. A kind this reader does not know is None, as proto3 JSON has it."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise BadField("invalid_field", 'a value must be an AnyValue object such as {"stringValue": "…"}')
    for kind, content in value.items():
        if kind == "stringValue":
            return clean_text(content) if isinstance(content, str) else _bad(kind)
        if kind == "intValue":
            return _any_int(content)
        if kind == "boolValue":
            return content if isinstance(content, bool) else _bad(kind)
        if kind == "doubleValue":
            return _any_double(content)
        if kind == "bytesValue":
            return _any_bytes(content)
        if kind == "arrayValue" or kind == "kvlistValue":
            return _nested(kind, content, depth)
    return None


def _nested(kind: str, content: Any, depth: int) -> Any:
    if content is None:
        content = {}
    if not isinstance(content, dict):
        return _bad(kind)
    if depth >= MAX_VALUE_DEPTH:
        if deeper_than(content, MAX_BODY_DEPTH):
            raise MalformedRequest(f"values nested deeper than {MAX_VALUE_DEPTH} levels are not read")
        return TOO_DEEP
    items = content.get("values") or []
    if kind == "kvlistValue":
        return _pairs(items, depth + 1)
    if not isinstance(items, list):
        return _bad(kind)
    return [any_value(item, depth + 1) for item in items]


def _any_int(content: Any) -> int:
    try:
        number = _integer(content)
    except ValueError:
        number = MAX_INT + 1
    if not MIN_INT <= number <= MAX_INT:
        _bad("intValue")
    return number


def _any_double(content: Any) -> float | str:
    if isinstance(content, str):
        try:
            content = float(content)
        except ValueError:
            _bad("doubleValue")
    if isinstance(content, bool) or not isinstance(content, (int, float)):
        _bad("doubleValue")
    try:
        return clean_double(float(content))
    except OverflowError:
        return "Infinity" if content > 0 else "-Infinity"


def _any_bytes(content: Any) -> str:
    try:
        return base64.b64encode(base64.b64decode(content, validate=True)).decode()
    except (TypeError, ValueError, binascii.Error):
        return str(_bad("bytesValue"))


def _bad(kind: str) -> Any:
    raise BadField("invalid_field", f"{kind} does not hold a value of its kind")
