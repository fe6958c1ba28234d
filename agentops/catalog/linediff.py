"""Two definitions, or texts, line by line, for whoever reviews the later one. Pure."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CONTEXT = 2  # unchanged lines shown around a change
MOST_LINES = 2_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `kind`: same, added, removed, or gap for unchanged lines that are left out."""

    kind: str
    text: str


def between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Line]:
    """What was taken out and put in, with a little of what is around it; empty where nothing differs."""
    return _between(_lines(before), _lines(after))


def between_texts(before: str, after: str) -> list[Line]:
    """The same of two texts."""
    return _between(before.split("\n")[:MOST_LINES], after.split("\n")[:MOST_LINES])


def _between(old: list[str], new: list[str]) -> list[Line]:
    found: list[Line] = []
    for place, group in enumerate(difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(CONTEXT)):
        if place:
            found.append(Line("gap", "…"))
        for tag, old_from, old_to, new_from, new_to in group:
            if tag == "equal":
                found += [Line("same", text) for text in old[old_from:old_to]]
            else:
                found += [Line("removed", text) for text in old[old_from:old_to]]
                found += [Line("added", text) for text in new[new_from:new_to]]
    return found


def _lines(definition: Mapping[str, Any]) -> list[str]:
    text = json.dumps(definition, indent=2, sort_keys=True, ensure_ascii=False)
    return text.split("\n")[:MOST_LINES]
