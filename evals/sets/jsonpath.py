"""JSONPath (RFC 9535) without filters and slices: names, indexes, wildcards and descendants. Filters are CEL's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

SEGMENTS_MOST = 40
VALUES_MOST = 20_000  # that are looked at in one go
_EVERY = object()
_SEGMENT = re.compile(
    r"""(?P<deep>\.\.)?  # descendants, followed by one of these
    (?: (?(deep)|\.)(?P<name>[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)
      | (?(deep)|\.)(?P<star>\*)
      | \[\s*(?: (?P<index>-?(?:0|[1-9][0-9]{0,8})) | (?P<every>\*) | '(?P<single>(?:[^'\\]|\\.)*)' | (?P<double>"(?:[^"\\]|\\.)*") )\s*\]
    )""",
    re.X | re.S,
)
_Segment = tuple[bool, Any]  # whether at any depth, and a name, an index or all


def problem(path: str) -> str:
    """Why a text is no path; "" when it is one."""
    try:
        _segments(path)
    except ValueError as error:
        return str(error)
    return ""


def find(path: str, value: Any) -> list[Any]:
    """The values at a path, in document order. Raises ValueError for what `problem` would name, and for too many values."""
    found = [value]
    left = VALUES_MOST
    for is_deep, selector in _segments(path):
        following: list[Any] = []
        for each in found:
            for inside in _descendants(each) if is_deep else (each,):
                left -= 1
                if left < 0:
                    raise ValueError(f"there are more than {VALUES_MOST} values to look at")
                following += _selected(inside, selector)
        found = following
    return found


def _segments(path: str) -> list[_Segment]:
    if not path.startswith("$"):
        raise ValueError("a JSONPath begins with $, such as $.items[0].sku")
    found: list[_Segment] = []
    place = 1
    while place < len(path):
        match = _SEGMENT.match(path, place)
        if match is None:
            raise ValueError(
                f"this is no JSONPath from character {place + 1} on: names, [indexes], ['names'], * and .. are taken; "
                "for conditions write an expectation in CEL"
            )
        found.append((match["deep"] is not None, _selector(match)))
        place = match.end()
        if len(found) > SEGMENTS_MOST:
            raise ValueError(f"at most {SEGMENTS_MOST} steps are taken")
    return found


def _selector(match: re.Match[str]) -> Any:
    if match["star"] or match["every"]:
        return _EVERY
    if match["index"]:
        return int(match["index"])
    if match["name"]:
        return match["name"]
    quoted = match["double"]
    if quoted is None:
        inner = match["single"].replace("\\'", "'")
        quoted = '"' + inner.replace('"', '\\"') + '"'
    try:
        return json.loads(quoted)
    except ValueError as error:
        raise ValueError(f"{quoted[:60]} is no text") from error


def _selected(value: Any, selector: Any) -> list[Any]:
    if selector is _EVERY:
        return list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else []
    if isinstance(selector, int):
        if isinstance(value, list) and -len(value) <= selector < len(value):
            return [value[selector]]
        return []
    return [value[selector]] if isinstance(value, dict) and selector in value else []


def _descendants(value: Any) -> Iterator[Any]:
    """The value and all inside it, each before what it holds."""
    stack = [value]
    while stack:
        found = stack.pop()
        yield found
        if isinstance(found, dict):
            stack.extend(reversed(found.values()))
        elif isinstance(found, list):
            stack.extend(reversed(found))
