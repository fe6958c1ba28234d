"""The sentences of a view: what will happen, what it does to the world, and whether it can be taken back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentops.catalog.types import Effect, Reversal
from agentops.confirmations.rendering.pieces import pieces
from agentops.confirmations.rendering.types import Leaf, Piece, Pieces
from agentops.confirmations.types import ToolFacts

_EFFECT = {
    Effect.READ: "It looks something up, and changes nothing.",
    Effect.WRITE: "It changes data.",
    Effect.DELETE: "It takes something away.",
    Effect.SEND: "It sends something out of the house.",
    Effect.CHARGE: "It moves money.",
    Effect.ESCALATE: "It calls a person.",
}
_NAMED = 3  # values in the headline of a tool whose definition does not name its amount
_SHORT = 40  # signs of such a value
_MOST_SIGNS = 120  # of one value in a headline: the whole stands among the values


def headline(tool: str, arguments: Any, facts: ToolFacts, shown: Sequence[Leaf]) -> Pieces:
    """`Refund 48.10 EUR to ord_8812`: what, how much, to whom. A tool that does not name its amount is told by its values."""
    amount, payee, resource = (_leaf(pointer, shown) for pointer in (facts.amount, facts.payee, facts.resource))
    words = tool.replace("_", " ").replace("-", " ").strip() or tool
    made: list[Piece] = list(pieces(words[:1].upper() + words[1:]))
    if amount is not None:
        made += [Piece(": " if " " in words else " "), *_amount(amount)]
    if payee is not None:
        made += [Piece(" to "), *_short(payee.value)]
    if resource is not None and resource is not payee:
        made += [Piece(" for " if amount is not None or payee is not None else " "), *_short(resource.value)]
    if amount is None:
        made += _by_values([leaf for leaf in shown if leaf is not payee and leaf is not resource], shown)
    return tuple(made)


def effect(facts: ToolFacts) -> str:
    return _EFFECT[Effect(facts.effect)] if facts.effect in Effect.values else "Nobody said what it does to the world."


def reversal(facts: ToolFacts) -> str:
    """The recipe and the time stand beside it."""
    match facts.reversal:
        case Reversal.YES:
            return "It can be taken back."
        case Reversal.NO:
            return "It cannot be taken back."
        case _:
            return "Nobody said whether it can be taken back; take it for final."


def _leaf(pointer: str, shown: Sequence[Leaf]) -> Leaf | None:
    return next((leaf for leaf in shown if leaf.pointer == pointer), None) if pointer else None


def _amount(leaf: Leaf) -> Pieces:
    """In words where the unit is certain; else the bare number with its own name, which may tell the unit."""
    return pieces(leaf.reads) if leaf.reads else (*_short(leaf.value), Piece(f" ({leaf.label})"))


def _by_values(rest: Sequence[Leaf], shown: Sequence[Leaf]) -> Pieces:
    """The first short values; how many more there are, where nothing else tells what it is about."""
    if not shown or (len(shown) == 1 and not shown[0].pointer):
        return (Piece(", with no values"),)
    named = [leaf for leaf in rest if len(leaf.raw) <= _SHORT and "\n" not in leaf.raw][:_NAMED]
    if not named and len(rest) == len(shown):
        named = list(rest[:1])
    made: list[Piece] = []
    for place, leaf in enumerate(named):
        made += [Piece(", " if place else " with "), Piece(f"{leaf.label} "), *_short(leaf.value or pieces("(empty)"))]
    more = len(rest) - len(named)
    if more and named:
        made.append(Piece(f" and {more} more value{'' if more == 1 else 's'}"))
    return tuple(made)


def _short(value: Pieces) -> Pieces:
    """As much of a value as a line takes; nothing is lost, as all of it stands below."""
    made: list[Piece] = []
    room = _MOST_SIGNS
    for piece in value:
        if piece.kind == "line":
            piece = Piece(" ↵ ")
        if len(piece.text) > room and not piece.kind:
            return (*made, Piece(piece.text[:room] + "…"))
        made.append(piece)
        room -= len(piece.text)
        if room <= 0:
            return (*made, Piece("…"))
    return tuple(made)
