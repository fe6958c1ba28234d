"""The one way from stored bytes to a view."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from agentops.confirmations.rendering import sentences
from agentops.confirmations.rendering.leaves import leaves, parse
from agentops.confirmations.rendering.phrases import phrase
from agentops.confirmations.rendering.pieces import pieces
from agentops.confirmations.rendering.types import ODD, Difference, Leaf, View, Warning, visible
from agentops.confirmations.types import Tier, ToolFacts

VERSION = 1
_HEADLINES_MOST = 4_096
_headlines: dict[tuple[bytes, ToolFacts], str] = {}
_KIND_WORDS = {
    "invisible": "characters that cannot be seen",
    "bidirectional": "characters that turn the direction of reading around",
    "confusable": "letters that look like others",
    "mixed_script": "words of letters from several scripts",
    "padding": "blanks at an end or in long runs, which can push text out of sight",
}


def render(*, binding: bytes, facts: ToolFacts, raised_because: Sequence[str], current: str) -> View:
    """Everything that a page says of an action. `binding` is B of CONFIRMATIONS.md; `current` is JSON, or empty."""
    bound: dict[str, Any] = parse(binding)
    arguments = bound["arguments"]
    shown, now = leaves(arguments, facts), leaves(parse(current)) if current else ()
    return View(
        version=VERSION,
        tier=bound["tier"],
        headline_pieces=sentences.headline(bound["tool"], arguments, facts, shown),
        agent=bound["agent"],
        agent_version=bound["agent_version"],
        acting_user=pieces(bound["acting_user"]),
        tool=bound["tool"],
        tool_version=bound["tool_version"],
        resource=pieces(bound.get("resource") or ""),
        resource_version=pieces(bound.get("resource_version") or ""),
        description=pieces(facts.description),
        effect=sentences.effect(facts),
        reversal=sentences.reversal(facts),
        reversible_seconds=facts.reversible_seconds,
        recipe=pieces(facts.recipe),
        raised_because=tuple(pieces(reason) for reason in raised_because),
        warnings=tuple(_warnings(shown)),
        leaves=shown,
        differences=_differences(shown, now),
        current=now,
        phrase=phrase(bound["tool"], arguments, facts) if bound["tier"] == Tier.FULL_DISCLOSURE else "",
    )


def headline(*, binding: bytes, facts: ToolFacts) -> str:
    """The first line alone, for lists. It depends on nothing else, so a process works it out once for the same bytes."""
    key = (hashlib.sha256(binding).digest(), facts)  # the payload itself is not kept
    if key not in _headlines:
        if len(_headlines) >= _HEADLINES_MOST:
            _headlines.clear()
        bound: dict[str, Any] = parse(binding)
        arguments = bound["arguments"]
        _headlines[key] = visible(sentences.headline(bound["tool"], arguments, facts, leaves(arguments, facts)))
    return _headlines[key]


def _warnings(shown: Sequence[Leaf]) -> list[Warning]:
    """One for each value, and one for each name, in which there is something odd; in the order of the payload."""
    found: list[Warning] = []
    for leaf in shown:
        for where, text in (("", leaf.value), ("the name of ", [piece for name in leaf.path for piece in name])):
            kinds = dict.fromkeys(piece.kind for piece in text if piece.kind in ODD)
            if kinds:
                words = "; ".join(_KIND_WORDS[kind] for kind in kinds)
                found.append(Warning(leaf.pointer, leaf.label, f"In {where}{leaf.label} there are {words}."))
    return found


def _differences(shown: Sequence[Leaf], now: Sequence[Leaf]) -> tuple[Difference, ...]:
    """The values that the resource has too; none where it is told in other words altogether."""
    before = {leaf.pointer: leaf for leaf in now if leaf.pointer}
    if not any(leaf.pointer in before for leaf in shown):
        return ()
    return tuple(_difference(leaf, before.get(leaf.pointer)) for leaf in shown)


def _difference(leaf: Leaf, before: Leaf | None) -> Difference:
    if before is None:
        return Difference(pointer=leaf.pointer, path=leaf.path, kind="new", before=(), after=leaf.value)
    is_same = (before.kind, before.raw) == (leaf.kind, leaf.raw)
    kind = "same" if is_same else "changed"
    return Difference(pointer=leaf.pointer, path=leaf.path, kind=kind, before=before.value, after=leaf.value)
