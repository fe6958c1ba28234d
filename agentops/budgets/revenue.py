"""What organisations paid, as files and programs say it. All that is wrong is told, line by line; nothing is half taken."""

from __future__ import annotations

import csv
import io
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from agentops.budgets.types import RevenueLine
from agentops.common.errors import InputProblem, InvalidInput
from agentops.common.money import NANO, nano_usd

COLUMNS = ("organisation", "month", "amount_usd", "source")
LINES_MOST, BYTES_MOST = 20_000, 4_000_000
SOURCE_MOST = 100
PROBLEMS_MOST = 100
MOST_NANO_USD = 1_000_000_000 * NANO
_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Said:
    """One line as it was written."""

    pointer: str  # where it stands: "/line 3" of a file, "/lines/2" of a body
    values: Mapping[str, Any]


def from_csv(raw: bytes) -> list[Said]:
    """The lines of a file with a head of COLUMNS (source may be absent). Raises InvalidInput."""
    if len(raw) > BYTES_MOST:
        raise _invalid("", "too_large", f"A file has at most {BYTES_MOST // 1_000_000} MB.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _invalid("", "invalid", "The file is not UTF-8 text; save it as CSV UTF-8.") from error
    if "\0" in text:
        raise _invalid("", "invalid", "The file is no text: it has a NUL character in it.")
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first and "," not in first else ",")
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise _invalid(f"/line {reader.line_num}", "invalid", f"This is no line of a CSV file ({error}).") from error
    head = [cell.strip().lower() for cell in rows[0][1]] if rows else []
    missing = [name for name in COLUMNS[:3] if name not in head]
    if missing or len(set(head)) != len(head) or set(head) - set(COLUMNS):
        raise _invalid(
            "/line 1", "invalid", f"The first line names the columns: {', '.join(COLUMNS)} (source may be left out)."
        )
    said = []
    for number, row in rows[1:]:
        values: dict[str, Any] = dict(zip(head, row, strict=True)) if len(row) == len(head) else {"": row}
        said.append(Said(f"/line {number}", values))
    return said


def read(lines: Iterable[Said], *, organisations: Mapping[str, uuid.UUID]) -> dict[uuid.UUID, list[RevenueLine]]:
    """The lines by organisation, whose slugs are given. Raises InvalidInput with everything that is wrong."""
    found: dict[uuid.UUID, list[RevenueLine]] = {}
    seen: dict[tuple[str, str, str], str] = {}
    problems: list[InputProblem] = []
    count = 0
    for said in lines:
        count += 1
        if count > LINES_MOST:
            raise _invalid("", "too_many", f"At most {LINES_MOST:,} lines are taken at once.")
        wrong = _wrong(said, organisations)
        key = tuple(str(said.values.get(name) or "").strip() for name in ("organisation", "month", "source"))
        if not wrong and key in seen:
            wrong = f"The same organisation, month and source stand at {seen[key].strip('/')} already."  # type: ignore[index]
        if wrong:
            problems.append(InputProblem(said.pointer, "invalid", wrong))
            continue
        slug, month, source = key
        seen[slug, month, source] = said.pointer
        line = RevenueLine(
            month=date.fromisoformat(f"{month}-01"), source=source, amount_nano_usd=_amount(said.values["amount_usd"])
        )
        found.setdefault(organisations[slug], []).append(line)
    if not count:
        problems.append(InputProblem("", "required", "There is no line to book."))
    if problems:
        raise InvalidInput(_all(problems), problems=tuple(problems[:PROBLEMS_MOST]))
    return found


def _wrong(said: Said, organisations: Mapping[str, uuid.UUID]) -> str:
    """What is wrong with a line; "" where nothing is."""
    values = said.values
    if "" in values:
        return f"It has {len(values[''])} cells; the first line names others."
    unknown = sorted(set(map(str, values)) - set(COLUMNS))
    if unknown:
        return f"There is no {unknown[0][:50]!r}; these are taken: {', '.join(COLUMNS)}."
    for name in ("organisation", "month", "source"):
        text = values.get(name)
        if text is not None and not isinstance(text, str):
            return f"{name} is a text."
    slug, month = (str(values.get(name) or "").strip() for name in ("organisation", "month"))
    if slug not in organisations:
        return f"There is no organisation {slug[:50]!r}; use its short name." if slug else "It names no organisation."
    if not _MONTH.fullmatch(month):
        return f"{month[:20]!r} is no month; write it as 2026-11."
    if len(str(values.get("source") or "")) > SOURCE_MOST or "\0" in str(values.get("source") or ""):
        return f"A source has at most {SOURCE_MOST} characters."
    try:
        _amount(values.get("amount_usd"))
    except ValueError:
        return f"{str(values.get('amount_usd'))[:30]!r} is no amount; write dollars as 1234.50, without separators."
    return ""


def _amount(value: Any) -> int:
    """Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise ValueError
    amount = nano_usd(str(value).strip())
    if not -MOST_NANO_USD <= amount <= MOST_NANO_USD or "_" in str(value):
        raise ValueError
    return amount


def _all(problems: list[InputProblem]) -> str:
    if len(problems) == 1:
        return f"Nothing was booked: one line is not right. {problems[0].detail}"
    return f"Nothing was booked: {len(problems):,} lines are not right."


def _invalid(pointer: str, code: str, detail: str) -> InvalidInput:
    return InvalidInput(detail, problems=(InputProblem(pointer, code, detail),))
