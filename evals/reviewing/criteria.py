"""A rubric's criteria as a person labels by them: for each the values there are, in order, with the score each stands for."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    title: str
    score: float  # 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    key: str
    title: str
    instructions: str
    choices: tuple[Choice, ...]

    def score_of(self, value: str) -> float | None:
        """None for a value that is not on the scale."""
        return next((choice.score for choice in self.choices if choice.value == value), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rubric:
    """One version of a rubric."""

    version: uuid.UUID
    name: str
    number: int
    criteria: tuple[Criterion, ...]

    def criterion(self, key: str) -> Criterion | None:
        return next((each for each in self.criteria if each.key == key), None)


def criteria_of(content: str) -> tuple[Criterion, ...]:
    """The criteria of a rubric version's text."""
    return tuple(
        Criterion(
            key=str(each["key"]),
            title=str(each.get("title") or each["key"]),
            instructions=str(each.get("instructions") or ""),
            choices=_choices(each.get("scale") or {"kind": "pass_fail"}),
        )
        for each in _listed(json.loads(content))
    )


def _listed(content: Any) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = content["criteria"] if isinstance(content, Mapping) else content
    return found


def _choices(scale: Mapping[str, Any]) -> tuple[Choice, ...]:
    match scale["kind"]:
        case "levels":
            return tuple(
                Choice(str(level["value"]), str(level.get("title") or level["value"]), float(level["score"]))
                for level in scale["levels"]
            )
        case "number":
            least, most = int(scale["least"]), int(scale["most"])
            return tuple(Choice(str(n), str(n), (n - least) / (most - least)) for n in range(least, most + 1))
        case _:
            return (Choice("pass", "Pass", 1.0), Choice("fail", "Fail", 0.0))
