"""What somebody did and what was done to something, gathered from their newest entries; and what belongs to one entry."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from agentops.common.cursors import Cursor
from audit.queries.entries import LOOK_BACK, Listed, find_entries
from audit.queries.ways import VOTED, Search, scan, way_of
from audit.searching import Filters

GATHERED_MOST = 1_000
RUN_MOST = 500


@dataclass(frozen=True, slots=True)
class Sort:
    """How often one kind of action is among the newest entries of a search, and when it was last."""

    action: str
    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Gathered:
    """The newest entries of a search by action. With `is_all`, there are no others within its time."""

    sorts: list[Sort]
    count: int
    oldest_at: datetime | None
    is_all: bool


def gather(*, tenant: uuid.UUID, filters: Filters, at: datetime, held: Collection[uuid.UUID] = ()) -> Gathered:
    """The newest GATHERED_MOST entries of a search, by action, the most frequent first."""
    search = Search(tenant, filters, filters.since or at - LOOK_BACK, held)
    sql, params = scan(search, way_of(search, None), None, GATHERED_MOST, GATHERED_MOST)
    text = f"""
        SELECT e.action, count(*), max(e.recorded_at), min(e.recorded_at)
        FROM ({sql}) AS key JOIN audit_entry e
            ON e.tenant_id = %s AND e.recorded_at = key.recorded_at AND e.id = key.id AND e.recorded_at >= %s
        WHERE key.hit GROUP BY e.action ORDER BY count(*) DESC, e.action
    """  # noqa: S608  names are ours, values are parameters
    with connection.cursor() as cursor:
        cursor.execute(text, [*params, tenant, search.since])
        rows = cursor.fetchall()
    count = sum(row[1] for row in rows)
    return Gathered(
        sorts=[Sort(action, number, last) for action, number, last, _ in rows],
        count=count,
        oldest_at=min((row[3] for row in rows), default=None),
        is_all=count < GATHERED_MOST,
    )


def of_confirmation(
    *, tenant: uuid.UUID, confirmation: str, at: datetime, held: Collection[uuid.UUID] = ()
) -> list[Listed]:
    """Everything that was recorded of one confirmation and of the call that it is about, the first first.

    The call's own entries (what was permitted, what ran) are found in its run, by the call's id.
    """
    filters = Filters(target_type="confirmation", target_id=confirmation)
    found = find_entries(tenant=tenant, filters=filters, at=at, held=held, limit=RUN_MOST).entries
    run = next((entry.run_id for entry in found if entry.run_id), None)
    if run is not None:
        of_run = find_entries(tenant=tenant, filters=Filters(run=run), at=at, held=held, limit=RUN_MOST).entries
        calls = {entry.told().get("call") for entry in of_run if entry.told().get("confirmation") == confirmation}
        known = {entry.id for entry in found}
        found += [entry for entry in of_run if entry.id not in known and _belongs(entry, calls - {None, ""})]
    return sorted(found, key=lambda entry: (entry.recorded_at, entry.id))


def confirmation_of_call(*, tenant: uuid.UUID, run: uuid.UUID, call: str, at: datetime) -> str:
    """The confirmation under which a call of a run was taken up; "" where it needed none."""
    filters = Filters(run=run, action="tool_call.redeemed")
    for entry in find_entries(tenant=tenant, filters=filters, at=at, limit=RUN_MOST).entries:
        if entry.told().get("call") == call:
            return str(entry.told().get("confirmation") or "")
    return ""


def _belongs(entry: Listed, calls: Collection[Any]) -> bool:
    return entry.told().get("call") in calls


def newer_neighbour(*, tenant: uuid.UUID, key: Cursor, held: Collection[uuid.UUID] = ()) -> uuid.UUID | None:
    """The entry that was recorded next."""
    return _neighbour(tenant, key, held, is_newer=True)


def older_neighbour(*, tenant: uuid.UUID, key: Cursor, held: Collection[uuid.UUID] = ()) -> uuid.UUID | None:
    """The entry that was recorded before."""
    return _neighbour(tenant, key, held, is_newer=False)


def _neighbour(tenant: uuid.UUID, key: Cursor, held: Collection[uuid.UUID], *, is_newer: bool) -> uuid.UUID | None:
    sign, order = (">", "ASC") if is_newer else ("<", "DESC")
    text = f"""
        SELECT id FROM audit_entry WHERE tenant_id = %s AND (recorded_at, id) {sign} (%s, %s) AND recorded_at {sign}= %s
            AND NOT (action = %s AND target_id = ANY(%s))
        ORDER BY recorded_at {order}, id {order} LIMIT 1
    """  # noqa: S608  names are ours, values are parameters
    with connection.cursor() as cursor:
        cursor.execute(text, [tenant, key.at, key.id, key.at, VOTED, [str(each) for each in held]])
        row = cursor.fetchone()
    return row[0] if row else None
