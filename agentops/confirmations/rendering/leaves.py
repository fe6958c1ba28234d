"""Every value of a payload, in the order of its bytes, with its place in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from agentops.confirmations.rendering.amounts import reads
from agentops.confirmations.rendering.pieces import pieces
from agentops.confirmations.rendering.types import Leaf, Pieces
from agentops.confirmations.types import ToolFacts


class Number(str):
    """A number that is no whole one, as it stands in the bytes: a float would be written differently here and there."""


def parse(raw: bytes | str) -> Any:
    return json.loads(raw, parse_float=Number)


def leaves(value: Any, facts: ToolFacts | None = None) -> tuple[Leaf, ...]:
    """All values inside a value; itself, where it has no inside."""
    facts = facts or ToolFacts()
    roles = {facts.resource: "resource", facts.payee: "payee", facts.amount: "amount"}
    return tuple(_leaf(pointer, path, found, roles, facts, value) for pointer, path, found in _walk(value, "", ()))


def _walk(value: Any, pointer: str, path: tuple[Pieces, ...]) -> Iterator[tuple[str, tuple[Pieces, ...], Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            step = name.replace("~", "~0").replace("/", "~1")
            yield from _walk(inner, f"{pointer}/{step}", (*path, pieces(name)))
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from _walk(inner, f"{pointer}/{place}", (*path, pieces(str(place + 1))))
    else:
        yield pointer, path, value


def _leaf(
    pointer: str, path: tuple[Pieces, ...], value: Any, roles: dict[str, str], facts: ToolFacts, whole: Any
) -> Leaf:
    kind, raw = kind_of(value)
    role = roles.get(pointer, "") if pointer else ""
    return Leaf(
        pointer=pointer,
        path=path,
        kind=kind,
        raw=raw,
        value=pieces(raw),
        role=role,
        reads=reads(pointer, value, whole) if role == "amount" else "",
        is_cosmetic=pointer in facts.cosmetic,
    )


def kind_of(value: Any) -> tuple[str, str]:
    """The kind of a leaf and the value as text."""
    match value:
        case bool():
            return "yes or no", "yes" if value else "no"
        case Number():
            return "number", str(value)
        case str():
            return ("text", value) if value else ("empty text", "")
        case int():
            return "number", str(value)
        case None:
            return "nothing", "nothing (null)"
        case dict():
            return "empty object", "{}"
        case _:
            return "empty list", "[]"
