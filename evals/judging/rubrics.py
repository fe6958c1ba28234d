"""What a rubric says: criteria with scales, instructions, weights and examples, and from when on a run passes. Validated strictly."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agentops.common.errors import InputProblem, InvalidInput
from agentops.common.strictjson import canonical

CRITERIA_MOST, LEVELS_MOST, EXAMPLES_MOST = 20, 10, 10
BYTES_MOST = 65_536
_TEXT_MOST = 4_000
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
_KEY_WORDS = "small letters, digits and underscores, at most 40, a letter first"
PASS, FAIL = "pass", "fail"


@dataclass(frozen=True, slots=True)
class Level:
    value: str
    title: str
    score: float  # 0 to 1


@dataclass(frozen=True, slots=True)
class Example:
    input: str
    output: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing to look at. `levels` are all values of its scale, also of pass/fail and of numbers, the worst first."""

    key: str
    title: str
    instructions: str
    kind: str  # pass_fail | levels | number
    levels: tuple[Level, ...]
    weight: float
    examples: tuple[Example, ...]

    def score_of(self, value: str) -> float | None:
        """None for what is not on the scale."""
        return next((level.score for level in self.levels if level.value == value), None)


@dataclass(frozen=True, slots=True)
class Content:
    criteria: tuple[Criterion, ...]
    pass_at: float

    def criterion(self, key: str) -> Criterion | None:
        return next((criterion for criterion in self.criteria if criterion.key == key), None)

    def over_all(self, scores: Mapping[str, float]) -> float:
        """The weighted mean of all criteria, each of which has its score."""
        weight = sum(criterion.weight for criterion in self.criteria)
        return sum(criterion.weight * scores[criterion.key] for criterion in self.criteria) / weight


def parse(raw: Any) -> Content:
    """A rubric's content. Raises InvalidInput with a pointer to each thing that is wrong, and what would be accepted."""
    reader = _Reader()
    content = reader.content(raw)
    if reader.problems or content is None:
        raise InvalidInput("the rubric cannot be taken as it is", problems=tuple(reader.problems[:20]))
    if len(canonical(as_json(content))) > BYTES_MOST:
        problem = InputProblem("", "too_large", f"at most {BYTES_MOST} bytes are taken in all")
        raise InvalidInput("the rubric is too long", problems=(problem,))
    return content


def as_json(content: Content) -> dict[str, Any]:
    """The form that is stored and shown; `parse` takes it back."""
    return {"criteria": [_criterion_json(one) for one in content.criteria], "pass_at": content.pass_at}


def digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _criterion_json(one: Criterion) -> dict[str, Any]:
    scale: dict[str, Any] = {"kind": one.kind}
    if one.kind == "levels":
        scale["levels"] = [{"value": each.value, "title": each.title, "score": each.score} for each in one.levels]
    elif one.kind == "number":
        scale |= {"least": int(one.levels[0].value), "most": int(one.levels[-1].value)}
    examples = [
        {"input": each.input, "output": each.output, "value": each.value, "reason": each.reason}
        for each in one.examples
    ]
    return {
        "key": one.key,
        "title": one.title,
        "instructions": one.instructions,
        "scale": scale,
        "weight": one.weight,
        "examples": examples,
    }


class _Reader:
    """Reads a rubric and collects everything that is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[InputProblem] = []

    def problem(self, pointer: str, detail: str) -> None:
        self.problems.append(InputProblem(pointer, "invalid", detail))

    def content(self, raw: Any) -> Content | None:
        found = self.object(raw, "", {"criteria", "pass_at"})
        criteria = self.list(found.get("criteria"), "/criteria", 1, CRITERIA_MOST, self.criterion)
        keys = [one.key for one in criteria]
        for place, key in enumerate(keys):
            if key and key in keys[:place]:
                self.problem(f"/criteria/{place}/key", "each criterion has a key of its own; this one is there already")
        pass_at = self.number(found.get("pass_at", 0.5), "/pass_at", 0, 1)
        return Content(tuple(criteria), pass_at)

    def criterion(self, raw: Any, at: str) -> Criterion:
        found = self.object(raw, at, {"key", "title", "instructions", "scale", "weight", "examples"})
        key = self.text(found.get("key"), f"{at}/key", 40)
        if key and not _KEY.fullmatch(key):
            self.problem(f"{at}/key", _KEY_WORDS)
        kind, levels = self.scale(found.get("scale"), f"{at}/scale")
        weight = self.number(found.get("weight", 1), f"{at}/weight", 0, 100)
        if weight == 0:
            self.problem(f"{at}/weight", "a number above 0 and up to 100; leave out what does not count")
        values = {level.value for level in levels}
        examples = self.list(
            found.get("examples", []), f"{at}/examples", 0, EXAMPLES_MOST, lambda one, place: self.example(one, place, values)
        )  # fmt: skip
        return Criterion(
            key=key,
            title=self.text(found.get("title"), f"{at}/title", 120),
            instructions=self.text(found.get("instructions"), f"{at}/instructions", _TEXT_MOST),
            kind=kind,
            levels=levels,
            weight=weight,
            examples=tuple(examples),
        )

    def scale(self, raw: Any, at: str) -> tuple[str, tuple[Level, ...]]:
        found = self.object(raw, at, {"kind", "levels", "least", "most"})
        match found.get("kind"):
            case "pass_fail":
                self.only(found, at, {"kind"})
                return "pass_fail", (Level(FAIL, "Fail", 0.0), Level(PASS, "Pass", 1.0))
            case "levels":
                self.only(found, at, {"kind", "levels"})
                levels = self.list(found.get("levels"), f"{at}/levels", 2, LEVELS_MOST, self.level)
                values = [level.value for level in levels]
                for place, value in enumerate(values):
                    if value and value in values[:place]:
                        self.problem(f"{at}/levels/{place}/value", "each level has a value of its own")
                return "levels", tuple(sorted(levels, key=lambda level: level.score))
            case "number":
                self.only(found, at, {"kind", "least", "most"})
                least = self.whole(found.get("least"), f"{at}/least")
                most = self.whole(found.get("most"), f"{at}/most")
                if not 1 <= most - least <= 10:
                    self.problem(f"{at}/most", "a whole number above least, by at most 10")
                    return "number", ()
                steps = range(least, most + 1)
                return "number", tuple(Level(str(n), str(n), round((n - least) / (most - least), 6)) for n in steps)
        self.problem(f"{at}/kind", "one of pass_fail, levels, number")
        return "", ()

    def level(self, raw: Any, at: str) -> Level:
        found = self.object(raw, at, {"value", "title", "score"})
        return Level(
            value=self.text(found.get("value"), f"{at}/value", 60),
            title=self.text(found.get("title", found.get("value")), f"{at}/title", 120),
            score=self.number(found.get("score"), f"{at}/score", 0, 1),
        )

    def example(self, raw: Any, at: str, values: set[str]) -> Example:
        found = self.object(raw, at, {"input", "output", "value", "reason"})
        value = found.get("value")
        value = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        value = self.text(value, f"{at}/value", 60)
        if value and values and value not in values:
            self.problem(f"{at}/value", f"one of {', '.join(sorted(values))}")
        return Example(
            input=self.text(found.get("input"), f"{at}/input", _TEXT_MOST),
            output=self.text(found.get("output"), f"{at}/output", _TEXT_MOST),
            value=value,
            reason=self.text(found.get("reason"), f"{at}/reason", _TEXT_MOST),
        )

    def object(self, raw: Any, at: str, known: set[str]) -> dict[str, Any]:
        if not isinstance(raw, dict):
            self.problem(at, f"an object with {', '.join(sorted(known))}")
            return {}
        self.only(raw, at, known)
        return raw

    def only(self, found: dict[str, Any], at: str, known: set[str]) -> None:
        for key in found:
            if key not in known:
                self.problem(f"{at}/{str(key)[:60]}", f"there is no such field; known are {', '.join(sorted(known))}")

    def list(self, raw: Any, at: str, least: int, most: int, read: Callable[[Any, str], Any]) -> list[Any]:
        if not isinstance(raw, list) or not least <= len(raw) <= most:
            self.problem(at, f"a list of {least} to {most}")
            return []
        return [read(one, f"{at}/{place}") for place, one in enumerate(raw)]

    def text(self, raw: Any, at: str, most: int) -> str:
        if not isinstance(raw, str) or not raw.strip() or len(raw) > most or "\x00" in raw:
            self.problem(at, f"a text of 1 to {most} characters")
            return ""
        return raw.strip()

    def number(self, raw: Any, at: str, least: float, most: float) -> float:
        if isinstance(raw, bool) or not isinstance(raw, int | float) or not least <= raw <= most:
            self.problem(at, f"a number from {least} to {most}")
            return least
        return float(raw)

    def whole(self, raw: Any, at: str) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int) or not -1000 <= raw <= 1000:
            self.problem(at, "a whole number from -1000 to 1000")
            return 0
        return int(raw)
