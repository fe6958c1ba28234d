"""What people and machines hand in, as services take it. Each refusal says what would be accepted."""

from __future__ import annotations

import uuid
from typing import Any

from incidents.errors import invalid

TITLE_MOST, TEXT_MOST, NAME_MOST = 200, 10_000, 500


def text(pointer: str, value: Any, *, most: int = TEXT_MOST, is_needed: bool = True) -> str:
    """Stripped. Raises InvalidInput."""
    found = value.strip() if isinstance(value, str) else None
    if found is None or "\0" in found or len(found) > most or (is_needed and not found):
        least = "1" if is_needed else "0"
        raise invalid(pointer, f"{_word(pointer)} has {least} to {most:,} characters.", "text")
    return found


def one_of(pointer: str, value: Any, values: list[Any]) -> Any:
    """Raises InvalidInput."""
    if value not in values:
        raise invalid(pointer, f"{_word(pointer)} is one of {', '.join(str(each) for each in values)}.", "choice")
    return value


def uuid_of(pointer: str, value: Any) -> uuid.UUID:
    """Raises InvalidInput."""
    try:
        return value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))
    except ValueError as error:
        raise invalid(pointer, f"{_word(pointer)} is an id of 32 hex digits.", "id") from error


def _word(pointer: str) -> str:
    return pointer.rsplit("/", 1)[-1].replace("_", " ").capitalize()
