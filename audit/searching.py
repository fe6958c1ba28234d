"""What a search of the audit log asks: parsed once, for the page, the API, exports and the command line alike."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from agentops.common import clock
from agentops.common.errors import InputProblem, InvalidInput
from agentops.common.ids import trace_uuid
from agentops.common.paging import moment
from audit.registry import ACTIONS
from audit.types import SENSITIVE, Category, Outcome

NAMES = (
    "q", "category", "action", "outcome", "actor", "person", "target_type", "target_id", "run", "sensitive", "actor_type",
    "from", "to",
)  # fmt: skip
PAGING = frozenset({"cursor", "limit"})
TEXT_LENGTH = 200
CATEGORY_NAMES = {one.name.lower(): one for one in Category}
OUTCOME_NAMES = {one.name.lower(): one for one in Outcome}
ACTOR_TYPES = ("user", "agent", "service", "staff", "system")
# What is looked for most has an index of its own (models/entry.py); the planner must see the same words to use it.
IS_SENSITIVE = (
    f"(category IN ({', '.join(str(int(one)) for one in SENSITIVE)}) OR NOT (outcome = {int(Outcome.SUCCESS)}))"
)
# Free text is looked for where there are names, never in `data`.
_TEXT = (
    "strpos(lower(actor_label || ' ' || actor_id || ' ' || on_behalf_of_id || ' ' || target_type || ' ' || target_id "
    "|| ' ' || action || ' ' || reason), lower(%s)) > 0"
)


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters over entries. Times are of when an entry was recorded, `since` included and `until` not.

    `action` is a whole name (`approval.confirmed`) or the beginning of names up to a dot (`approval.`). `person` is whom
    an agent acted for. `is_sensitive` keeps agreements, what people changed, and what did not succeed.
    """

    since: datetime | None = None
    until: datetime | None = None
    category: Category | None = None
    action: str = ""
    outcome: Outcome | None = None
    actor: str = ""
    actor_type: str = ""
    person: str = ""
    target_type: str = ""
    target_id: str = ""
    run: uuid.UUID | None = None
    is_sensitive: bool = False
    text: str = ""
    given: tuple[tuple[str, str], ...] = field(default=(), compare=False)  # as typed, for the form and the URL

    @classmethod
    def parse(
        cls, params: Mapping[str, str], *, at: datetime | None = None, ignore: frozenset[str] = PAGING
    ) -> Filters:
        """Filters from query parameters. Raises InvalidInput that names every wrong one and what it would accept.

        `from` and `to` take RFC 3339 times, days (2026-11-23; `to` then includes the day), or 1h, 24h, 7d, 30d ago.
        """
        accepted = f"is no filter; there are {', '.join(NAMES)}"
        unknown = [name for name in params if name not in NAMES and name not in ignore]
        problems = [InputProblem(f"/{name}", "unknown_filter", accepted) for name in unknown]
        given = tuple((name, params[name].strip()) for name in NAMES if params.get(name, "").strip())
        values = dict(given)
        now = at or clock.now()
        filters = cls(
            since=_moment("from", values, now, problems),
            until=_moment("to", values, now, problems),
            category=_choice("category", values, CATEGORY_NAMES, problems),
            action=_action(values, problems),
            outcome=_choice("outcome", values, OUTCOME_NAMES, problems),
            actor=_text("actor", values, problems),
            actor_type=_choice("actor_type", values, {name: name for name in ACTOR_TYPES}, problems) or "",
            person=_text("person", values, problems),
            target_type=_text("target_type", values, problems),
            target_id=_text("target_id", values, problems),
            run=_run(values, problems),
            is_sensitive=_choice("sensitive", values, {"1": True}, problems) or False,
            text=_text("q", values, problems),
            given=given,
        )
        if problems:
            raise InvalidInput("some of the filters are not valid", problems=tuple(problems))
        return filters

    @classmethod
    def from_json(cls, kept: Mapping[str, str]) -> Filters:
        """Filters as `as_json` gave them. Raises InvalidInput."""
        return cls.parse(kept)

    def as_json(self) -> dict[str, str]:
        """The same search for keeping: its times do not move any more."""
        kept = {name: value for name, value in self.given if name not in ("from", "to")}
        if self.since is not None:
            kept["from"] = clock.rfc3339(self.since)
        if self.until is not None:
            kept["to"] = clock.rfc3339(self.until)
        return kept

    @property
    def query_string(self) -> str:
        return urlencode(self.given)

    def without(self, *names: str) -> str:
        """The query string with filters taken out: the address behind a chip's cross."""
        return urlencode([(name, value) for name, value in self.given if name not in names])

    @property
    def is_time_range(self) -> bool:
        """Does it ask for nothing but a time? Then what it finds is a whole range, and nothing in it is missing."""
        return all(name in ("from", "to") for name, _ in self.given)

    @property
    def actions(self) -> tuple[str, ...]:
        """The names that `action` and `category` leave, of all there are; empty where neither is asked for."""
        if not self.action and self.category is None:
            return ()
        return tuple(
            name
            for name, action in ACTIONS.items()
            if _is_called(name, self.action) and self.category in (None, action.category)
        )

    def where(self) -> tuple[str, list[Any]]:
        """Conditions over the columns of `audit_entry` and their parameters, the tenant's not among them; "true" for all."""
        found = [*self.times(), *(condition for conditions in self.conditions().values() for condition in conditions)]
        return " AND ".join(sql for sql, _ in found) or "true", [value for _, values in found for value in values]

    def times(self) -> list[tuple[str, list[Any]]]:
        """The conditions of the time alone."""
        found: list[tuple[str, list[Any]]] = []
        if self.since is not None:
            found.append(("recorded_at >= %s", [self.since]))
        if self.until is not None:
            found.append(("recorded_at < %s", [self.until]))
        return found

    def conditions(self) -> dict[str, list[tuple[str, list[Any]]]]:
        """The other conditions, by the name of the filter that they come from."""
        found: dict[str, list[tuple[str, list[Any]]]] = {}
        for name, column, value in (
            ("run", "run_id", self.run),
            ("actor", "actor_id", self.actor),
            ("person", "on_behalf_of_id", self.person),
            ("outcome", "outcome", self.outcome),
            ("actor_type", "actor_type", self.actor_type),
        ):
            if value:
                found[name] = [(f"{column} = %s", [value])]
        if self.target_type:
            found["target"] = [("target_type = %s", [self.target_type])]
        if self.target_id:
            found.setdefault("target", []).append(("target_id = %s", [self.target_id]))
        if self.action or self.category is not None:
            found["action"] = [("action = ANY(%s)", [list(self.actions)])]
        if self.is_sensitive:
            found["sensitive"] = [(IS_SENSITIVE, [])]
        if self.text:
            found["q"] = [(_TEXT, [self.text])]
        return found


def _is_called(name: str, asked: str) -> bool:
    return not asked or name == asked or (asked.endswith(".") and name.startswith(asked))


def _moment(name: str, values: Mapping[str, str], now: datetime, problems: list[InputProblem]) -> datetime | None:
    text = values.get(name, "")
    try:
        day = datetime.combine(date.fromisoformat(text), datetime.min.time(), tzinfo=UTC) if len(text) == 10 else None
        if day is not None:
            return day + timedelta(days=1) if name == "to" else day
    except (ValueError, OverflowError):
        pass
    return moment(name, text, now, problems)


def _choice(name: str, values: Mapping[str, str], choices: Mapping[str, Any], problems: list[InputProblem]) -> Any:
    text = values.get(name, "")
    if text and text not in choices:
        problems.append(InputProblem(f"/{name}", "invalid", f"is one of {', '.join(choices)}"))
    return choices.get(text)


def _text(name: str, values: Mapping[str, str], problems: list[InputProblem]) -> str:
    text = values.get(name, "")
    if len(text) > TEXT_LENGTH or "\x00" in text:
        problems.append(InputProblem(f"/{name}", "invalid", f"is at most {TEXT_LENGTH} characters without NUL"))
        return ""
    return text


def _action(values: Mapping[str, str], problems: list[InputProblem]) -> str:
    text = values.get("action", "").removesuffix("*")
    if text and not any(_is_called(name, text) for name in ACTIONS):
        accepted = "is the name of an action such as approval.confirmed, or the beginning of names such as approval."
        problems.append(InputProblem("/action", "invalid", accepted))
        return ""
    return text


def _run(values: Mapping[str, str], problems: list[InputProblem]) -> uuid.UUID | None:
    text = values.get("run", "")
    if not text:
        return None
    try:
        return trace_uuid(text.replace("-", "").lower())
    except ValueError:
        problems.append(InputProblem("/run", "invalid", "is a run id of 32 hex digits"))
        return None
