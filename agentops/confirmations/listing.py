"""The filters of the list of approvals, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from agentops.common.errors import InputProblem, InvalidInput
from agentops.confirmations.types import State, Tier

LABELS = {"state": "State", "tier": "Tier", "agent": "Agent", "tool": "Tool", "person": "Person"}
_STATES = {
    "open": ("Waiting", (State.PENDING, State.HALF)),
    "cooling": ("In its delay", (State.COOLING,)),
    "approved": ("Approved", (State.APPROVED, State.EXECUTING)),
    "executed": ("Done", (State.EXECUTED,)),
    "failed": ("Failed", (State.FAILED,)),
    "outcome_unknown": ("Outcome unknown", (State.OUTCOME_UNKNOWN,)),
    "refused": ("Refused", (State.REFUSED,)),
    "cancelled": ("Stopped", (State.CANCELLED,)),
    "expired": ("Expired", (State.EXPIRED,)),
    "invalidated": ("Lapsed", (State.INVALIDATED,)),
    "edited": ("Changed", (State.EDITED,)),
}
_TIERS = [(str(tier), f"Tier {tier}") for tier in Tier.values]


@dataclass(frozen=True, slots=True)
class Filter:
    """One field of the filter bar; with options it is a choice."""

    name: str
    label: str
    value: str
    options: list[tuple[str, str]] | None


def filters(given: Mapping[str, str]) -> list[Filter]:
    """Every filter with what is in force, in the order of the bar."""
    options = {"state": [(name, word) for name, (word, _) in _STATES.items()], "tier": _TIERS}
    return [Filter(name, label, given.get(name, ""), options.get(name)) for name, label in LABELS.items()]


def parse(given: Mapping[str, str]) -> dict[str, Any]:
    """What `queries.history` takes. Raises InvalidInput."""
    problems = []
    if (state := given.get("state")) and state not in _STATES:
        problems.append(InputProblem("/state", "invalid", f"is one of {', '.join(_STATES)}"))
    if (tier := given.get("tier")) and tier not in dict(_TIERS):
        problems.append(InputProblem("/tier", "invalid", "is 2, 3 or 4"))
    if problems:
        raise InvalidInput("some of the filters are not valid", problems=tuple(problems))
    return {
        "states": _STATES[state][1] if state else (),
        "tier": int(tier) if tier else None,
        "agent": given.get("agent", ""),
        "tool": given.get("tool", ""),
        "about": given.get("person", ""),
    }


def chips(given: Mapping[str, str], action: str) -> list[dict[str, str]]:
    """The filters in force, each with the address that takes it away."""
    return [
        {
            "label": LABELS[name],
            "value": _STATES[value][0] if name == "state" else value,
            "remove_url": f"{action}?{urlencode([(key, other) for key, other in given.items() if key != name])}",
        }
        for name, value in given.items()
    ]


def problem_words(problems: Iterable[InputProblem]) -> list[tuple[str, str]]:
    """What is wrong with a search: the filter's label, and what it accepts."""
    return [(LABELS[problem.pointer[1:]], problem.detail) for problem in problems]
