"""From entries to what a page shows of them: lines under their days, filters and chips in words."""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

from agentops.common.errors import InputProblem
from audit import sentences
from audit.queries import Listed
from audit.registry import ACTIONS
from audit.searching import ACTOR_TYPES, CATEGORY_NAMES, OUTCOME_NAMES, Filters
from audit.sentences import Piece, Tellable, plain, value_words, words_of
from audit.types import Outcome

LABELS = {
    "q": "Text", "from": "From", "to": "To", "category": "Kind", "outcome": "Outcome", "action": "Action",
    "actor": "Who", "actor_type": "Who is", "person": "On behalf of", "target_type": "Kind of record",
    "target_id": "Record", "run": "Run", "sensitive": "Only",
}  # fmt: skip
SENSITIVE_WORDS = "agreements, changes, failures"
_ACTOR_TYPES = {
    "user": "a member", "agent": "an agent", "service": "an API key", "staff": "staff of agentops", "system": "agentops itself",
}  # fmt: skip
_HINTS = {
    "q": "A name, a record, an action",
    "action": "approval.confirmed, or approval.",
    "actor": "agent:refund-desk",
    "person": "The user's id",
    "target_type": "tool, confirmation …",
    "target_id": "The id of what was acted on",
    "run": "32 hex digits",
}
# What auditors ask first, each a search.
QUESTIONS = (
    ("Who agreed to or refused what", "category=approval"),
    ("What people changed", "category=admin"),
    ("What failed or was refused", "sensitive=1&category=agent"),
    ("What staff of agentops looked at", "action=staff.read"),
    ("Who was let in", "category=auth"),
    ("Kill switches", "action=kill_switch."),
    ("Alerts and incidents", "category=incident"),
    ("Exports, retention, erasures", "category=integrity"),
)


@dataclass(frozen=True)
class Line:
    """One entry as a row of a list."""

    entry: Listed

    @cached_property
    def pieces(self) -> list[Piece]:
        return sentences.pieces(self.entry)

    @property
    def outcome(self) -> str:
        return Outcome(self.entry.outcome).name.lower()

    @property
    def seal(self) -> str:
        return "pending" if self.entry.leaf is None else "sealed"

    @property
    def on_behalf_of(self) -> str:
        if "on_behalf_of_id" in sentences.erased(self.entry):
            return sentences.ERASED
        return plain(self.entry.on_behalf_of_id)

    @property
    def reason(self) -> str:
        return sentences.ERASED if "reason" in sentences.erased(self.entry) else plain(self.entry.reason)


@dataclass(frozen=True, slots=True)
class Day:
    """The entries of one day in UTC, the newest first."""

    day: date
    lines: Sequence[Line]


def by_day(entries: Iterable[Listed]) -> list[Day]:
    lines = [Line(entry) for entry in entries]
    return [Day(day, list(group)) for day, group in itertools.groupby(lines, key=lambda line: _day(line.entry))]


def _day(entry: Listed) -> date:
    return entry.recorded_at.astimezone(UTC).date()


# -- filters ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the filter bar; with options it is a choice."""

    name: str
    label: str
    value: str
    hint: str = ""
    options: Sequence[tuple[str, str]] = ()
    kind: str = "search"


def fields(given: Mapping[str, str], *, without: Collection[str] = ()) -> dict[str, list[Field]]:
    """The filter bar: what stands in its line, and what is behind "More filters"."""
    options: dict[str, Sequence[tuple[str, str]]] = {
        "category": [(name, one.label) for name, one in CATEGORY_NAMES.items()],
        "outcome": [(name, one.label) for name, one in OUTCOME_NAMES.items()],
        "actor_type": [(name, _ACTOR_TYPES[name].capitalize()) for name in ACTOR_TYPES],
        "sensitive": [("1", SENSITIVE_WORDS.capitalize())],
    }

    def field(name: str) -> Field:
        kind = "date" if name in ("from", "to") else "search"
        value = given.get(name, "")[:10] if kind == "date" else given.get(name, "")
        return Field(name, LABELS[name], value, _HINTS.get(name, ""), options.get(name, ()), kind)

    first = ("q", "category", "outcome", "from", "to")
    more = ("action", "actor", "person", "target_id", "target_type", "run", "actor_type", "sensitive")
    return {
        "first": [field(name) for name in first if name not in without],
        "more": [field(name) for name in more if name not in without],
    }


def chips(filters: Filters, action: str, *, fixed: Collection[str] = ()) -> list[dict[str, str]]:
    """The filters in force, each with the address that takes it away; not those that the page is about."""
    found = []
    for name, value in filters.given:
        if name not in fixed:
            rest = filters.without(name)
            url = f"{action}?{rest}" if rest else action
            found.append({"label": LABELS[name], "value": filter_words(name, value), "remove_url": url})
    return found


def filter_words(name: str, value: str) -> str:
    """The value of a filter in words."""
    if name == "category":
        return CATEGORY_NAMES[value].label.lower()
    if name == "outcome":
        return OUTCOME_NAMES[value].label.lower()
    if name == "sensitive":
        return SENSITIVE_WORDS
    if name == "actor_type":
        return _ACTOR_TYPES[value]
    if name in ("from", "to") and value in ("1h", "24h", "7d", "30d"):
        return f"{value} ago"
    return plain(value)


def problem_words(problems: Iterable[InputProblem]) -> list[tuple[str, str]]:
    """What is wrong with a search: the filter's label, and what it accepts."""
    return [(LABELS.get(problem.pointer[1:], problem.pointer[1:]), problem.detail) for problem in problems]


# -- one entry -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """One field of an entry's data."""

    name: str
    label: str
    value: str
    is_personal: bool
    is_erased: bool
    is_digest: bool
    text: str  # as it is recorded, for what is too long for a line


def told_fields(entry: Tellable, known: Mapping[str, Any]) -> list[Told]:
    """The fields of an entry in the order of its action's sentence, then by name."""
    gone, committed = sentences.erased(entry), json.loads(entry.commitments)
    action = ACTIONS.get(entry.action)
    sentence = action.sentence if action else ""
    names = {*known, *(name.removeprefix("data.") for name in committed if name.startswith("data."))}
    found = []
    for name in sorted(names, key=lambda name: (f"{{{name}}}" not in sentence, name)):
        value = known.get(name)
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
        found.append(
            Told(
                name=name,
                label=words_of(name).capitalize(),
                value=value_words(value, name, most=200) if value not in (None, "", [], {}) else "–",
                is_personal=f"data.{name}" in committed,
                is_erased=f"data.{name}" in gone,
                is_digest=name.endswith("digest") or name in ("permitted", "shown", "arguments"),
                text=text,
            )
        )
    return found


def outcome_name(outcome: int) -> str:
    return Outcome(outcome).name.lower()


def exact(moment: datetime) -> str:
    """To the microsecond, as it is hashed."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC"
