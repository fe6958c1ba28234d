"""Leaves by their place: what an export reads, and what proves it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import connections

from audit import canonical, tree
from audit.canonical import COLUMNS, Row
from audit.models import Head
from audit.queries.proofs import StoredTree
from audit.searching import Filters

_COLUMNS = ", ".join(f"e.{name}" for name in COLUMNS)
_FETCHED = 2_000
# From behind the last leaf of before, to the first of after: what was committed late stands among others. So a reader can be
# shown, by those two, that nothing of the time was left out.
_OF_TIME = """
WITH inside AS (
    SELECT min(leaf_index) AS first, max(leaf_index) + 1 AS upto FROM audit_leaf
    WHERE tenant_id = %(tenant)s AND leaf_index < %(size)s
      AND (%(since)s::timestamptz IS NULL OR recorded_at >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR recorded_at < %(until)s)
), begun AS (
    SELECT upto, coalesce((
        SELECT leaf_index + 1 FROM audit_leaf
        WHERE tenant_id = %(tenant)s AND leaf_index < coalesce(inside.first, %(size)s) AND recorded_at < %(since)s
        ORDER BY leaf_index DESC LIMIT 1
    ), 0) AS first FROM inside
)
SELECT first, coalesce((
    SELECT leaf_index FROM audit_leaf
    WHERE tenant_id = %(tenant)s AND leaf_index >= greatest(begun.first, begun.upto) AND leaf_index < %(size)s
      AND recorded_at >= %(until)s
    ORDER BY leaf_index LIMIT 1
), %(size)s) FROM begun
"""
_ON = "ON e.tenant_id = l.tenant_id AND e.recorded_at = l.recorded_at AND e.id = l.entry_id"
_LEAVES = f"""
SELECT l.leaf_index, l.leaf_hash, l.entry_id, {_COLUMNS}
FROM audit_leaf l LEFT JOIN audit_entry e {_ON}
WHERE l.tenant_id = %s AND l.leaf_index >= %s AND l.leaf_index < %s
ORDER BY l.leaf_index
"""  # noqa: S608  constants only
_CHOSEN = f"""
SELECT l.leaf_index, l.leaf_hash, l.entry_id, {_COLUMNS}
FROM audit_leaf l JOIN (SELECT * FROM audit_entry WHERE tenant_id = %s AND ({{where}})) AS e {_ON}
WHERE l.tenant_id = %s AND l.leaf_index >= %s AND l.leaf_index < %s
ORDER BY l.leaf_index
"""  # noqa: S608  constants only; conditions bring their parameters
_BY_IDS = f"""
SELECT {_COLUMNS} FROM audit_entry e WHERE e.tenant_id = %s AND e.id = ANY(%s)
"""  # noqa: S608  constants only
_OF_ACTIONS = f"""
SELECT l.leaf_index, l.leaf_hash, l.entry_id, {_COLUMNS}
FROM audit_entry e JOIN audit_leaf l ON l.tenant_id = e.tenant_id AND l.entry_id = e.id
WHERE e.tenant_id = %s AND e.action = ANY(%s) AND l.leaf_index < %s
ORDER BY l.leaf_index
"""  # noqa: S608  constants only
_WAITING = """
SELECT count(*) FROM audit_pending p
JOIN audit_entry e ON e.tenant_id = p.tenant_id AND e.recorded_at = p.recorded_at AND e.id = p.entry_id
WHERE p.tenant_id = %s AND e.action = ANY(%s)
"""
_ERASED = """
SELECT erasure_id, entry_id, names FROM audit_erasedfields
WHERE tenant_id = %(tenant)s AND erasure_id IN (
    SELECT f.erasure_id FROM audit_erasedfields f
    JOIN audit_leaf l ON l.tenant_id = f.tenant_id AND l.entry_id = f.entry_id
    WHERE f.tenant_id = %(tenant)s AND l.leaf_index >= %(first)s AND l.leaf_index < %(end)s
)
ORDER BY erasure_id, entry_id
"""
_BLOBS = "SELECT entry_id, content FROM audit_blob WHERE tenant_id = %s AND entry_id = ANY(%s)"
_NODES = """
SELECT hash FROM audit_node WHERE tenant_id = %s AND level = 8 AND position >= %s AND position < %s ORDER BY position
"""
# Every so many of them, and the last of each key: a rotation is proven by it.
_CHECKPOINTS = """
SELECT tree_size, note FROM (
    SELECT tree_size, note, row_number() OVER (ORDER BY tree_size) AS place, count(*) OVER () AS total,
           row_number() OVER (PARTITION BY key_id ORDER BY tree_size DESC) AS from_last
    FROM audit_checkpoint WHERE tenant_id = %s AND tree_size >= %s AND tree_size <= %s
) AS found
WHERE from_last = 1 OR place %% (1 + total / %s) = 0 ORDER BY tree_size
"""


@dataclass(frozen=True, slots=True)
class Placed:
    """A leaf with its entry; without one where retention has deleted it."""

    leaf: int
    hash: bytes
    entry_id: uuid.UUID
    row: Row | None


def leaves_of_time(*, tenant: uuid.UUID, since: datetime | None, until: datetime | None, size: int) -> tuple[int, int]:
    """The range of leaves below `size` that holds every entry recorded from `since` to before `until`: between one that was
    recorded before, and one that was recorded after (or the ends of the log)."""
    if since is None and until is None:
        return 0, size
    with connections["default"].cursor() as cursor:
        cursor.execute(_OF_TIME, {"tenant": tenant, "size": size, "since": since, "until": until})
        first, end = cursor.fetchone()
    return first, end


def placed(
    *, tenant: uuid.UUID, first: int, end: int, only: Filters | None = None, using: str = "default"
) -> Iterator[Placed]:
    """The leaves from `first` to before `end` in their order, with their entries; or only those that filters leave."""
    sql, params = only.where() if only else ("", [])
    kept_from = _pruned_below(tenant, using)
    with connections[using].cursor() as cursor:
        for begin in range(first, end, _FETCHED):
            span: list[Any] = [tenant, begin, min(begin + _FETCHED, end)]
            if only:
                cursor.execute(_CHOSEN.format(where=sql), [tenant, *params, *span])
                yield from map(_placed, cursor.fetchall())
            else:
                cursor.execute(_LEAVES, span)
                yield from _found_elsewhere([_placed(row) for row in cursor.fetchall()], tenant, kept_from, using)


def _pruned_below(tenant: uuid.UUID, using: str) -> int:
    found = Head.objects.using(using).filter(tenant_id=tenant).values_list("pruned_below", flat=True).first()
    return found or 0


def _found_elsewhere(found: list[Placed], tenant: uuid.UUID, kept_from: int, using: str) -> list[Placed]:
    """An entry that should be there and is not may have had its time changed: then that is what shall be seen."""
    missing = [one.entry_id for one in found if one.row is None and one.leaf >= kept_from]
    if not missing:
        return found
    with connections[using].cursor() as cursor:
        cursor.execute(_BY_IDS, [tenant, missing])
        rows = {row.id: row for row in map(canonical.row_of, cursor.fetchall())}
    return [replace(one, row=one.row or rows.get(one.entry_id)) for one in found]


def placed_of_actions(*, tenant: uuid.UUID, actions: Sequence[str], size: int) -> list[Placed]:
    """The entries of rare actions among the first `size` leaves, in their order."""
    with connections["default"].cursor() as cursor:
        cursor.execute(_OF_ACTIONS, [tenant, list(actions), size])
        return [_placed(row) for row in cursor.fetchall()]


def waiting_of_actions(*, tenant: uuid.UUID, actions: Sequence[str], using: str = "default") -> int:
    """How many entries of these actions have no place yet."""
    with connections[using].cursor() as cursor:
        cursor.execute(_WAITING, [tenant, list(actions)])
        return int(cursor.fetchone()[0])


def blobs(*, tenant: uuid.UUID, entries: Sequence[uuid.UUID], using: str = "default") -> dict[uuid.UUID, bytes]:
    """The large data of entries."""
    with connections[using].cursor() as cursor:
        cursor.execute(_BLOBS, [tenant, list(entries)])
        return {entry: bytes(content) for entry, content in cursor.fetchall()}


def erased_fields(
    *, tenant: uuid.UUID, first: int, end: int, using: str = "default"
) -> list[tuple[uuid.UUID, uuid.UUID, str]]:
    """The whole lists of the erasures that touched these leaves: erasure, entry, names."""
    with connections[using].cursor() as cursor:
        cursor.execute(_ERASED, {"tenant": tenant, "first": first, "end": end})
        return [(erasure, entry, names) for erasure, entry, names in cursor.fetchall()]


def block_nodes(*, tenant: uuid.UUID, first: int, end: int, using: str = "default") -> tuple[int, list[bytes]]:
    """The roots of the full blocks of 256 leaves inside a range: the number of the first block, and the hashes."""
    begin, upto = -(-first // 256), end // 256
    with connections[using].cursor() as cursor:
        cursor.execute(_NODES, [tenant, begin, max(begin, upto)])
        return begin, [bytes(found) for (found,) in cursor.fetchall()]


def checkpoints_between(
    *, tenant: uuid.UUID, first: int, end: int, most: int, using: str = "default"
) -> list[tuple[int, str]]:
    """About so many of the checkpoints of `first` to `end` leaves, evenly: size and note."""
    with connections[using].cursor() as cursor:
        cursor.execute(_CHECKPOINTS, [tenant, first, end, most])
        return list(cursor.fetchall())


def frontier(found: StoredTree, size: int) -> list[bytes]:
    """The roots of the full subtrees that cover the first `size` leaves."""
    return [found(level, position) for level, position in tree.cover(0, size)]


def _placed(row: tuple[Any, ...]) -> Placed:
    leaf, leaf_hash, entry_id, *values = row
    return Placed(leaf, bytes(leaf_hash), entry_id, canonical.row_of(values) if values[0] is not None else None)
