"""Who had the evidence, and is it what it was: bytes against digests, digests against the manifest, that against the logs."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

from agentops.common.scope import staff_scope
from incidents.models import Incident, Snapshot
from incidents.queries import evidence as queries
from incidents.types import SnapshotState
from tenants.house import HOUSE_ID, house_scope


@dataclass(slots=True)
class Checked:
    """What a check of one snapshot found; `problems` are sentences, none where it is sound."""

    number: int
    items: int
    released: int
    manifest: str
    logs: int = 0  # whose entry says the same digest
    problems: list[str] = field(default_factory=list)


def has_entry(*, tenant: uuid.UUID, entry: uuid.UUID, at: datetime) -> bool:
    """Is an entry of that id and time in the organisation's log?"""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM audit_entry WHERE tenant_id = %s AND recorded_at = %s AND id = %s", [tenant, at, entry]
        )
        return cursor.fetchone() is not None


def known_organisations(named: Iterable[uuid.UUID]) -> list[uuid.UUID]:
    """Those that there are: what an incident names may be gone, or a mistake."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM tenants_tenant WHERE id = ANY(%s) ORDER BY id", [list(named)])
        return [tenant for (tenant,) in cursor.fetchall()]


def check(incident: Incident) -> list[Checked]:
    """Every snapshot of an incident that is complete, the first first. Opens the scopes it needs itself."""
    with house_scope():
        rows = list(
            Snapshot.objects.filter(tenant_id=HOUSE_ID, incident=incident, state=SnapshotState.COMPLETE)
            .select_related("incident")
            .order_by("number")
        )
    return [_check(snapshot) for snapshot in rows]


def _check(snapshot: Snapshot) -> Checked:
    assert snapshot.completed_at is not None
    with house_scope():
        manifest = queries.manifest_of(snapshot)
        released = queries.released_items(snapshot)
        result = Checked(snapshot.number, len(manifest.items), released, manifest.digest)
        result.problems += [f"{name} is not what was kept" for name in queries.damaged(snapshot)]
        if released and not queries.was_let_go(snapshot):
            result.problems.append(f"{released} items have no bytes, and nobody let them go")
        entry = _entry(HOUSE_ID, snapshot)
    if manifest.digest != snapshot.manifest_digest:
        result.problems.append("the items are not those of the manifest: one was added, removed or changed")
    _compare(result, "our own log", entry, snapshot.manifest_digest)
    with staff_scope():
        for about in known_organisations(manifest.organisations):
            _compare(result, f"the log of {about}", _entry(about, snapshot), manifest.of(about).digest)
    return result


def _compare(result: Checked, log: str, entry: dict[str, Any] | None, digest: str) -> None:
    if entry is None:
        result.problems.append(f"{log} has no entry of it")
    elif entry.get("manifest") != digest:
        result.problems.append(f"{log} says another digest")
    else:
        result.logs += 1


def _entry(tenant: uuid.UUID, snapshot: Snapshot) -> dict[str, Any] | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT data FROM audit_entry WHERE tenant_id = %s AND recorded_at = %s AND id = %s AND action = 'evidence.taken'",
            [tenant, snapshot.completed_at, snapshot.id],
        )
        row = cursor.fetchone()
    found: dict[str, Any] | None = orjson.loads(row[0]) if row else None
    return found
