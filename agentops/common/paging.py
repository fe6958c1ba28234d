"""Query parameters that every list takes: a time, a cursor, a number of rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from django.utils.dateparse import parse_datetime

from agentops.common.cursors import Cursor
from agentops.common.errors import InputProblem, InvalidInput

_SHORT_SPANS = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}


def cursor(params: Mapping[str, str]) -> Cursor | None:
    """The place a list goes on from. Raises InvalidInput for what is none of ours."""
    text = params.get("cursor", "")
    return Cursor.decode(text) if text else None


def limit(params: Mapping[str, str], *, default: int = 50, most: int = 200) -> int:
    """Rows a page. Raises InvalidInput outside 1 to `most`."""
    text = params.get("limit", "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= most:
        problem = InputProblem("/limit", "invalid", f"is a whole number from 1 to {most}")
        raise InvalidInput("some of the filters are not valid", problems=(problem,))
    return int(text)


def moment(name: str, text: str, now: datetime, problems: list[InputProblem]) -> datetime | None:
    """An RFC 3339 time, or "so long ago" (1h, 24h, 7d, 30d); None where empty or, with a problem noted, wrong."""
    if not text:
        return None
    if text in _SHORT_SPANS:
        return now - _SHORT_SPANS[text]
    try:
        # '+' of a zone arrives as a space where the sender did not escape it.
        found = parse_datetime(text.replace(" ", "+") if "T" in text else text)
        if found is not None:
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    accepted = f"is an RFC 3339 time such as 2026-11-23T09:30:00Z, or one of {', '.join(_SHORT_SPANS)}"
    problems.append(InputProblem(f"/{name}", "invalid", accepted))
    return None
