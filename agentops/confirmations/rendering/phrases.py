"""What a person types to agree to a payload: something that can only be typed by whoever read it."""

from __future__ import annotations

import re
from typing import Any

from agentops.catalog import pointers
from agentops.confirmations.rendering import amounts
from agentops.confirmations.rendering.leaves import kind_of
from agentops.confirmations.rendering.pieces import pieces
from agentops.confirmations.types import ToolFacts

_PLACE = re.compile(r"\{([^{}]*)\}")
_SIGNS = re.compile(r"[^0-9A-Za-z]")
_LAST = 4
_MOST = 200


def phrase(tool: str, arguments: Any, facts: ToolFacts) -> str:
    """By the tool's definition; else the amount and the last four signs of whom or what it concerns."""
    if facts.phrase:
        made = _PLACE.sub(lambda place: _value(pointers.of_argument(place[1]), arguments), facts.phrase)
        if typed := _typeable(made):
            return typed
    amount, whom = _amount(facts, arguments), _whom(facts, arguments)
    words = tool.replace("_", " ")
    return _typeable(" ".join(part for part in ((amount or words), whom) if part)) or _typeable(words)


def accepts(wanted: str, typed: str) -> bool:
    """Was it typed? Capitals and spaces do not count; everything else does."""
    return _folded(wanted) == _folded(typed)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _amount(facts: ToolFacts, arguments: Any) -> str:
    value = pointers.find(facts.amount, arguments) if facts.amount else None
    if value is None:
        return ""
    number = amounts.exact(facts.amount, value, arguments)
    return f"{number:f}" if number is not None else kind_of(value)[1]


def _whom(facts: ToolFacts, arguments: Any) -> str:
    """The last four letters and digits of the payee, else of the resource, else of the first value that has any."""
    for pointer in (facts.payee, facts.resource, *_first(arguments)):
        if pointer and pointer != facts.amount and (signs := _SIGNS.sub("", _value(pointer, arguments))):
            return signs[-_LAST:]
    return ""


def _first(arguments: Any) -> list[str]:
    return [pointers.of_argument(name) for name in arguments] if isinstance(arguments, dict) else []


def _value(pointer: str, arguments: Any) -> str:
    found = pointers.find(pointer, arguments)
    return "" if found is None or isinstance(found, dict | list) else kind_of(found)[1]


def _typeable(text: str) -> str:
    """Without what no keyboard has: characters that cannot be seen, or only look like others."""
    kept = "".join(piece.text for piece in pieces(" ".join(text.split())[:_MOST]) if piece.kind in ("", "space"))
    return " ".join(kept.split())
