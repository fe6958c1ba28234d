"""Words of what is shown."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

_DOMAIN = b"agentops.view.v1\0"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some characters of one kind. A kind says that they have to be shown by name:

    invisible, bidirectional, confusable, mixed_script and padding as `common.characters` finds them, and space, tab
    and line for what is ordinary but cannot be seen.
    """

    text: str
    kind: str = ""
    name: str = ""


Pieces = tuple[Piece, ...]
ODD = frozenset({"invisible", "bidirectional", "confusable", "mixed_script", "padding"})
_HAS_A_GLYPH = frozenset({"", "confusable", "mixed_script"})


def visible(pieces: Pieces) -> str:
    """One line for where there is no markup: what cannot be seen stands there by name."""
    return "".join(piece.text if piece.kind in _HAS_A_GLYPH else f"⟨{piece.name}⟩" for piece in pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One value of the payload. Nothing of a payload is outside its leaves: empty objects and lists are leaves too."""

    pointer: str  # RFC 6901, relative to the arguments
    path: tuple[Pieces, ...]  # the names on the way to it
    kind: str  # text, number, yes or no, nothing, empty list, empty object
    raw: str  # the value as it stands in the bytes; of a text, the text
    value: Pieces
    role: str = ""  # payee, amount or resource, where the tool's definition says so
    reads: str = ""  # an amount in words, where its unit is known beyond doubt
    is_cosmetic: bool = False  # two calls that differ in it only are the same call

    @property
    def label(self) -> str:
        return " › ".join(visible(name) for name in self.path) or "the value"

    @property
    def is_long(self) -> bool:
        return len(self.raw) > 120 or "\n" in self.raw

    @property
    def is_odd(self) -> bool:
        return any(piece.kind in ODD for name in (*self.path, self.value) for piece in name)


@dataclass(frozen=True, slots=True)
class Warning:
    """What a person should look at twice, as a sentence; the pointer says where."""

    pointer: str
    label: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One value beside what it is now. `kind`: changed, new (the resource has no such value), same."""

    pointer: str
    path: tuple[Pieces, ...]
    kind: str
    before: Pieces
    after: Pieces


@dataclass(frozen=True, kw_only=True)
class View:
    """Everything a page says of an action, in the order of the page. What the agent says is no part of it."""

    version: int
    tier: int
    headline_pieces: Pieces
    agent: str
    agent_version: str
    acting_user: Pieces
    tool: str
    tool_version: str
    resource: Pieces
    resource_version: Pieces
    description: Pieces
    effect: str
    reversal: str
    reversible_seconds: int | None
    recipe: Pieces
    raised_because: tuple[Pieces, ...]
    warnings: tuple[Warning, ...]
    leaves: tuple[Leaf, ...]
    differences: tuple[Difference, ...]
    current: tuple[Leaf, ...]  # the resource as it is now, as the tool gives it
    phrase: str  # what is typed at tier 3

    @cached_property
    def headline(self) -> str:
        """What will happen, to whom and how much, in words; safe in a title or a mail, as nothing in it is invisible."""
        return visible(self.headline_pieces)

    def canonical_text(self) -> str:
        """All that is shown, line by line, in ASCII: two views with the same text show the same."""
        return "".join(f"{name} {json.dumps(value, ensure_ascii=True)}\n" for name, value in self._lines())

    @cached_property
    def digest(self) -> bytes:
        return hashlib.sha256(_DOMAIN + self.canonical_text().encode()).digest()

    def _lines(self) -> list[tuple[str, object]]:
        return [
            ("renderer", self.version),
            ("headline", _told(self.headline_pieces)),
            ("tier", self.tier),
            ("agent", [self.agent, self.agent_version]),
            ("in the name of", _told(self.acting_user)),
            ("tool", [self.tool, self.tool_version]),
            ("resource", [_told(self.resource), _told(self.resource_version)]),
            ("description", _told(self.description)),
            ("effect", self.effect),
            ("reversal", [self.reversal, _told(self.recipe), self.reversible_seconds]),
            *(("raised because", _told(each)) for each in self.raised_because),
            *(("warning", [each.pointer, each.sentence]) for each in self.warnings),
            *(("value", _leaf_line(leaf)) for leaf in self.leaves),
            *(
                ("difference", [each.pointer, each.kind, _told(each.before), _told(each.after)])
                for each in self.differences
            ),
            *(("now", _leaf_line(leaf)) for leaf in self.current),
            ("phrase", self.phrase),
        ]


def _leaf_line(leaf: Leaf) -> list[object]:
    return [leaf.pointer, leaf.kind, _told(leaf.value), leaf.role, leaf.reads]


def _told(pieces: Pieces) -> object:
    """Text as it is where nothing in it has a name, else its pieces with their names."""
    if not any(piece.kind for piece in pieces):
        return "".join(piece.text for piece in pieces)
    return [[piece.text, piece.kind, piece.name] if piece.kind else piece.text for piece in pieces]
