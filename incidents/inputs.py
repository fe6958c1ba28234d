"""What people and machines hand in, as services take it. Each refusal says what would be accepted."""

from __future__ import annotations

import uuid
from typing import Any

from incidents.errors import invalid

TITLE_MOST, TEXT_MOST, NAME_MOST = 200, 10_000, 500


def text(pointer: str, value: Any, most: int = TEXT_MOST, *, is_needed: bool = True) -> str:
    """Without space around it, its lines ended by a line feed. Raises InvalidInput."""
    if not isinstance(value, str):
        raise invalid(pointer, f"{_word(pointer)} is a text.", "type")
    found = value.replace("\r\n", "\n").strip()
    if "\0" in found or not _is_whole(found):
        raise invalid(
            pointer, f"{_word(pointer)} has no NUL character and no half ones (lone surrogates).", "characters"
        )
    if len(found) > most or (is_needed and not found):
        least = "1" if is_needed else "0"
        raise invalid(pointer, f"{_word(pointer)} has {least} to {most:,} characters.", "length")
    return found


def line(pointer: str, value: Any, most: int = TEXT_MOST, *, is_needed: bool = True) -> str:
    """The same, on one line."""
    return " ".join(text(pointer, value, most, is_needed=is_needed).split())


def _is_whole(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


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
