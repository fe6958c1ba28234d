"""Words of people, before they are kept."""

from __future__ import annotations

from evals.errors import invalid


def text(pointer: str, value: object, most: int, *, is_required: bool = False) -> str:
    """Without NUL and without space around it, at most so long. Raises InvalidInput."""
    if not isinstance(value, str):
        raise invalid(pointer, "text is expected", "type")
    if "\0" in value:
        raise invalid(pointer, "no NUL character may be in it", "nul")
    cleaned = value.replace("\r\n", "\n").strip()
    if len(cleaned) > most:
        raise invalid(pointer, f"at most {most:,} characters are taken", "too_long")
    if is_required and not cleaned:
        raise invalid(pointer, "this may not be empty", "required")
    try:
        cleaned.encode()
    except UnicodeEncodeError:
        raise invalid(pointer, "half a character (a lone surrogate) is in it", "encoding") from None
    return cleaned


def line(pointer: str, value: object, most: int, *, is_required: bool = False) -> str:
    """The same, on one line."""
    return " ".join(text(pointer, value, most, is_required=is_required).split())
