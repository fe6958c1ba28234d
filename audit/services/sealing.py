"""Giving waiting entries their place in their tenant's tree, and signing where it ends.

This works as the owner of the tables, who alone may write the tree (the maintenance worker, and commands). The row lock
on a tenant's head makes one sealer of each tenant, and everything of a batch is one transaction: a sealer that is killed
has done nothing. What is committed later than a batch looked is in the next one, so no clock and no sequence is trusted;
(recorded_at, id) is the order inside a batch only.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, connections, transaction
from django.db.backends.utils import CursorWrapper

from audit import keys, notes, tree
from audit.errors import KeyMissing, NotANote, TreeDiffers
from audit.keys import SignsAs
from audit.notes import TreeHead
from audit.services import findings

OWNER = "owner"
BATCH = 50_000
UNSEALABLE = "unsealable"

_BEGIN_HEAD = """
INSERT INTO audit_head (tenant_id, tree_size, frontier, key_id, pruned_below) VALUES (%s, 0, '', %s, 0)
ON CONFLICT (tenant_id) DO NOTHING
"""
_LOCK_HEAD = "SELECT tree_size, frontier, key_id FROM audit_head WHERE tenant_id = %s FOR UPDATE"
_LAST_CHECKPOINT = """
SELECT note, key_id FROM audit_checkpoint WHERE tenant_id = %s ORDER BY tree_size DESC LIMIT 1
"""
# The lock on the head keeps other sealers out, and nobody else deletes here. A batch is told by where it ends: a list of
# its rows would be walked for each of them where the planner knows of none, as it does of a tenant that began today.
_PLACE = """
WITH taken AS (
    DELETE FROM audit_pending
    WHERE tenant_id = %(tenant)s AND recorded_at >= %(since)s AND (recorded_at, entry_id) <= (
        SELECT recorded_at, entry_id FROM (
            SELECT recorded_at, entry_id FROM audit_pending
            WHERE tenant_id = %(tenant)s AND recorded_at >= %(since)s ORDER BY recorded_at, entry_id LIMIT %(most)s
        ) AS batch ORDER BY recorded_at DESC, entry_id DESC LIMIT 1
    )
    RETURNING recorded_at, entry_id, leaf_hash
), placed AS (
    INSERT INTO audit_leaf (tenant_id, leaf_index, entry_id, recorded_at, leaf_hash)
    SELECT %(tenant)s, %(size)s + row_number() OVER (ORDER BY recorded_at, entry_id) - 1, entry_id, recorded_at, leaf_hash
    FROM taken
    RETURNING leaf_index, leaf_hash
)
SELECT string_agg(leaf_hash, ''::bytea ORDER BY leaf_index) FROM placed
"""
# Three writes in one round trip: they do not read each other.
_MOVE_HEAD = """
WITH kept AS (
    INSERT INTO audit_node (tenant_id, level, position, hash)
    SELECT %(tenant)s, level, position, hash
    FROM unnest(%(levels)s::int2[], %(positions)s::int8[], %(hashes)s::bytea[]) AS made (level, position, hash)
), signed AS (
    INSERT INTO audit_checkpoint (tenant_id, tree_size, root, sealed_at, key_id, note)
    VALUES (%(tenant)s, %(size)s, %(root)s, %(at)s, %(key)s, %(note)s)
)
UPDATE audit_head SET tree_size = %(size)s, frontier = %(frontier)s, sealed_at = %(at)s WHERE tenant_id = %(tenant)s
"""
_PUBLISH = """
INSERT INTO audit_signingkey (key_id, name, public_key, created_at) VALUES (%s, %s, %s, %s)
ON CONFLICT (key_id) DO NOTHING
"""
# An entry has one place. A second row for it, whoever wrote it, would stop the tenant's sealing for good.
_DROP_SECOND_ROWS = """
DELETE FROM audit_pending p WHERE p.tenant_id = %(tenant)s AND (
    EXISTS (SELECT FROM audit_leaf l WHERE l.tenant_id = p.tenant_id AND l.entry_id = p.entry_id)
    OR EXISTS (
        SELECT FROM audit_pending o
        WHERE o.tenant_id = p.tenant_id AND o.entry_id = p.entry_id AND o.recorded_at < p.recorded_at
    )
)
"""


@dataclass(frozen=True, slots=True)
class Sealed:
    """One batch: how many entries got their place, and the checkpoint that holds them."""

    count: int
    tree_size: int
    note: str


def seal(*, tenant: uuid.UUID, at: datetime, since: datetime | None = None, most: int = BATCH) -> Sealed | None:
    """Place what waits, at most so many entries, and sign; None where nothing waits.

    What was recorded before `since` is left to another look: a caller who knows where waiting begins spares this one the
    rows that were sealed before.

    Raises KeyMissing where this tenant's key is not here, and TreeDiffers where the stored tree is not what was signed
    last; nothing is placed then, and a finding says so.
    """
    try:
        try:
            return _seal(tenant, at, since, most)
        except IntegrityError:
            _drop_second_rows(tenant, at)
        try:
            return _seal(tenant, at, since, most)
        except IntegrityError as error:
            raise TreeDiffers("something stands already where the next leaves belong") from error
    except (KeyMissing, TreeDiffers) as error:
        findings.note_finding(tenant=tenant, kind=UNSEALABLE, detail=str(error), at=at)
        raise


def seal_all(*, tenant: uuid.UUID, at: datetime) -> int:
    """Place everything that waits, batch by batch; answers how many entries."""
    count = 0
    while (done := seal(tenant=tenant, at=at)) is not None:
        count += done.count
        if done.count < BATCH:
            break
    return count


def origin_of(tenant: uuid.UUID) -> str:
    """The first line of a tenant's checkpoints: which log it is."""
    return f"{settings.AUDIT_ORIGIN}/{tenant}"


def key_name() -> str:
    """The name under which a new key signs."""
    return f"{settings.AUDIT_ORIGIN}/audit"


def publish_keys(*, at: datetime) -> list[str]:
    """Make the public half of every key that is here known to everybody; answers their ids, the oldest first."""
    found = keys.all_keys()
    with transaction.atomic(using=OWNER), connections[OWNER].cursor() as cursor:
        for key in found:
            publish(cursor, key)
    return [key.id for key in found]


def publish(cursor: CursorWrapper, key: SignsAs) -> None:
    cursor.execute(_PUBLISH, [key.id, key.name, key.public, key.created_at])


def _seal(tenant: uuid.UUID, at: datetime, since: datetime | None, most: int) -> Sealed | None:
    with transaction.atomic(using=OWNER, durable=True), connections[OWNER].cursor() as cursor:
        head = lock_head(cursor, tenant)
        return place(cursor, tenant, head, at, most, since)


@dataclass(frozen=True, slots=True)
class LockedHead:
    """Where a tenant's tree ends, while its row is locked: it is what was signed last."""

    origin: str
    size: int
    frontier: list[bytes]
    key: SignsAs


def lock_head(cursor: CursorWrapper, tenant: uuid.UUID) -> LockedHead:
    """Lock a tenant's head, make it where there is none, and see that it is the one that was signed."""
    cursor.execute(_LOCK_HEAD, [tenant])
    row = cursor.fetchone()
    if row is None:
        key = keys.newest()
        publish(cursor, key)
        cursor.execute(_BEGIN_HEAD, [tenant, key.id])
        cursor.execute(_LOCK_HEAD, [tenant])
        row = cursor.fetchone()
    size, packed, key_id = int(row[0]), bytes(row[1]), str(row[2])
    frontier = _hashes(packed)
    return LockedHead(_signed_origin(cursor, tenant, size, frontier), size, frontier, keys.get(key_id))


def place(
    cursor: CursorWrapper, tenant: uuid.UUID, head: LockedHead, at: datetime, most: int, since: datetime | None = None
) -> Sealed | None:
    """One batch, inside the transaction that holds the head's lock."""
    # A statement of its own, after the lock: its snapshot sees whatever the sealer before this one has done.
    cursor.execute(_PLACE, {"tenant": tenant, "size": head.size, "since": since or "-infinity", "most": most})
    (packed,) = cursor.fetchone()
    if packed is None:
        return None
    leaves = _hashes(bytes(packed))
    frontier, size, nodes = tree.append(head.frontier, head.size, leaves)
    root = tree.root_of(frontier)
    note = notes.signed(TreeHead(origin=head.origin, size=size, root=root), head.key)
    cursor.execute(
        _MOVE_HEAD,
        {
            "tenant": tenant,
            "levels": [level for level, _, _ in nodes],
            "positions": [position for _, position, _ in nodes],
            "hashes": [kept for _, _, kept in nodes],
            "size": size,
            "root": root,
            "at": at,
            "key": head.key.id,
            "note": note,
            "frontier": b"".join(frontier),
        },
    )
    return Sealed(count=len(leaves), tree_size=size, note=note)


def _signed_origin(cursor: CursorWrapper, tenant: uuid.UUID, size: int, frontier: list[bytes]) -> str:
    """The name of a tenant's log, which is for good that of its first checkpoint. Raises TreeDiffers.

    A log must never sign two histories. Somebody who changed the head's row, or took checkpoints away, must not get our
    signature under what they made.
    """
    cursor.execute(_LAST_CHECKPOINT, [tenant])
    row = cursor.fetchone()
    if row is None:
        if size or frontier:
            raise TreeDiffers(f"the tree has {size} leaves, and no checkpoint says so")
        return origin_of(tenant)
    note, key_id = row
    try:
        said, is_ours = notes.read(note), notes.is_signed_by(note, keys.get(key_id))
    except NotANote as error:
        raise TreeDiffers(f"the last checkpoint cannot be read: {error}") from error
    if not is_ours or not said.origin.endswith(f"/{tenant}"):
        raise TreeDiffers("the last checkpoint was not signed by us for this tenant")
    if said.size != size or len(frontier) != size.bit_count() or said.root != tree.root_of(frontier):
        raise TreeDiffers(f"the tree has {size} leaves, and is not the one that was signed at {said.size}")
    return said.origin


def _drop_second_rows(tenant: uuid.UUID, at: datetime) -> None:
    with transaction.atomic(using=OWNER, durable=True), connections[OWNER].cursor() as cursor:
        cursor.execute(_LOCK_HEAD, [tenant])
        cursor.execute(_DROP_SECOND_ROWS, {"tenant": tenant})
        dropped = cursor.rowcount
    if dropped:
        findings.note_finding(
            tenant=tenant,
            kind="second_places",
            detail=f"{dropped} entries waited for a second place in the tree; they keep their first",
            at=at,
        )


def _hashes(packed: bytes) -> list[bytes]:
    return [packed[place : place + tree.HASH_BYTES] for place in range(0, len(packed), tree.HASH_BYTES)]
