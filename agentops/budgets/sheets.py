"""Spend as files for spreadsheets (RFC 4180): exact amounts, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal

from audit.formats import defused


def sheet(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file in UTF-8, with the mark by which spreadsheets know it. Numbers of ours may begin with a minus."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, Decimal):
        return f"{value:f}"  # never 1E-9
    return defused(value) if isinstance(value, str) else value
