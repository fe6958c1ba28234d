"""Proofs from the stored tree: that an entry is in it, and that a later tree holds an earlier one.

Inner nodes are kept for every eighth level, so the hashes of a proof are made from whole tiles of up to 256 leaves or
nodes. A proof reads at most two tiles a level: some hundred rows, whether the tree has a thousand leaves or a thousand
million.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from django.db import connections

from audit import tree
from audit.errors import TreeIncomplete
from audit.models import Checkpoint, Leaf
from audit.queries.checkpoints import last_checkpoint
from audit.tree import HASH_BYTES, TILE_LEVELS

_TILE = 1 << TILE_LEVELS
_LEAVES = """
SELECT string_agg(leaf_hash, ''::bytea ORDER BY leaf_index), min(leaf_index), max(leaf_index) FROM audit_leaf
WHERE tenant_id = %s AND leaf_index >= %s AND leaf_index < %s
"""
_NODES = """
SELECT string_agg(hash, ''::bytea ORDER BY position), min(position), max(position) FROM audit_node
WHERE tenant_id = %s AND level = %s AND position >= %s AND position < %s
"""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That the leaf at `index` is in the tree of a checkpoint: its audit path, the lowest first (RFC 9162, 2.1.3)."""

    index: int
    leaf_hash: bytes
    path: list[bytes]
    checkpoint: Checkpoint


@dataclass(slots=True)
class StoredTree:
    """The roots of full subtrees of one tenant's tree, as `tree` asks for them. It remembers what it read."""

    tenant: uuid.UUID
    using: str = "default"
    _tiles: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)
    _roots: dict[tuple[int, int], bytes] = field(default_factory=dict)  # an export proves many leaves of the same tiles

    def __call__(self, level: int, position: int) -> bytes:
        """The root of the 2 ** level leaves that begin at position * 2 ** level. Raises TreeIncomplete."""
        found = self._roots.get((level, position))
        if found is None:
            found = self._roots[level, position] = self._root_of(level, position)
        return found

    def _root_of(self, level: int, position: int) -> bytes:
        below = level % TILE_LEVELS
        first, count = position << below, 1 << below
        tile = self._tile(level - below, first // _TILE)
        start = first % _TILE
        hashes = tile[start : start + count]
        if len(hashes) != count:
            raise TreeIncomplete(f"the tree lacks rows of level {level - below} at {first}")
        return _root(hashes)

    def _tile(self, level: int, number: int) -> list[bytes]:
        found = self._tiles.get((level, number))
        if found is None:
            found = self._tiles[level, number] = self._read(level, number * _TILE, (number + 1) * _TILE)
        return found

    def _read(self, level: int, begin: int, end: int) -> list[bytes]:
        with connections[self.using].cursor() as cursor:
            if level:
                cursor.execute(_NODES, [self.tenant, level, begin, end])
            else:
                cursor.execute(_LEAVES, [self.tenant, begin, end])
            packed, first, last = cursor.fetchone()
        packed = bytes(packed or b"")
        if packed and (first != begin or len(packed) != (last - first + 1) * HASH_BYTES):
            raise TreeIncomplete(f"the tree lacks rows of level {level} from {begin} on")
        return [packed[place : place + HASH_BYTES] for place in range(0, len(packed), HASH_BYTES)]


def inclusion(*, tenant: uuid.UUID, entry_id: uuid.UUID) -> Inclusion | None:
    """The proof of an entry in the newest checkpoint; None where the entry has no place yet, or is none."""
    leaf = Leaf.objects.filter(tenant_id=tenant, entry_id=entry_id).first()
    checkpoint = last_checkpoint(tenant=tenant)
    if leaf is None or checkpoint is None:
        return None
    path = tree.inclusion_proof(leaf.leaf_index, checkpoint.tree_size, StoredTree(tenant))
    return Inclusion(index=leaf.leaf_index, leaf_hash=bytes(leaf.leaf_hash), path=path, checkpoint=checkpoint)


def consistency(*, tenant: uuid.UUID, first: int, second: int) -> list[bytes]:
    """That the tree of `second` leaves begins with that of `first` (RFC 9162, 2.1.4). Raises ValueError where first is
    zero or the larger one; the caller has seen that there are so many leaves."""
    return tree.consistency_proof(first, second, StoredTree(tenant))


def _root(hashes: list[bytes]) -> bytes:
    """Of a power of two of hashes."""
    while len(hashes) > 1:
        hashes = [tree.node_hash(hashes[place], hashes[place + 1]) for place in range(0, len(hashes), 2)]
    return hashes[0]
