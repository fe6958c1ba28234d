"""When are two tool calls the same call? Same tool, same arguments, but for the fields declared cosmetic."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from agentops.common import strictjson

SIZE = 16  # bytes


def likeness(tool: str, arguments: Any, cosmetic: Sequence[str]) -> bytes:
    """A digest that is equal for calls that differ in cosmetic fields only (JSON Pointers, RFC 6901)."""
    for pointer in cosmetic:
        arguments = _without(arguments, [_unescape(part) for part in pointer.split("/")[1:]])
    digest = hashlib.sha256(tool.encode())
    digest.update(b"\0")
    digest.update(strictjson.canonical(arguments))
    return digest.digest()[:SIZE]


def _without(value: Any, path: list[str]) -> Any:
    """A copy without the member at a path; the value itself where there is none."""
    if not path or not isinstance(value, dict) or path[0] not in value:
        return value
    if len(path) == 1:
        return {name: each for name, each in value.items() if name != path[0]}
    return {**value, path[0]: _without(value[path[0]], path[1:])}


def _unescape(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")
