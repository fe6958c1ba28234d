"""Finding entries: a page costs the same wherever it is, and a search that finds little says how far it looked."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.db import connection

from agentops.common.cursors import Cursor
from agentops.common.errors import NotFound
from audit.models import Blob, Entry, Leaf, Pending
from audit.queries.ways import Search, Way, scan, way_of
from audit.searching import Filters

LOOK_BACK = timedelta(days=400)  # without a date; beyond, a search says from when
BUDGET_ROWS = 50_000
BUDGET_SECONDS = 0.02
FIRST_CHUNK = 400
DATA_BYTES = 4_096  # a list shows a sentence; larger data is for the entry's own page
WAITING_MOST = 10_000
_ID_SLACK = timedelta(minutes=10)

_COLUMNS = (
    "id", "schema_version", "recorded_at", "occurred_at", "category", "action", "outcome", "actor_type", "actor_id",
    "actor_label", "on_behalf_of_id", "run_id", "target_type", "target_id", "reason", "src_ip", "user_agent", "auth_method",
    "commitments", "private",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An entry as a list has it. `data` is None where it is large; `leaf` is None until it is sealed."""

    id: uuid.UUID
    schema_version: int
    recorded_at: datetime
    occurred_at: datetime
    category: int
    action: str
    outcome: int
    actor_type: str
    actor_id: str
    actor_label: str
    on_behalf_of_id: str
    run_id: uuid.UUID | None
    target_type: str
    target_id: str
    reason: str
    src_ip: str
    user_agent: str
    auth_method: str
    commitments: str
    private: str
    data: str | None
    leaf: int | None

    def told(self) -> dict[str, Any]:
        """The fields of `data`, with the personal ones that were not erased; only these where the rest is large."""
        return told(self.data or "{}", self.private)


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, the newest first, and where the list goes on. `searched_to` is set where it stopped for its budget."""

    entries: list[Listed]
    next: Cursor | None
    searched_to: datetime | None = None


def told(data: str, private: str) -> dict[str, Any]:
    """The fields of an entry's data, the personal ones that were not erased among them."""
    found: dict[str, Any] = orjson.loads(data)
    for name, kept in orjson.loads(private).items():
        if name.startswith("data."):
            found[name.removeprefix("data.")] = kept[1]
    return found


def find_entries(
    *,
    tenant: uuid.UUID,
    filters: Filters,
    at: datetime,
    after: Cursor | None = None,
    held: Collection[uuid.UUID] = (),
    limit: int = 50,
    with_data: bool = False,
) -> Page:
    """The entries of a search after a cursor; without a date, of the last thirteen months.

    `held` are confirmations of which one of two has agreed: who is to speak next must not learn that here.
    """
    search = Search(tenant, filters, filters.since or at - LOOK_BACK, held)
    way = way_of(search, after)
    until = time.monotonic() + BUDGET_SECONDS
    keys: list[Cursor] = []
    place, walked, chunk = after, 0, FIRST_CHUNK if search.beside(way) else limit + 1
    while True:
        begun = time.monotonic()
        hits, last = _scanned(search, way, place, chunk, limit + 1 - len(keys))
        keys += hits
        if len(keys) > limit:
            return Page(_load(tenant, keys[:limit], with_data), keys[limit - 1])
        if last is None:
            return Page(_load(tenant, keys, with_data), None)
        place, walked, now = last, walked + chunk * _width(way), time.monotonic()
        if walked >= BUDGET_ROWS or now >= until:
            return Page(_load(tenant, keys, with_data), place, searched_to=place.at)
        # Not more than fits into what is left of the time, at the speed of this chunk: rows that nobody read lately are slow.
        fits = int(chunk * (until - now) / max(now - begun, 1e-6))
        chunk = max(FIRST_CHUNK // 4, min(chunk * 3, fits))


def _width(way: Way) -> int:
    return len(way.each[1]) if way.each else 1


def _scanned(
    search: Search, way: Way, after: Cursor | None, chunk: int, rows: int
) -> tuple[list[Cursor], Cursor | None]:
    """Hits of a chunk of a way, and its last place; None where the way ended in it."""
    sql, params = scan(search, way, after, chunk, rows)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found = cursor.fetchall()
    last = Cursor(found[-1][0], found[-1][1]) if found and found[-1][3] == chunk else None
    return [Cursor(at, entry) for at, entry, is_hit, _ in found if is_hit], last


_LOAD = f"""
SELECT {", ".join(f"e.{name}" for name in _COLUMNS)}, {{data}}, l.leaf_index
FROM unnest(%(times)s::timestamptz[], %(ids)s::uuid[]) AS key(recorded_at, id)
JOIN audit_entry e ON e.tenant_id = %(tenant)s AND e.recorded_at = key.recorded_at AND e.id = key.id
LEFT JOIN audit_leaf l ON l.tenant_id = %(tenant)s AND l.entry_id = key.id
WHERE e.recorded_at BETWEEN %(oldest)s AND %(newest)s
ORDER BY e.recorded_at DESC, e.id DESC
"""  # noqa: S608  constants only
_SHORT_DATA = f"CASE WHEN octet_length(e.data) <= {DATA_BYTES} THEN e.data END"


def _load(tenant: uuid.UUID, keys: Sequence[Cursor], with_data: bool) -> list[Listed]:
    if not keys:
        return []
    times = [key.at for key in keys]
    params: dict[str, Any] = {
        "tenant": tenant,
        "times": times,
        "ids": [key.id for key in keys],
        "oldest": min(times),
        "newest": max(times),
    }
    with connection.cursor() as cursor:
        cursor.execute(_LOAD.format(data="e.data" if with_data else _SHORT_DATA), params)
        return [
            Listed(**dict(zip(_COLUMNS, row, strict=False)), data=row[-2], leaf=row[-1]) for row in cursor.fetchall()
        ]


# -- one entry -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """One entry with its place in the tree. `entry` is None where retention has deleted it, and its leaf is left."""

    id: uuid.UUID
    entry: Entry | None
    leaf: Leaf | None


def get_entry(*, tenant: uuid.UUID, entry: uuid.UUID, held: Collection[uuid.UUID] = ()) -> Found:
    """Raises NotFound, also for what is held back (see `find_entries`)."""
    leaf = Leaf.objects.filter(tenant_id=tenant, entry_id=entry).first()
    at = leaf.recorded_at if leaf else _waiting_since(tenant, entry)
    if at is None:
        raise NotFound(f"There is no entry {entry} here.")
    found = Entry.objects.filter(tenant_id=tenant, recorded_at=at, id=entry).first()
    is_held = found is not None and found.action == "approval.voted" and found.target_id in {str(each) for each in held}
    if is_held or (found is None and leaf is None):
        raise NotFound(f"There is no entry {entry} here.")
    return Found(entry, found, leaf)


def _waiting_since(tenant: uuid.UUID, entry: uuid.UUID) -> datetime | None:
    """When an entry was recorded that has no place yet: its id tells about when; else it is among those that wait longest."""
    waiting = Pending.objects.filter(tenant_id=tenant)
    if entry.version == 7:
        made = datetime.fromtimestamp((entry.int >> 80) / 1000, tz=UTC)
        near = waiting.filter(recorded_at__range=(made - _ID_SLACK, made + _ID_SLACK), entry_id=entry)
        if (found := near.values_list("recorded_at", flat=True).first()) is not None:
            return found
    oldest = waiting.order_by("recorded_at", "entry_id").values_list("entry_id", "recorded_at")[:WAITING_MOST]
    return dict(oldest).get(entry)


def blob_of(*, tenant: uuid.UUID, entry: uuid.UUID) -> bytes | None:
    """Data that was too large to stand in its entry."""
    found = Blob.objects.filter(tenant_id=tenant, entry_id=entry).values_list("content", flat=True).first()
    return bytes(found) if found is not None else None
