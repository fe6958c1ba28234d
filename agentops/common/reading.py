"""Reads the members of a small JSON body, and tells all that is wrong with it at once.

Serializers cost more than a decision of the guard may; this is a handful of type checks with pointers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agentops.common.errors import InputProblem, InvalidInput

NAME_LIMIT = 200


class Reading:
    """The members of one JSON object. Read them all, then call `done`."""

    def __init__(self, body: Any, *, pointer: str = "") -> None:
        self.problems: list[InputProblem] = []
        self._pointer = pointer
        self._body: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
        self._read: set[str] = set()
        if not isinstance(body, Mapping):
            self.problem("", "type", "a JSON object is expected")

    def text(self, name: str, *, required: bool = False, most: int = NAME_LIMIT) -> str:
        """A string without NUL, at most `most` characters; "" where absent or null."""
        value = self._take(name)
        if value is None:
            if required:
                self.problem(name, "required", "this is required")
            return ""
        if not isinstance(value, str):
            self.problem(
                name, "type", "a string is expected" + (", in quotes" if isinstance(value, int | float) else "")
            )
        elif "\0" in value:
            self.problem(name, "nul", "no NUL character may be in it")
        elif len(value) > most:
            self.problem(name, "too_long", f"at most {most} characters are taken")
        elif required and not value.strip():
            self.problem(name, "required", "this may not be empty")
        else:
            return value
        return ""

    def choice(self, name: str, choices: Sequence[str], *, required: bool = True) -> str:
        """One of the choices."""
        value = self._take(name)
        if value is None and not required:
            return ""
        if not isinstance(value, str) or value not in choices:
            self.problem(name, "choice", f"one of {', '.join(choices)} is expected")
            return ""
        return value

    def integer(self, name: str, *, least: int = 0, most: int, required: bool = False) -> int | None:
        """A whole number (true and 1.5 are none) within bounds; None where absent."""
        value = self._take(name)
        if value is None:
            if required:
                self.problem(name, "required", "this is required")
            return None
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self.problem(name, "range", f"a whole number from {least} to {most} is expected")
        return None

    def flag(self, name: str) -> bool:
        """true or false; false where absent."""
        value = self._take(name)
        if value is None:
            return False
        if not isinstance(value, bool):
            self.problem(name, "type", "true or false is expected")
            return False
        return value

    def anything(self, name: str, *, required: bool = False) -> Any:
        """Whatever JSON is there."""
        if required and name not in self._body:
            self.problem(name, "required", "this is required")
        return self._take(name)

    def mapping(self, name: str) -> Mapping[str, Any]:
        """A JSON object; empty where absent."""
        value = self._take(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.problem(name, "type", "a JSON object is expected")
            return {}
        return value

    def problem(self, name: str, code: str, detail: str) -> None:
        self.problems.append(InputProblem(self.at(name), code, detail))

    def at(self, name: str) -> str:
        """The pointer to a member."""
        return f"{self._pointer}/{name}" if name else self._pointer

    def all_problems(self) -> list[InputProblem]:
        """Everything that is wrong, members nobody asked for included: for a reading inside another. Call it last."""
        for name in self._body:
            if name not in self._read:
                taken = ", ".join(sorted(self._read))
                self.problem(_escape(str(name)[:100]), "unknown", f"there is no such member; these are taken: {taken}")
        return self.problems

    def done(self) -> None:
        """Raises InvalidInput with everything that is wrong, members nobody asked for included."""
        if self.all_problems():
            raise InvalidInput("some of the input is not valid", problems=tuple(self.problems))

    def _take(self, name: str) -> Any:
        self._read.add(name)
        return self._body.get(name)


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
