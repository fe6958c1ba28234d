"""Texts that people give to on-call, runbooks and cadences; and how one value is refused."""

from __future__ import annotations

from agentops.common.errors import InputProblem, InvalidInput


def invalid(pointer: str, detail: str, code: str = "invalid") -> InvalidInput:
    """A refusal of one value, that says what would be accepted."""
    return InvalidInput(detail, problems=(InputProblem(pointer, code, detail),))


def text(value: str, pointer: str, *, most: int, least: int = 0) -> str:
    """Without spaces around it. Raises InvalidInput."""
    found = value.strip() if isinstance(value, str) else "\0"
    if not least <= len(found) <= most or "\0" in found:
        raise invalid(pointer, f"is a text of {least} to {most} characters, without NUL characters")
    return found
