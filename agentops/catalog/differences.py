"""Where two definitions differ, for whoever reviews the later one. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agentops.catalog import pointers
from agentops.catalog.types import Difference

MOST = 200
_ABSENT = object()


def between(before: Any, after: Any) -> list[Difference]:
    """The places, in order, the first 200; lists are compared place by place, and as wholes where they hold no objects."""
    found = []
    for difference in _walk(before, after, ""):
        found.append(difference)
        if len(found) == MOST:
            break
    return found


def _walk(before: Any, after: Any, pointer: str) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            here = f"{pointer}/{pointers.escape(name)}"
            yield from _walk(before.get(name, _ABSENT), after.get(name, _ABSENT), here)
    elif _holds_objects(before) and _holds_objects(after):
        for place in range(max(len(before), len(after))):
            one = before[place] if place < len(before) else _ABSENT
            other = after[place] if place < len(after) else _ABSENT
            yield from _walk(one, other, f"{pointer}/{place}")
    elif before is not after and (type(before) is not type(after) or before != after):
        yield Difference(
            pointer=pointer,
            before=None if before is _ABSENT else before,
            after=None if after is _ABSENT else after,
        )


def _holds_objects(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(each, dict) for each in value)
