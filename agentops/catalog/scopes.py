"""Is a call within the scope of its grant? Pure: values in, rejections out.

A grant says `{order_id: "user.order_ids"}`: the argument must be one of what the run states under that path. What is not
stated is not allowed, and an argument that is left out is not one of anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentops.catalog import pointers
from agentops.catalog.types import Rejection
from agentops.common import strictjson

_ABSENT = object()
_TOLD_MOST = 5  # values named in a rejection
_TOLD_LENGTH = 60  # characters of each

ROOTS = ("user", "run", "tenant", "contacts")  # what a path may begin with: never `args`, which the agent chooses


def check(grant_scope: Mapping[str, str], knowledge: Mapping[str, Any]) -> list[Rejection]:
    """The arguments that are outside (`out_of_scope`); empty when all are within.

    `grant_scope` maps an argument (a name, or a JSON Pointer into the arguments) to a dotted path into `knowledge`.
    An argument that is a list must be contained wholly.
    """
    return [
        rejection
        for argument, path in grant_scope.items()
        if (rejection := _outside(pointers.of_argument(argument), path, knowledge)) is not None
    ]


def _outside(pointer: str, path: str, knowledge: Mapping[str, Any]) -> Rejection | None:
    stated = _stated(path, knowledge)
    if stated is _ABSENT or stated is None:
        return Rejection(
            code="out_of_scope",
            pointer=pointer,
            expected=f"a run whose scope states {path}",
            hint=f"the run does not say what {path} is, so nothing is within it; the run must be started with it",
        )
    value = pointers.find(pointer, knowledge.get("args"), _ABSENT)
    if value is _ABSENT or value is None or value == []:
        return Rejection(
            code="out_of_scope",
            pointer=pointer,
            expected=_told(path, stated),
            hint="this argument says what is acted on, and may not be left out or be empty",
        )
    values = value if isinstance(value, list) else [value]
    if all(_is_within(each, stated) for each in values):
        return None
    return Rejection(
        code="out_of_scope",
        pointer=pointer,
        expected=_told(path, stated),
        hint=f"this run may act only within {path}; choose from it, or tell the user that this is not theirs to change",
    )


def _stated(path: str, knowledge: Mapping[str, Any]) -> Any:
    found: Any = knowledge
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return _ABSENT
        found = found[part]
    return found


def _is_within(value: Any, stated: Any) -> bool:
    if isinstance(stated, frozenset | set):
        return isinstance(value, str) and value in stated
    if isinstance(stated, list | tuple):
        return any(_is_same(value, each) for each in stated)
    return _is_same(value, stated)


def _is_same(value: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1, and 1 is not "1"."""
    if isinstance(value, bool) or isinstance(other, bool):
        return value is other
    if isinstance(value, dict | list) or isinstance(other, dict | list):
        return type(value) is type(other) and strictjson.canonical(value) == strictjson.canonical(other)
    return bool(value == other)


def _told(path: str, stated: Any) -> str:
    """What would be accepted. Sets of contacts are not told: they may be large, and are not the agent's to read."""
    if isinstance(stated, frozenset | set):
        return f"one of {path}"
    values = list(stated) if isinstance(stated, list | tuple) else [stated]
    if not values:
        return f"one of {path}, which is empty for this run"
    told = ", ".join(str(value)[:_TOLD_LENGTH] for value in values[:_TOLD_MOST] if not isinstance(value, dict | list))
    more = ", …" if len(values) > _TOLD_MOST else ""
    return f"one of {path}: {told}{more}" if told else f"one of {path}"
