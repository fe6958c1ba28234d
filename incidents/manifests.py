"""The manifest of evidence: what was kept, each item with its digest, and one digest over all (RFC 8785 JSON, SHA-256)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from agentops.common.strictjson import canonical_checked

FORMAT = "agentops-evidence/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of evidence without its bytes; `about` is the organisation it is of, None for our own."""

    about: uuid.UUID | None
    kind: str
    source: str
    sha256: str
    size: int

    def as_json(self) -> dict[str, Any]:
        about = self.about.hex if self.about else ""
        return {"about": about, "kind": self.kind, "source": self.source, "sha256": self.sha256, "bytes": self.size}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`missing` are runs that were deleted before they could be kept."""

    incident: str
    snapshot: int
    runs: Sequence[tuple[uuid.UUID, uuid.UUID]]
    missing: Sequence[tuple[uuid.UUID, uuid.UUID]]
    items: Sequence[Item]

    @property
    def size(self) -> int:
        return sum(item.size for item in self.items)

    @property
    def text(self) -> bytes:
        return canonical_checked(
            {
                "format": FORMAT,
                "incident": self.incident,
                "snapshot": self.snapshot,
                "runs": _run_lines(self.runs),
                "missing": _run_lines(self.missing),
                "items": [item.as_json() for item in sorted(self.items, key=_order)],
            }
        )

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text).hexdigest()

    def of(self, about: uuid.UUID) -> Manifest:
        """The part of one organisation: what its own log commits to."""
        return Manifest(
            incident=self.incident,
            snapshot=self.snapshot,
            runs=[run for run in self.runs if run[0] == about],
            missing=[run for run in self.missing if run[0] == about],
            items=[item for item in self.items if item.about == about],
        )

    @property
    def organisations(self) -> list[uuid.UUID]:
        """Whose runs or other rows were kept."""
        found = {item.about for item in self.items if item.about} | {about for about, _ in (*self.runs, *self.missing)}
        return sorted(found)


def _order(item: Item) -> tuple[str, str, str]:
    return (item.about.hex if item.about else "", item.kind, item.source)


def _run_lines(runs: Iterable[tuple[uuid.UUID, uuid.UUID]]) -> list[str]:
    return sorted(f"{about.hex}/{run.hex}" for about, run in runs)
