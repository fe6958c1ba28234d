"""Entries as files and streams have them: records for programs, rows for spreadsheets, lines that can be checked."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from audit import bundles, canonical, ocsf, sentences
from audit.canonical import Row
from audit.queries.ranges import Placed
from audit.types import Category, ExportFormat, Outcome

COLUMNS = (
    "recorded_at", "occurred_at", "category", "action", "outcome", "summary", "actor_type", "actor_id", "actor_label",
    "on_behalf_of", "target_type", "target_id", "run", "reason", "src_ip", "user_agent", "auth_method", "data", "erased",
    "leaf", "id", "hash",
)  # fmt: skip
# What spreadsheets take for the beginning of a formula, their wide forms as well.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_BREAKS = ("\t", "\r", "\n")
# Where a comma is the decimal point, spreadsheets split rows at the semicolon, and take no notice of the quotes of a comma's cells.
_INSIDE = re.compile(f"([;\t\r\n][^\\S\r\n]*)(?=[{re.escape(''.join(_FORMULA))}])")


@dataclass(frozen=True, slots=True)
class _Tellable:
    """A row as a sentence takes it."""

    row: Row
    data: dict[str, Any]

    @property
    def action(self) -> str:
        return self.row.action

    @property
    def actor_id(self) -> str:
        return self.row.actor_id

    @property
    def actor_label(self) -> str:
        return self.row.actor_label

    @property
    def target_type(self) -> str:
        return self.row.target_type

    @property
    def target_id(self) -> str:
        return self.row.target_id

    @property
    def commitments(self) -> str:
        return self.row.commitments

    @property
    def private(self) -> str:
        return self.row.private

    def told(self) -> dict[str, Any]:
        return self.data


def record(one: Placed, large: bytes | None = None) -> dict[str, Any]:
    """An entry for programs, with the personal values that were not erased; what is absent is left out.

    `large` is its data where that stands beside it. Of an entry that retention has deleted, its place is left.
    """
    found: dict[str, Any] = {"leaf": one.leaf, "hash": one.hash.hex(), "id": str(one.entry_id)}
    row = one.row
    if row is None:
        return {**found, "pruned": True}
    data = _data(row, large)
    found |= {
        "tenant": str(row.tenant_id),
        "recorded_at": canonical.timestamp(row.recorded_at),
        "occurred_at": canonical.timestamp(row.occurred_at),
        "category": Category(row.category).name.lower(),
        "action": row.action,
        "outcome": Outcome(row.outcome).name.lower(),
        "summary": sentences.sentence(_Tellable(row, data)),
        "actor": _given(type=row.actor_type, id=row.actor_id, label=row.actor_label),
        "on_behalf_of": row.on_behalf_of_id,
        "target": _given(type=row.target_type, id=row.target_id),
        "run": row.run_id.hex if row.run_id else "",
        "reason": row.reason,
        "src_ip": row.src_ip,
        "user_agent": row.user_agent,
        "auth_method": row.auth_method,
        "erased": canonical.erased(row) if row.commitments != "{}" else [],
    }
    return {**_given(**found), "leaf": one.leaf, "data": data}


def _data(row: Row, large: bytes | None) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(large or row.data)
    if row.private != "{}":
        for name, kept in orjson.loads(row.private).items():
            if name.startswith("data."):
                found[name.removeprefix("data.")] = kept[1]
    return found


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", [], None)}


def message(one: Placed, form: str) -> Any:
    """An entry as a stream sends it. Data of more than 16 KiB is its digest there; a bundle's line is a text, as its
    bytes are what is hashed."""
    if form == ExportFormat.BUNDLE:
        return bundles.line(one).decode()
    found = record(one)
    if form == ExportFormat.OCSF and one.row is not None:
        found = ocsf.event(found)
    # PostgreSQL's jsonb, in which messages wait, takes no NUL.
    return _without_nul(found) if b"\\u0000" in orjson.dumps(found) else found


def _without_nul(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\x00", "\N{REPLACEMENT CHARACTER}")
        case list():
            return [_without_nul(each) for each in value]
        case dict():
            return {_without_nul(name): _without_nul(each) for name, each in value.items()}
    return value


# -- files -----------------------------------------------------------------------------------------------------------


class Writer(Protocol):
    """One file in the making."""

    extension: str
    takes_large: bool  # does it hold data that stands beside its entry?

    def write(self, one: Placed, large: bytes | None = None) -> int:
        """Answers about how many bytes it took, before they are compressed."""
        ...

    def close(self) -> bytes: ...


def writer(form: str) -> Writer:
    """For every format but the bundle, which is written by bundles.py."""
    return _Csv() if form == ExportFormat.CSV else _Lines(is_ocsf=form == ExportFormat.OCSF)


class _Lines:
    extension, takes_large = "ndjson.gz", True

    def __init__(self, *, is_ocsf: bool) -> None:
        self._is_ocsf = is_ocsf
        self._buffer = io.BytesIO()
        self._file = _zipped(self._buffer)

    def write(self, one: Placed, large: bytes | None = None) -> int:
        found = record(one, large)
        line = orjson.dumps(ocsf.event(found) if self._is_ocsf and one.row is not None else found)
        return self._file.write(line + b"\n")

    def close(self) -> bytes:
        self._file.close()
        return self._buffer.getvalue()


class _Csv:
    """RFC 4180, UTF-8 with the mark by which spreadsheets know it. No cell is a formula to them."""

    extension, takes_large = "csv.gz", False

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._file = _zipped(self._buffer)
        self._text = io.TextIOWrapper(self._file, encoding="utf-8-sig", newline="", write_through=True)
        self._csv = csv.writer(self._text)
        self._csv.writerow(COLUMNS)

    def write(self, one: Placed, large: bytes | None = None) -> int:
        written: int = self._csv.writerow([defused(cell) for cell in _cells(record(one))])
        return written

    def close(self) -> bytes:
        self._text.close()  # and with it the file below
        return self._buffer.getvalue()


def _cells(found: dict[str, Any]) -> Sequence[str]:
    actor, target = found.get("actor", {}), found.get("target", {})
    flat = {
        **found,
        "actor_type": actor.get("type"),
        "actor_id": actor.get("id"),
        "actor_label": actor.get("label"),
        "target_type": target.get("type"),
        "target_id": target.get("id"),
        "data": json.dumps(found.get("data"), ensure_ascii=False) if found.get("data") else "",
        "erased": " ".join(found.get("erased", [])),
        "summary": "(deleted when its time was over)" if found.get("pruned") else found.get("summary"),
    }
    return [str(value) if (value := flat.get(name)) is not None else "" for name in COLUMNS]


def defused(cell: str) -> str:
    """A text that no spreadsheet runs: what could begin a formula is led by a quote, also inside of the text, where another
    spreadsheet may begin a cell. NUL, which ends texts, is replaced."""
    cell = _INSIDE.sub(r"\1'", cell.replace("\x00", "\N{REPLACEMENT CHARACTER}"))
    if cell.startswith(_BREAKS) or cell.lstrip().startswith(_FORMULA):
        return f"'{cell}"
    return cell


def _zipped(buffer: io.BytesIO) -> gzip.GzipFile:
    """The same bytes for the same rows, whenever they are written."""
    return gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=5, mtime=0)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
