"""What somebody new on call reads first: little, of every kind of cause, the worst and what came back. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from incidents.types import CauseKind, Severity

MOST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A published postmortem. `recurred` are its action items that did not hold."""

    key: str
    severity: int
    cause: str
    recurred: int
    declared_at: datetime


def chosen(found: Iterable[Candidate], *, most: int = MOST) -> list[tuple[str, str]]:
    """Keys with the reason: what came back, the newest SEV-1, then the worst and newest of each kind of cause."""
    newest = sorted(found, key=lambda one: (one.declared_at, one.key), reverse=True)
    reasons: dict[str, str] = {}
    for one in newest:
        if one.recurred:
            reasons.setdefault(one.key, "Its cause came back: what was done did not hold.")
    for one in newest:
        if one.severity == Severity.SEV1:
            reasons.setdefault(one.key, "The newest SEV-1.")
            break
    seen = {one.cause for one in newest if one.key in reasons}
    for one in sorted(newest, key=lambda each: each.severity):  # stable: the newest of each severity first
        if one.cause and one.cause not in seen:
            seen.add(one.cause)
            reasons.setdefault(one.key, f"An example of its kind of cause: {CauseKind(one.cause).label.lower()}.")
    return list(reasons.items())[:most]
