"""An entry as a sentence: that of its action, with who and what in it. What was erased is said to be erased."""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from audit.registry import ACTIONS

ERASED = "(erased)"
UNTOLD = "…"  # data that is not at hand: too large for a list
_VALUE_LENGTH = 80
_LIST_LENGTH = 4
# Marks that turn the direction of the text around them: in a name they could make one person look like another.
_TURNS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_WORDS: dict[tuple[str, str], str] = {
    ("decision", "allow"): "allowed",
    ("decision", "confirm"): "a person is asked",
    ("decision", "reject"): "refused",
    ("decision", "throttle"): "told to wait",
    ("decision", "abort"): "the run was stopped",
    ("status", "no error"): "no error",
    ("outcome", "ok"): "done",
    ("outcome", "error"): "failed",
    ("outcome", "unknown"): "how it ended is not known",
    ("verdict", "approved"): "approved",
}
# Targets that a name alone tells; of others the kind is said, too.
_PLAIN_TARGETS = frozenset({"tool", "model", "agent", "user"})


class Tellable(Protocol):
    """An entry, or an entry as a list has it."""

    @property
    def action(self) -> str: ...
    @property
    def actor_id(self) -> str: ...
    @property
    def actor_label(self) -> str: ...
    @property
    def target_type(self) -> str: ...
    @property
    def target_id(self) -> str: ...
    @property
    def commitments(self) -> str: ...
    @property
    def private(self) -> str: ...
    def told(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a sentence. `kind` is text, actor, target, value or erased."""

    text: str
    kind: str = "text"


def sentence(entry: Tellable) -> str:
    """In one line: "refund-desk called refund: done"."""
    return "".join(piece.text for piece in pieces(entry))


def pieces(entry: Tellable) -> list[Piece]:
    """The same in parts, for pages that mark who and what."""
    known, gone = entry.told(), erased(entry)
    found = []
    for text, name in _parsed(entry.action):
        if text:
            found.append(Piece(text))
        if name:
            found.append(_filled(entry, name, known, gone))
    if found and found[0].kind == "text":
        found[0] = Piece(found[0].text[:1].upper() + found[0].text[1:])
    return found


def erased(entry: Tellable) -> frozenset[str]:
    """The names of personal values that are no more: committed to, but not kept."""
    if entry.commitments == "{}":
        return frozenset()
    return frozenset(orjson.loads(entry.commitments)) - frozenset(orjson.loads(entry.private))


def actor_words(entry: Tellable) -> str:
    """Who did it, as people are told."""
    return ERASED if "actor_label" in erased(entry) else plain(entry.actor_label or entry.actor_id)


def target_words(entry: Tellable) -> str:
    """What it was done to."""
    if "target_id" in erased(entry):
        return f"{words_of(entry.target_type)} {ERASED}"
    if entry.target_type in _PLAIN_TARGETS:
        return plain(entry.target_id)
    return plain(f"{words_of(entry.target_type)} {entry.target_id}".strip())


def words_of(name: str) -> str:
    """A name of ours in words: tool_version is "tool version"."""
    return name.replace("_", " ")


def value_words(value: Any, name: str = "", most: int = _VALUE_LENGTH) -> str:
    """A value of an entry's data in words."""
    if value is None or value in ("", [], {}):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return _joined([_change(key, each) for key, each in value.items()])
    if isinstance(value, list):
        return _joined([value_words(each, most=most) for each in value])
    text = str(value)
    if (name, text) in _WORDS:
        return _WORDS[name, text]
    if digest := _DIGEST.fullmatch(text):
        return digest[1][:12]
    return plain(text if len(text) <= most else f"{text[: most - 1]}…")


def plain(text: str) -> str:
    """Text as it may stand on a page: without marks that turn the direction of text."""
    return _TURNS.sub("\N{REPLACEMENT CHARACTER}", text)


def _filled(entry: Tellable, name: str, known: Mapping[str, Any], gone: frozenset[str]) -> Piece:
    if name == "actor":
        words = actor_words(entry)
        return Piece(words, "erased" if words == ERASED else "actor")
    if name == "target":
        return Piece(target_words(entry), "erased" if "target_id" in gone else "target")
    if f"data.{name}" in gone:
        return Piece(ERASED, "erased")
    return Piece(value_words(known[name], name) if name in known else UNTOLD, "value")


def _change(name: str, value: Any) -> str:
    """A member of an object; [old, new] is a change."""
    if isinstance(value, list) and len(value) == 2:
        return f"{words_of(name)} from {value_words(value[0])} to {value_words(value[1])}"
    return f"{words_of(name)} {value_words(value)}"


def _joined(words: Sequence[str]) -> str:
    if len(words) > _LIST_LENGTH:
        return f"{', '.join(words[:_LIST_LENGTH])} and {len(words) - _LIST_LENGTH} more"
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


@functools.cache
def _parsed(action: str) -> list[tuple[str, str]]:
    """The text and the name that follows it, in order. An action that the registry has no more is told by its name."""
    known = ACTIONS.get(action)
    return list(_parts(known.sentence)) if known else [("", "actor"), (f" did {action} to ", "target")]


def _parts(text: str) -> Iterator[tuple[str, str]]:
    for before, name, _, _ in string.Formatter().parse(text):
        yield before, name or ""
