"""What a detector is given besides its rows, and what it answers."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from incidents.detecting.rulebook import RuleBook, Setting
from incidents.detecting.seen import Seen
from incidents.types import AlertClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """`since` to `at` is the stretch that is looked at; `known` is what the look before kept (DetectorMark.known)."""

    since: datetime
    at: datetime
    book: RuleBook = field(default_factory=RuleBook)
    names: Mapping[uuid.UUID, str] = field(default_factory=dict)
    known: Mapping[str, Any] = field(default_factory=dict)

    def setting(self, alert_class: AlertClass, tenant: uuid.UUID | None = None, agent: str = "") -> Setting:
        return self.book.setting(alert_class, tenant, agent)

    def of(self, tenant: uuid.UUID) -> str:
        """An organisation's name."""
        return self.names.get(tenant, "an organisation")

    def who(self, agent: str, tenant: uuid.UUID, *, begins: bool = False) -> str:
        """An agent, inside a sentence or at its beginning."""
        unnamed = "An unnamed agent" if begins else "an unnamed agent"
        return f"{agent[:80] or unnamed} of {self.of(tenant)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """`seen` is news; `still` are the fingerprints of what goes on without news; `known` is kept for the next look."""

    seen: list[Seen] = field(default_factory=list)
    still: set[str] = field(default_factory=set)
    known: dict[str, Any] = field(default_factory=dict)
