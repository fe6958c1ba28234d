"""From text to pieces: what cannot be seen, or is not what it looks like, gets a name."""

from __future__ import annotations

import itertools
import re
import unicodedata

from agentops.common import characters
from agentops.common.characters import Finding, Kind
from agentops.confirmations.rendering.types import Piece, Pieces

_ORDER = (Kind.MIXED_SCRIPT, Kind.CONFUSABLE, Kind.PADDING, Kind.INVISIBLE, Kind.BIDIRECTIONAL)  # the last one holds
_CONTROLS = {"\r": "carriage return", "\x1b": "escape", "\x7f": "delete", "\x08": "backspace", "\x85": "next line"}
_COUNTED = frozenset({"invisible", "bidirectional", "space", "tab"})
_PLAIN = re.compile(r"[!-~](?:[ -~]*[!-~])?")


def pieces(text: str) -> Pieces:
    """The text, whole and in order: joined, the pieces' texts are the text again."""
    found = characters.findings(text)
    if not found and _PLAIN.fullmatch(text):  # nearly always
        return (Piece(text),)
    made: list[Piece] = []
    start = 0
    for (kind, name), group in itertools.groupby(_kinds(text, found)):
        length = len(list(group))
        if kind == "line":  # each is a piece of its own
            made += [Piece("\n", kind, name)] * length
        else:
            made.append(Piece(text[start : start + length], kind, _counted(name, kind, length)))
        start += length
    return tuple(made)


def _kinds(text: str, found: list[Finding]) -> list[tuple[str, str]]:
    """Kind and name of each character."""
    kinds = [_own_kind(character) for character in text]
    for finding in sorted(found, key=lambda each: _ORDER.index(each.kind)):
        for place in range(finding.start, finding.end):
            kinds[place] = (finding.kind.value, _name(text[place], finding))
    begin, end = len(text) - len(text.lstrip(" ")), len(text.rstrip(" "))
    for place in itertools.chain(range(begin), range(end, len(text))):
        if not kinds[place][0]:
            kinds[place] = ("space", "space")
    return kinds


def _own_kind(character: str) -> tuple[str, str]:
    """What a character is whatever was found in it: what draws nothing is never written as it is."""
    if " " <= character <= "~":
        return "", ""
    if character == "\n":
        return "line", "line break"
    if character == "\t":
        return "tab", "tab"
    match unicodedata.category(character):
        case "Cc" | "Zl" | "Zp":
            return "invisible", _name_of(character)
        case "Zs":
            return "space", _name_of(character)
        case _:
            return "", ""


def _name(character: str, finding: Finding) -> str:
    """Of a word of several scripts, the foreign letters are named one by one: they are what one has to see."""
    if finding.kind is Kind.MIXED_SCRIPT and not character.isascii():
        return _name_of(character)
    return finding.name


def _name_of(character: str) -> str:
    name = unicodedata.name(character, _CONTROLS.get(character, "control character")).lower()
    return f"{name} (U+{ord(character):04X})"


def _counted(name: str, kind: str, length: int) -> str:
    return f"{name} ×{length}" if length > 1 and kind in _COUNTED else name
