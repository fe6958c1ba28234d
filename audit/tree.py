"""The Merkle tree of RFC 9162 (section 2.1), over hashes: pure, no storage.

A tree of n leaves is held as its frontier: the roots of the full subtrees that cover it from left to right, one for each
bit of n, the largest first (a "compact range"). Appending and the root need nothing else. A proof needs roots of full
subtrees inside the tree; who has them answers `subtree(level, position)`: the root of the 2 ** level leaves that begin at
position * 2 ** level.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

NODE_PREFIX = b"\x01"
EMPTY_ROOT = hashlib.sha256(b"").digest()
HASH_BYTES = 32
TILE_LEVELS = 8  # inner nodes are kept for every eighth level: roots of 256, 65,536 ... leaves

Subtree = Callable[[int, int], bytes]


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(NODE_PREFIX + left + right).digest()


def root_of(frontier: Sequence[bytes]) -> bytes:
    """The root of the tree that a frontier stands for."""
    if not frontier:
        return EMPTY_ROOT
    *rest, root = frontier
    for left in reversed(rest):
        root = node_hash(left, root)
    return root


def append(
    frontier: Sequence[bytes], size: int, leaves: Iterable[bytes]
) -> tuple[list[bytes], int, list[tuple[int, int, bytes]]]:
    """Add leaf hashes to a tree of `size` leaves: its new frontier, its new size, and the inner nodes to keep.

    Nodes are (level, position, hash) of the subtrees that became full, for every eighth level.
    """
    found, kept = list(frontier), []
    sha256 = hashlib.sha256
    for leaf in leaves:
        found.append(leaf)
        size += 1
        level, ends = 0, size
        while not ends & 1:
            right = found.pop()
            found[-1] = sha256(NODE_PREFIX + found[-1] + right).digest()
            ends >>= 1
            level += 1
            if not level % TILE_LEVELS:
                kept.append((level, ends - 1, found[-1]))
    return found, size, kept


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """RFC 9162, 2.1.3.1: the audit path of the leaf `index` in the tree of the first `size` leaves, lowest first."""
    if not 0 <= index < size:
        raise ValueError("a leaf is inside its tree")
    return _path(index, 0, size, subtree)


def consistency_proof(first: int, second: int, subtree: Subtree) -> list[bytes]:
    """RFC 9162, 2.1.4.1: that the tree of `first` leaves is a prefix of that of `second`; empty where they are equal."""
    if not 0 < first <= second:
        raise ValueError("a tree is consistent with a later one that is not smaller")
    return [] if first == second else _subproof(first, 0, second, True, subtree)


def range_root(begin: int, end: int, subtree: Subtree) -> bytes:
    """The hash of leaves begin (included) to end (excluded), where begin is that of a node of the tree."""
    parts = [subtree(level, position) for level, position in cover(begin, end)]
    return root_of(parts)


def cover(begin: int, end: int) -> list[tuple[int, int]]:
    """The fewest full subtrees (level, position) that cover the leaves begin (included) to end (excluded), in order."""
    found = []
    while begin < end:
        level = (begin & -begin).bit_length() - 1 if begin else (end - begin).bit_length() - 1
        while begin + (1 << level) > end:
            level -= 1
        found.append((level, begin >> level))
        begin += 1 << level
    return found


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """RFC 9162, 2.1.3.2: the root that an audit path leads to. Raises ValueError where its length cannot be."""
    if not 0 <= index < size:
        raise ValueError("a leaf is inside its tree")
    node, last, root = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ValueError("the proof is too long")
        if node & 1 or node == last:
            root = node_hash(sibling, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ValueError("the proof is too short")
    return root


def is_consistent(first: int, first_root: bytes, second: int, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """RFC 9162, 2.1.4.2."""
    if not 0 < first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _split(count: int) -> int:
    """The largest power of two below a count of two or more."""
    return 1 << ((count - 1).bit_length() - 1)


def _path(index: int, begin: int, end: int, subtree: Subtree) -> list[bytes]:
    if end - begin == 1:
        return []
    middle = begin + _split(end - begin)
    if index < middle:
        return [*_path(index, begin, middle, subtree), range_root(middle, end, subtree)]
    return [*_path(index, middle, end, subtree), range_root(begin, middle, subtree)]


def _subproof(first: int, begin: int, end: int, is_whole: bool, subtree: Subtree) -> list[bytes]:
    if first == end:
        return [] if is_whole else [range_root(begin, end, subtree)]
    middle = begin + _split(end - begin)
    if first <= middle:
        return [*_subproof(first, begin, middle, is_whole, subtree), range_root(middle, end, subtree)]
    return [*_subproof(first, middle, end, False, subtree), range_root(begin, middle, subtree)]
