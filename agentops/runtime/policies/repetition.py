"""Detectors of an agent that goes round in circles. The history is a small JSON object on the root's row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SAME_TOOL, IDENTICAL, CYCLE, SAME_ERROR = 5, 3, 3, 3
_KEPT_CALLS = 200  # likenesses that are counted; an agent with wider caps forgets the oldest
_KEPT_ERRORS = 50
_REFUSED, _FAILED = "refused ", "failed "


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest numbers that are still taken as work."""

    same_tool: int = SAME_TOOL
    identical: int = IDENTICAL
    cycle: int = CYCLE
    same_error: int = SAME_ERROR


@dataclass(frozen=True, slots=True)
class Finding:
    """A detector that fired."""

    detector: str
    sentence: str
    hint: str


class History:
    """What a family of runs did so far: the last tools in order, how often each call, how often each error.

    Stored as lists, because jsonb orders the names of an object anew, and the oldest are forgotten first.
    """

    def __init__(self, stored: Mapping[str, Any]) -> None:
        self.tools: list[str] = list(stored.get("tools", ()))
        self.calls: dict[str, int] = dict(stored.get("calls", ()))
        self.errors: dict[str, int] = dict(stored.get("errors", ()))

    def stored(self) -> dict[str, Any]:
        return {"tools": self.tools, "calls": list(self.calls.items()), "errors": list(self.errors.items())}

    def add_call(self, tool: str, likeness: str, limits: Limits) -> Finding | None:
        """Note a proposal that passed schema and rules. Answers what is wrong with it, if anything."""
        self.tools.append(tool)
        del self.tools[: -(max(limits.same_tool, 2 * limits.cycle) + 1)]
        count = self.calls.pop(likeness, 0) + 1
        self.calls[likeness] = count
        while len(self.calls) > _KEPT_CALLS:
            del self.calls[next(iter(self.calls))]
        if count > limits.identical:
            return Finding(
                "identical_call",
                f"{tool} was asked for {_times(count)} with the same arguments",
                "use the result you have; the same call again gives the same answer",
            )
        if self._in_a_row() > limits.same_tool:
            return Finding(
                "same_tool",
                f"{tool} was asked for {_times(self._in_a_row())} in a row",
                "decide with what you know, or ask the user",
            )
        if self._turns() > 2 * limits.cycle:
            other = self.tools[-2]
            return Finding(
                "cycle",
                f"{other} and {tool} took turns {_times(self._turns() // 2)}",
                "the two calls undo or repeat each other; decide with what you know, or ask the user",
            )
        return None

    def add_refusal(self, tool: str, why: str, limits: Limits) -> int:
        """Note that a proposal was refused; answers how often more the same may happen. 0: the run ends. "" stands for
        every tool that the agent does not have."""
        return self._add_error(f"{_REFUSED}{tool}\n{why}", limits)

    def add_failure(self, tool: str, error: str, limits: Limits) -> int:
        """Note that an allowed call failed; answers how often more the same may happen. 0: the run ends."""
        return self._add_error(f"{_FAILED}{tool}\n{error}", limits)

    def note_accepted(self, tool: str) -> None:
        """A proposal was accepted: earlier refusals were on the way there."""
        for name in (tool, ""):
            self._forgive(f"{_REFUSED}{name}\n")

    def note_success(self, tool: str) -> None:
        """A call went well: what made earlier ones fail is over."""
        self._forgive(f"{_FAILED}{tool}\n")

    def _add_error(self, key: str, limits: Limits) -> int:
        count = self.errors.pop(key, 0) + 1
        self.errors[key] = count
        while len(self.errors) > _KEPT_ERRORS:
            del self.errors[next(iter(self.errors))]
        return max(0, limits.same_error - count)

    def _forgive(self, prefix: str) -> None:
        for key in [key for key in self.errors if key.startswith(prefix)]:
            del self.errors[key]

    def _in_a_row(self) -> int:
        last = self.tools[-1]
        count = 0
        for tool in reversed(self.tools):
            if tool != last:
                break
            count += 1
        return count

    def _turns(self) -> int:
        """How many of the last calls alternate between two tools."""
        if len(self.tools) < 2 or self.tools[-1] == self.tools[-2]:
            return 0
        count = 2
        for earlier, later in zip(reversed(self.tools[:-2]), reversed(self.tools), strict=False):
            if earlier != later:
                break
            count += 1
        return count


def _times(count: int) -> str:
    return f"{count} times"
