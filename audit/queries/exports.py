"""Exports that were asked for, how far they are, and their files."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from agentops.common.clock import rfc3339
from audit.errors import NotThere
from audit.models import Entry, Export, ExportPart, Leaf
from audit.searching import Filters
from audit.types import ExportFormat, ExportState

WINDOW = 20_000  # leaves that are looked through at a time
LISTED_MOST = 100

# As staff: a few rows of all tenants.
_DUE = """
SELECT tenant_id, id FROM audit_export
WHERE state IN ('waiting', 'running') AND (claimed_until IS NULL OR claimed_until <= clock_timestamp())
ORDER BY asked_at, id
"""


@dataclass(frozen=True, slots=True)
class Part:
    """A file of an export, without what is in it."""

    number: int
    name: str
    rows: int
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an export is: leaves looked through, of how many."""

    done: int
    total: int


def all_exports(*, tenant: uuid.UUID) -> list[Export]:
    """The newest first."""
    return list(Export.objects.filter(tenant_id=tenant).order_by("-asked_at", "-id")[:LISTED_MOST])


def export(*, tenant: uuid.UUID, export: uuid.UUID) -> Export:
    """Raises NotThere."""
    found = Export.objects.filter(tenant_id=tenant, id=export).first()
    if found is None:
        raise NotThere("There is no such export. Files are kept for seven days.")
    return found


def parts(*, tenant: uuid.UUID, export: uuid.UUID) -> list[Part]:
    """The files of an export in their order."""
    found = ExportPart.objects.filter(tenant_id=tenant, export_id=export).order_by("number")
    names = ("number", "name", "size_bytes", "sha256")
    kept = Export.objects.filter(tenant_id=tenant, id=export).values_list("cursor", flat=True).first() or {}
    rows = {file["name"]: file["rows"] for file in kept.get("files", [])}
    return [
        Part(number=number, name=name, rows=rows.get(name, 0), size_bytes=size, sha256=digest)
        for number, name, size, digest in found.values_list(*names)
    ]


def content(*, tenant: uuid.UUID, export: uuid.UUID, number: int) -> tuple[str, bytes]:
    """The name of one file, and what is in it. Raises NotThere."""
    found = ExportPart.objects.filter(tenant_id=tenant, export_id=export, number=number).first()
    if found is None:
        raise NotThere("There is no such file. Files are kept for seven days.")
    return found.name, bytes(found.content)


def progress(found: Export) -> Progress | None:
    """None where it has not begun, so that nothing is known yet."""
    if not found.cursor:
        return None
    first, end = found.cursor["first"], found.cursor["end"]
    return Progress(done=found.cursor["next"] - first, total=end - first)


def ends_before_vote(found: Export) -> bool:
    """Does a bundle end where one of two people has agreed to something that waits for the other?"""
    cut: bool = found.cursor.get("is_cut", False) if found.format == ExportFormat.BUNDLE else False
    return cut


def exports_due() -> list[tuple[uuid.UUID, uuid.UUID]]:
    """Tenant and export of those that wait for a worker. Asked by staff."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE)
        return list(cursor.fetchall())


def is_open(found: Export) -> bool:
    return found.state in (ExportState.WAITING, ExportState.RUNNING)


def until(filters: Filters, at: datetime) -> Filters:
    """The same search, of what is recorded before `at`."""
    last = min(filters.until, at) if filters.until else at
    return Filters.from_json({**filters.as_json(), "to": rfc3339(last)})


def first_vote(*, tenant: uuid.UUID, confirmations: Collection[uuid.UUID]) -> int | None:
    """The first leaf that tells what one of two people said, of confirmations that wait for the other."""
    if not confirmations:
        return None
    targets = [str(each) for each in confirmations]
    votes = Entry.objects.filter(tenant_id=tenant, action="approval.voted", target_id__in=targets)
    ids = list(votes.values_list("id", flat=True))
    found = Leaf.objects.filter(tenant_id=tenant, entry_id__in=ids).order_by("leaf_index")
    return found.values_list("leaf_index", flat=True).first()


def numbers(*, tenant: uuid.UUID, export: uuid.UUID) -> Iterator[int]:
    """The numbers of its files in their order."""
    found = ExportPart.objects.filter(tenant_id=tenant, export_id=export).order_by("number")
    yield from found.values_list("number", flat=True)
