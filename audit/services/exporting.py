"""Exports: asked for by a person, written part by part by a job that goes on where it was left.

What an export holds is fixed when it is asked for: the entries recorded until then that its filters leave. A part and
the place where the next one begins are one transaction, so whoever is killed has written a part or has not; who claims
the export next goes on from there. A claim is a time until which nobody else begins, and each part renews it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.conf import settings
from django.db import connection

from agentops.common.clock import rfc3339
from agentops.common.scope import require_tenant
from audit import bundles, formats
from audit.bundles import File, Plan
from audit.errors import NotSealedYet, NotThere, TooManyExports
from audit.formats import Writer
from audit.models import Export, ExportPart, Pending
from audit.queries import exports, ranges
from audit.queries.ranges import Placed
from audit.searching import Filters
from audit.services.recording import record
from audit.types import SYSTEM, Actor, ExportFormat, ExportState, Outcome, Target

OPEN_MOST = 3  # at once, of one organisation
KEPT = timedelta(days=7)  # the files; that there was an export is told for longer
LISTED = timedelta(days=90)
PART_ROWS = 100_000
PART_BYTES = 128 * 1024 * 1024  # before they are compressed
PART_SECONDS = 40.0  # a search of rare things ends its part here, far inside of the claim
CLAIM_SECONDS = 300
ATTEMPTS_MOST = 5  # without a part between them
SEAL_PATIENCE = timedelta(minutes=2)
_OPEN = (ExportState.WAITING, ExportState.RUNNING)
_LARGE_AT_ONCE = 8

_CLAIM = """
UPDATE audit_export SET state = 'running', attempts = attempts + 1, claimed_until = clock_timestamp() + %(lease)s
WHERE tenant_id = %(tenant)s AND id = (
    SELECT id FROM audit_export
    WHERE tenant_id = %(tenant)s AND (%(id)s::uuid IS NULL OR id = %(id)s) AND state IN ('waiting', 'running')
        AND (claimed_until IS NULL OR claimed_until <= clock_timestamp())
    ORDER BY asked_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id, claimed_until, attempts
"""
# Whoever lost the claim, or whose export was cancelled, writes nothing.
_ADVANCE = """
UPDATE audit_export SET cursor = %(cursor)s::jsonb, rows_written = rows_written + %(rows)s, attempts = 0, error = '',
    upto_leaf = %(upto_leaf)s, claimed_until = clock_timestamp() + %(lease)s
WHERE tenant_id = %(tenant)s AND id = %(id)s AND state = 'running' AND claimed_until = %(claimed)s
RETURNING claimed_until
"""
_LET_GO = """
UPDATE audit_export SET claimed_until = clock_timestamp() + %(pause)s, error = %(error)s, attempts = %(attempts)s
WHERE tenant_id = %(tenant)s AND id = %(id)s AND state = 'running' AND claimed_until = %(claimed)s
"""
_END = """
UPDATE audit_export SET state = %(state)s, ended_at = %(at)s, claimed_until = NULL, error = %(error)s
WHERE tenant_id = %(tenant)s AND id = %(id)s AND state = 'running' AND claimed_until = %(claimed)s
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """An export that this process alone writes until its claim is over."""

    export: uuid.UUID
    claimed_until: datetime
    attempts: int


class ClaimLost(Exception):
    """Somebody else has the export now, or nobody wants it any more. What was being written is rolled back."""


# -- people ----------------------------------------------------------------------------------------------------------


def ask_export(*, tenant: uuid.UUID, form: str, filters: Filters, by: Actor, at: datetime) -> Export:
    """Ask for an export of what was recorded until now. Raises TooManyExports."""
    require_tenant(tenant)
    if Export.objects.filter(tenant_id=tenant, state__in=_OPEN).count() >= OPEN_MOST:
        raise TooManyExports(f"{OPEN_MOST} exports are being written. Wait for one to end, or cancel it.")
    fixed = exports.until(filters, at)
    made = Export.objects.create(
        tenant_id=tenant,
        format=ExportFormat(form).value,
        filters=fixed.as_json(),
        asked_at=at,
        asked_by=by.id,
        asked_by_label=by.label,
        upto=at,
    )
    _record(tenant, "audit.exported", made, by, at, format=made.format, filters=filters.as_json())
    return made


def cancel_export(*, tenant: uuid.UUID, export: uuid.UUID, by: Actor, at: datetime) -> bool:
    """Stop it, and throw away what was written; False where it has ended already."""
    require_tenant(tenant)
    found = exports.export(tenant=tenant, export=export)
    open_ = Export.objects.filter(tenant_id=tenant, id=export, state__in=_OPEN)
    if not open_.update(state=ExportState.CANCELLED, ended_at=at, claimed_until=None):
        return False
    ExportPart.objects.filter(tenant_id=tenant, export_id=export).delete()
    _record(tenant, "audit.export_cancelled", found, by, at)
    return True


def remove_export(*, tenant: uuid.UUID, export: uuid.UUID, by: Actor, at: datetime) -> None:
    """Delete its files before their time. Raises NotThere."""
    require_tenant(tenant)
    found = exports.export(tenant=tenant, export=export)
    ExportPart.objects.filter(tenant_id=tenant, export_id=export).delete()
    Export.objects.filter(tenant_id=tenant, id=export).delete()
    _record(tenant, "audit.export_removed", found, by, at)


def take_export(*, tenant: uuid.UUID, export: uuid.UUID, name: str, by: Actor, at: datetime) -> None:
    """Somebody downloads it, or one file of it: from here on it is out of our hands. Raises NotThere."""
    require_tenant(tenant)
    found = exports.export(tenant=tenant, export=export)
    if found.state != ExportState.DONE:
        raise NotThere("This export has no files.")
    _record(tenant, "audit.export_downloaded", found, by, at, format=found.format, file=name)


def _record(
    tenant: uuid.UUID,
    action: str,
    export: Export,
    by: Actor,
    at: datetime,
    outcome: Outcome = Outcome.SUCCESS,
    **data: Any,
) -> None:
    record(
        tenant=tenant,
        action=action,
        actor=by,
        target=Target("audit_export", str(export.id)),
        outcome=outcome,
        data={"export": str(export.id), **data},
        at=at,
    )


# -- the job ---------------------------------------------------------------------------------------------------------


def claim_export(*, tenant: uuid.UUID, export: uuid.UUID | None = None, at: datetime) -> Claim | None:
    """Take this export, or whichever of the tenant's waits longest; None where there is none to take.

    One that was begun again and again without ever writing a part is given up here.
    """
    require_tenant(tenant)
    values: dict[str, Any] = {"tenant": tenant, "id": export, "lease": timedelta(seconds=CLAIM_SECONDS)}
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, values)
        row = cursor.fetchone()
    if row is None:
        return None
    claim = Claim(*row)
    if claim.attempts > ATTEMPTS_MOST:
        _fail(tenant, claim, at, "It was begun several times and never came to the end of a part.")
        return None
    return claim


def write_export(
    *, tenant: uuid.UUID, slug: str, claim: Claim, held: Collection[uuid.UUID] = (), at: datetime
) -> Claim | None:
    """Write the next part of a claimed export; answers the renewed claim, or None where it is complete.

    `held` are confirmations of which one of two people has agreed: what that one said is left out. Raises ClaimLost,
    and NotSealedYet where it must wait for the sealer.
    """
    require_tenant(tenant)
    found = Export.objects.filter(tenant_id=tenant, id=claim.export, claimed_until=claim.claimed_until).first()
    if found is None or found.state != ExportState.RUNNING:
        raise ClaimLost
    cursor: dict[str, Any] = found.cursor or _begun(found, slug, held, at)
    plan = _plan_of(found, slug, cursor)
    sink = _Parts(tenant, claim.export, at)
    if cursor["next"] < plan.end:
        rows = _write_part(found, plan, cursor, sink, frozenset(map(str, held)))
        return _advance(tenant, claim, cursor, rows, plan.end)
    _finish(found, plan, cursor, sink, held, at)
    _end(tenant, claim, ExportState.DONE, at, "")
    return None


def let_go_export(*, tenant: uuid.UUID, claim: Claim, why: str, is_fault: bool, at: datetime) -> None:
    """It could not go on. What is no fault is tried again in seconds; a fault later each time, and five times at most."""
    require_tenant(tenant)
    if is_fault and claim.attempts >= ATTEMPTS_MOST:
        _fail(tenant, claim, at, why)
        return
    values: dict[str, Any] = {
        "tenant": tenant,
        "id": claim.export,
        "claimed": claim.claimed_until,
        "pause": timedelta(seconds=20 * claim.attempts if is_fault else 5),
        "error": why if is_fault else "",
        "attempts": claim.attempts if is_fault else claim.attempts - 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(_LET_GO, values)


def purge_exports(*, tenant: uuid.UUID, at: datetime) -> int:
    """Delete the files of exports whose time is over; answers how many files."""
    require_tenant(tenant)
    ended = Export.objects.filter(tenant_id=tenant, ended_at__lt=at - KEPT)
    old = ExportPart.objects.filter(tenant_id=tenant, export_id__in=ended.values("id"))
    count, _ = old.delete()
    Export.objects.filter(tenant_id=tenant, ended_at__lt=at - LISTED).delete()
    return count


def _begun(found: Export, slug: str, held: Collection[uuid.UUID], at: datetime) -> dict[str, Any]:
    """The plan: which leaves to look through. What was recorded before somebody asked is sealed first, within reason."""
    tenant = found.tenant_id
    waits = Pending.objects.filter(tenant_id=tenant, recorded_at__lt=found.upto).exists()
    if waits and at - found.asked_at < SEAL_PATIENCE:
        raise NotSealedYet("Some of its entries are just being sealed.")
    before = exports.first_vote(tenant=tenant, confirmations=held) if found.format == ExportFormat.BUNDLE else None
    made = bundles.plan(tenant=tenant, slug=slug, filters=Filters.from_json(found.filters), before_leaf=before)
    return {
        "first": made.first,
        "end": made.end,
        "tree_size": made.tree_size,
        "note": made.note,
        "is_cut": made.is_cut,
        "next": made.first,
        "files": [],
    }


def _plan_of(found: Export, slug: str, cursor: dict[str, Any]) -> Plan:
    kept = {name: cursor[name] for name in ("first", "end", "tree_size", "note", "is_cut")}
    return Plan(tenant=found.tenant_id, slug=slug, filters=Filters.from_json(found.filters), **kept)


def _write_part(found: Export, plan: Plan, cursor: dict[str, Any], sink: _Parts, held: frozenset[str]) -> int:
    """One part; moves `cursor`, and answers how many entries are in it."""
    if found.format == ExportFormat.BUNDLE:
        number = (cursor["next"] - plan.first) // bundles.PART_LEAVES
        files = bundles.write_part(plan, number, sink)
        cursor["next"] = min(cursor["next"] + bundles.PART_LEAVES, plan.end)
        rows = sum(file.rows for file in files if file.name.startswith("entries-"))
    else:
        made = formats.writer(found.format)
        rows, first, cursor["next"] = _fill(made, found, plan, cursor["next"], held)
        number = 1 + len(cursor["files"])
        name, content = f"entries-{number:06}.{made.extension}", made.close()
        files = [File(name, formats.sha256(content), rows, first)] if rows else []
        if rows:
            sink.put(name, content)
    cursor["files"] += [file.as_json() for file in files]
    return rows


def _fill(made: Writer, found: Export, plan: Plan, begin: int, held: frozenset[str]) -> tuple[int, int | None, int]:
    """Write entries from leaf `begin` on, until the part is full: how many, the first one's leaf, where to go on."""
    filters, until = Filters.from_json(found.filters), time.monotonic() + PART_SECONDS
    rows, size, first = 0, 0, None
    for start in range(begin, plan.end, exports.WINDOW):
        end = min(start + exports.WINDOW, plan.end)
        placed = ranges.placed(tenant=found.tenant_id, first=start, end=end, only=filters)
        for one, large in _with_large(found.tenant_id, placed, made):
            if one.row is not None and one.row.action == "approval.voted" and one.row.target_id in held:
                continue
            size += made.write(one, large)
            rows += 1
            first = one.leaf if first is None else first
        if rows >= PART_ROWS or size >= PART_BYTES or time.monotonic() >= until:
            return rows, first, end
    return rows, first, plan.end


def _with_large(tenant: uuid.UUID, placed: Iterator[Placed], made: Writer) -> Iterator[tuple[Placed, bytes | None]]:
    """Each with its large data where the format holds it: a few at a time, as they can be large indeed."""
    batch: list[Placed] = []
    large = 0
    for one in placed:
        batch.append(one)
        large += one.row is not None and made.takes_large and bundles.is_large(one.row.data)
        if large >= _LARGE_AT_ONCE:
            yield from _loaded(tenant, batch, made)
            batch, large = [], 0
    yield from _loaded(tenant, batch, made)


def _loaded(tenant: uuid.UUID, batch: list[Placed], made: Writer) -> Iterator[tuple[Placed, bytes | None]]:
    wanted = [one.entry_id for one in batch if one.row is not None and bundles.is_large(one.row.data)]
    blobs = ranges.blobs(tenant=tenant, entries=wanted) if wanted and made.takes_large else {}
    for one in batch:
        yield one, blobs.get(one.entry_id)


def _finish(
    found: Export, plan: Plan, cursor: dict[str, Any], sink: _Parts, held: Collection[uuid.UUID], at: datetime
) -> None:
    files = [File(**kept) for kept in cursor["files"]]
    if found.format == ExportFormat.BUNDLE:
        before = exports.first_vote(tenant=found.tenant_id, confirmations=held)
        made = bundles.finish(plan, files, sink, at=at, before_leaf=before)
        cursor |= {
            "files": [file for file in made["files"] if file["first_leaf"] is not None],
            "is_cut": made["is_cut"],
        }
        kept = Export.objects.filter(tenant_id=found.tenant_id, id=found.id)
        kept.update(cursor=cursor, rows_written=made["leaf_count"])
        return
    manifest = {
        "format": f"agentops-audit-{found.format}/1",
        "tenant": str(found.tenant_id),
        "slug": plan.slug,
        "made_at": rfc3339(at),
        "tool": f"agentops {settings.VERSION}",
        "filters": plan.filters.as_json(),
        "rows": sum(file.rows for file in files),
        "tree_size": plan.tree_size,
        "proves": "nothing: for files that can be checked, export a bundle",
        "files": [file.as_json() for file in files],
    }
    sink.put("manifest.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2))


def _advance(tenant: uuid.UUID, claim: Claim, cursor: dict[str, Any], rows: int, upto_leaf: int) -> Claim:
    values: dict[str, Any] = {
        "tenant": tenant,
        "id": claim.export,
        "claimed": claim.claimed_until,
        "cursor": orjson.dumps(cursor).decode(),
        "rows": rows,
        "upto_leaf": upto_leaf,
        "lease": timedelta(seconds=CLAIM_SECONDS),
    }
    with connection.cursor() as sql:
        sql.execute(_ADVANCE, values)
        renewed = sql.fetchone()
    if renewed is None:
        raise ClaimLost
    return Claim(claim.export, renewed[0], 1)


def _fail(tenant: uuid.UUID, claim: Claim, at: datetime, why: str) -> None:
    _end(tenant, claim, ExportState.FAILED, at, why)
    ExportPart.objects.filter(tenant_id=tenant, export_id=claim.export).delete()
    found = exports.export(tenant=tenant, export=claim.export)
    _record(tenant, "audit.export_failed", found, SYSTEM, at, Outcome.FAILURE)


def _end(tenant: uuid.UUID, claim: Claim, state: ExportState, at: datetime, error: str) -> None:
    values: dict[str, Any] = {
        "tenant": tenant,
        "id": claim.export,
        "claimed": claim.claimed_until,
        "state": state.value,
        "at": at,
        "error": error,
    }
    with connection.cursor() as cursor:
        cursor.execute(_END, values)
        if not cursor.rowcount:
            raise ClaimLost


class _Parts:
    """A sink into rows: the files of one export, numbered as they come."""

    def __init__(self, tenant: uuid.UUID, export: uuid.UUID, at: datetime) -> None:
        self.tenant, self.export, self.at = tenant, export, at
        self.number = ExportPart.objects.filter(tenant_id=tenant, export_id=export).count()

    def put(self, name: str, content: bytes) -> None:
        self.number += 1
        ExportPart.objects.create(
            tenant_id=self.tenant,
            export_id=self.export,
            number=self.number,
            name=name,
            sha256=formats.sha256(content),
            size_bytes=len(content),
            content=content,
            made_at=self.at,
        )
