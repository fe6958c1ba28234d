"""The filters of the list of decisions, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from agentops.common.errors import InputProblem
from agentops.runtime.types import Answer

LABELS = {
    "agent": "Agent",
    "decision": "Decision",
    "from": "Since",
    "tool": "Tool",
    "user": "User",
    "code": "Code",
    "run_id": "Run",
    "to": "Until",
}
ANSWER_WORDS = {
    Answer.ALLOW: "Allowed",
    Answer.REJECT: "Refused",
    Answer.CONFIRM: "Asks a person",
    Answer.THROTTLE: "Told to wait",
    Answer.ABORT: "Stopped the run",
}
_HINTS = {"code": "rule_violated", "to": "2026-11-23T09:30Z or 1h", "run_id": "32 hex digits"}
_TIMES = {"1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days"}
_AGO = {"1h": "1 hour ago", "24h": "24 hours ago", "7d": "7 days ago", "30d": "30 days ago"}
FIRST = ("agent", "decision", "from")  # always on screen; the others unfold


@dataclass(frozen=True, slots=True)
class Filter:
    """One field of the filter bar; with options it is a choice."""

    name: str
    label: str
    value: str
    options: list[tuple[str, str]] | None
    hint: str


def filters(given: Mapping[str, str]) -> list[Filter]:
    """Every filter with what is in force, in the order of the bar."""
    times = list(_TIMES.items())
    if given.get("from") and given["from"] not in _TIMES:
        times.append((given["from"], given["from"]))
    options = {"decision": [(str(answer), word) for answer, word in ANSWER_WORDS.items()], "from": times}
    return [
        Filter(name, label, given.get(name, ""), options.get(name), _HINTS.get(name, ""))
        for name, label in LABELS.items()
    ]


def chips(given: Mapping[str, str], action: str) -> list[dict[str, str]]:
    """The filters in force, each with the address that takes it away."""
    return [
        {
            "label": LABELS[name],
            "value": _shown(name, value),
            "remove_url": f"{action}?{urlencode([(key, other) for key, other in given.items() if key != name])}",
        }
        for name, value in given.items()
    ]


def problem_words(problems: Iterable[InputProblem]) -> list[tuple[str, str]]:
    """What is wrong with a search: the filter's label, and what it accepts."""
    return [(LABELS.get(problem.pointer[1:], problem.pointer[1:]), problem.detail) for problem in problems]


def _shown(name: str, value: str) -> str:
    match name:
        case "from":
            return _TIMES.get(value, value)
        case "to":
            return _AGO.get(value, value)
        case "decision":
            return dict(ANSWER_WORDS)[Answer(value)] if value in list(Answer) else value
        case _:
            return value
