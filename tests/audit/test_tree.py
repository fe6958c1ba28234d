"""Our tree is RFC 9162's: by the vectors that everybody uses, by the words of the RFC, and by somebody else's library.

The eight leaves, their roots and their proofs are those that the implementations of Certificate Transparency test each
other with. `tamperlog` is another implementation, by other people, which checks proofs in another way than ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
import tamperlog.merkle as other
from hypothesis import given, settings
from hypothesis import strategies as st
from tamperlog.errors import ProofError

from audit import canonical, tree
from tests.audit.logs import naive_root

LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
_A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
_B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
_C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
_D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
_E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
_F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
INCLUSIONS = {  # (leaf, size)
    (0, 1): [],
    (0, 8): [_A, _B, _C],
    (5, 8): [_D, _E, ROOTS[3]],
    (2, 3): [ROOTS[1]],
    (1, 5): [ROOTS[0], _B, _D],
}
CONSISTENCIES = {(1, 1): [], (1, 8): [_A, _B, _C], (6, 8): [_F, _E, ROOTS[3]], (2, 5): [_B, _D]}

UP_TO = 40
HASHES = [canonical.leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES]
MANY = [hashlib.sha256(str(number).encode()).digest() for number in range(700)]


def stored(leaves: Sequence[bytes]) -> tree.Subtree:
    """Whole subtrees of these leaves, by the words of the RFC."""

    def subtree(level: int, position: int) -> bytes:
        found = list(leaves[position << level : (position + 1) << level])
        assert len(found) == 1 << level, "a proof asks for full subtrees only"
        return naive_root(found)

    return subtree


def grown(leaves: Sequence[bytes], *, by: int = 1) -> tuple[list[bytes], list[tuple[int, int, bytes]]]:
    """The frontier and the kept nodes after batches of so many."""
    frontier: list[bytes] = []
    size, kept = 0, []
    for begin in range(0, len(leaves), by):
        frontier, size, nodes = tree.append(frontier, size, leaves[begin : begin + by])
        kept += nodes
    assert size == len(leaves)
    return frontier, kept


def test_the_empty_tree_is_the_hash_of_nothing() -> None:
    assert tree.root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    frontier, _ = grown(HASHES[:size])
    assert tree.root_of(frontier).hex() == ROOTS[size - 1]
    assert len(frontier) == size.bit_count()


@pytest.mark.parametrize(("index", "size"), INCLUSIONS)
def test_inclusion_proofs_are_those_of_certificate_transparency(index: int, size: int) -> None:
    path = tree.inclusion_proof(index, size, stored(HASHES))
    assert [one.hex() for one in path] == INCLUSIONS[index, size]
    assert tree.root_from_inclusion(HASHES[index], index, size, path).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("first", "second"), CONSISTENCIES)
def test_consistency_proofs_are_those_of_certificate_transparency(first: int, second: int) -> None:
    path = tree.consistency_proof(first, second, stored(HASHES))
    assert [one.hex() for one in path] == CONSISTENCIES[first, second]
    roots = [bytes.fromhex(root) for root in ROOTS]
    assert tree.is_consistent(first, roots[first - 1], second, roots[second - 1], path)


def test_the_example_of_the_rfc() -> None:
    """RFC 9162, 2.1.5: a tree of seven leaves, its nodes by the letters that the RFC gives them."""
    a, b, c, d, e, f, j = MANY[:7]
    g, h, i = tree.node_hash(a, b), tree.node_hash(c, d), tree.node_hash(e, f)
    k, m = tree.node_hash(g, h), tree.node_hash(i, j)
    leaves = stored([a, b, c, d, e, f, j])
    assert tree.root_of(grown([a, b, c, d, e, f, j])[0]) == tree.node_hash(k, m)
    assert tree.inclusion_proof(0, 7, leaves) == [b, h, m]
    assert tree.inclusion_proof(3, 7, leaves) == [c, g, m]
    assert tree.inclusion_proof(4, 7, leaves) == [f, j, k]
    assert tree.inclusion_proof(6, 7, leaves) == [i, k]
    assert tree.consistency_proof(3, 7, leaves) == [c, d, g, m]
    assert tree.consistency_proof(4, 7, leaves) == [m]
    assert tree.consistency_proof(6, 7, leaves) == [i, j, k]


@pytest.mark.parametrize("size", range(1, UP_TO))
def test_another_library_makes_the_same_roots_and_proofs_and_believes_ours(size: int) -> None:
    leaves, subtree = MANY[:size], stored(MANY[:size])
    root = tree.root_of(grown(leaves)[0])
    assert root == other.merkle_root(leaves) == naive_root(leaves)
    for index in range(size):
        path = tree.inclusion_proof(index, size, subtree)
        assert path == other.inclusion_proof(index, leaves)
        other.verify_inclusion(index, size, leaves[index], path, root)
    for first in range(1, size + 1):
        path = tree.consistency_proof(first, size, subtree)
        assert path == other.consistency_proof(first, leaves)
        other.verify_consistency(first, naive_root(leaves[:first]), size, root, path)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_of_a_spoiled_proof_both_say_the_same(data: st.DataObject) -> None:
    """One hash changed, dropped, doubled or moved; another index; another size: no proof leads to the root then."""
    size = data.draw(st.integers(2, UP_TO))
    index = data.draw(st.integers(0, size - 1))
    root, path = naive_root(MANY[:size]), tree.inclusion_proof(index, size, stored(MANY))
    place = data.draw(st.integers(0, len(path) - 1))
    spoiled, at = list(path), index
    match data.draw(st.sampled_from(["changed", "dropped", "doubled", "moved", "index"])):
        case "changed":
            spoiled[place] = MANY[-1]
        case "dropped":
            del spoiled[place]
        case "doubled":
            spoiled.insert(place, spoiled[place])
        case "moved":
            spoiled.insert(data.draw(st.integers(0, len(path) - 1)), spoiled.pop(place))
        case "index":
            at = data.draw(st.integers(0, size - 1))
    is_same = spoiled == path and at == index
    assert _believes(at, size, MANY[index], spoiled, root) == is_same
    assert _other_believes(at, size, MANY[index], spoiled, root) == is_same


def _believes(index: int, size: int, leaf: bytes, path: list[bytes], root: bytes) -> bool:
    try:
        return tree.root_from_inclusion(leaf, index, size, path) == root
    except ValueError:
        return False


def _other_believes(index: int, size: int, leaf: bytes, path: list[bytes], root: bytes) -> bool:
    try:
        other.verify_inclusion(index, size, leaf, path, root)
    except ProofError:
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_of_two_histories_none_is_the_beginning_of_the_other(data: st.DataObject) -> None:
    second = data.draw(st.integers(2, UP_TO))
    first = data.draw(st.integers(1, second - 1))
    path = tree.consistency_proof(first, second, stored(MANY))
    old, new = naive_root(MANY[:first]), naive_root(MANY[:second])
    assert tree.is_consistent(first, old, second, new, path)
    place = data.draw(st.integers(0, first - 1))
    forged = [*MANY[:place], MANY[-1], *MANY[place + 1 : second]]
    assert not tree.is_consistent(first, old, second, naive_root(forged), path)
    assert not tree.is_consistent(first, old, second, naive_root(forged), _proof_of(forged, first))
    assert not tree.is_consistent(first, naive_root(forged[:first]), second, new, path)
    assert not tree.is_consistent(first, old, second, new, path[:-1])
    assert not tree.is_consistent(first, old, second, new, [*path, path[-1]])


def _proof_of(leaves: list[bytes], first: int) -> list[bytes]:
    return tree.consistency_proof(first, len(leaves), stored(leaves))


@pytest.mark.parametrize("by", [1, 3, 256, 300, 700])
def test_the_size_of_batches_changes_nothing(by: int) -> None:
    frontier, kept = grown(MANY, by=by)
    assert tree.root_of(frontier) == naive_root(MANY)
    assert kept == [(8, 0, naive_root(MANY[:256])), (8, 1, naive_root(MANY[256:512]))]


def test_of_65536_leaves_a_node_of_the_next_kept_level_is_made() -> None:
    leaves = [canonical.leaf_hash(number.to_bytes(4, "big")) for number in range(1 << 16)]
    frontier, kept = grown(leaves, by=10_000)
    assert [(level, position) for level, position, _ in kept if level == 16] == [(16, 0)]
    assert kept[-1][2] == frontier[0] == tree.root_of(frontier) == naive_root(leaves)
    assert [position for level, position, _ in kept if level == 8] == list(range(256))


@pytest.mark.parametrize(("begin", "end"), [(0, 0), (0, 1), (3, 3), (1, 7), (4, 8), (5, 700), (0, 700), (256, 511)])
def test_a_cover_is_of_full_subtrees_in_order(begin: int, end: int) -> None:
    at = begin
    for level, position in tree.cover(begin, end):
        assert position << level == at
        at += 1 << level
    assert at == end


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_a_leaf_outside_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="inside its tree"):
        tree.inclusion_proof(index, size, stored(MANY))
    with pytest.raises(ValueError, match="inside its tree"):
        tree.root_from_inclusion(MANY[0], index, size, [])
