"""Proofs by the API lead from an entry to a checkpoint, and from a checkpoint to a later one, with nothing of ours needed."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agentops.common.scope import tenant_scope
from audit import keys, notes, queries, tree
from audit.keys import PublicKey
from tenants import machines
from tests.audit.logs import Log, naive_root
from tests.world import World


class Api:
    def __init__(self, key: str) -> None:
        self.key = key

    def get(self, path: str, *, status: int = 200) -> Any:
        found = Client().get(f"/api/v1/audit/{path}", headers={"authorization": f"Bearer {self.key}"})
        assert found.status_code == status, found.content
        return found


@pytest.fixture
def log(world: World) -> Log:
    found = Log(world.acme)
    for count in (1, 255, 300, 40):
        found.write(count)
        found.seal()
    return found


@pytest.fixture
def api(world: World, key_for: Callable[..., str]) -> Api:
    machines.forget_cached_keys()
    return Api(key_for(world.acme, "read"))


def published() -> list[PublicKey]:
    """As anybody gets them."""
    found = Client().get("/.well-known/agentops-audit-keys.json").json()["keys"]
    assert [set(key) for key in found] == [{"key_id", "name", "public_key", "created_at", "retired_at"}]
    known = {key.id: key for key in queries.public_keys()}
    for key in found:
        assert base64.b64decode(key["public_key"]) == known[key["key_id"]].public
        assert keys.id_of(base64.b64decode(key["public_key"])) == key["key_id"]
    return list(known.values())


def test_an_entry_is_proven_up_to_a_signed_checkpoint(log: Log, api: Api) -> None:
    signers = published()
    leaves = log.leaves()
    for index in (0, 1, 255, 256, 300, 511, 512, len(leaves) - 1):
        proof = api.get(f"entries/{leaves[index].entry_id}/proof").json()
        assert (proof["leaf_index"], proof["leaf_hash"]) == (index, bytes(leaves[index].leaf_hash).hex())
        head = notes.read(proof["checkpoint"])
        assert notes.signer_of(proof["checkpoint"], signers) is not None
        assert head.size == proof["tree_size"] == len(leaves)
        path = [bytes.fromhex(one) for one in proof["path"]]
        assert tree.root_from_inclusion(bytes.fromhex(proof["leaf_hash"]), index, head.size, path) == head.root


def test_the_same_proof_as_c2sps_text(log: Log, api: Api) -> None:
    wanted = log.leaves()[300]
    answer = api.get(f"entries/{wanted.entry_id}/proof?format=text")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    first, extra, index, *rest = answer.content.decode().split("\n")
    assert first == "c2sp.org/tlog-proof@v1"
    assert base64.b64decode(extra.removeprefix("extra ")).decode() == str(wanted.entry_id)
    assert index == "index 300"
    gap = rest.index("")
    path, note = [base64.b64decode(line) for line in rest[:gap]], "\n".join(rest[gap + 1 :])
    head = notes.read(note)
    assert notes.signer_of(note, published()) is not None
    assert tree.root_from_inclusion(bytes(wanted.leaf_hash), 300, head.size, path) == head.root


def test_every_checkpoint_is_the_beginning_of_every_later_one(log: Log, api: Api) -> None:
    held = log.checkpoints()
    assert len(held) == 4
    for place, first in enumerate(held):
        for second in held[place:]:
            said = api.get(f"consistency?first={first.tree_size}&second={second.tree_size}").json()
            path = [bytes.fromhex(one) for one in said["path"]]
            roots = bytes(first.root), bytes(second.root)
            assert tree.is_consistent(first.tree_size, roots[0], second.tree_size, roots[1], path)


def test_without_a_second_size_the_newest_is_meant(log: Log, api: Api) -> None:
    held = log.checkpoints()
    said = api.get(f"consistency?first={held[0].tree_size}").json()
    assert said["second"] == held[-1].tree_size and said["checkpoint"] == held[-1].note


@pytest.mark.parametrize("query", ["", "first=0", "first=-1", "first=x", "first=2&second=1", "first=1&second=99999"])
def test_sizes_that_no_tree_had_are_refused(log: Log, api: Api, query: str) -> None:
    refusal = api.get(f"consistency?{query}", status=400).json()
    assert refusal["code"] == "invalid" and refusal["errors"][0]["pointer"] == "/first"


def test_checkpoints_come_page_by_page_after_the_one_that_is_held(log: Log, api: Api) -> None:
    held = log.checkpoints()
    page = api.get(f"checkpoints?after={held[0].tree_size}&limit=2").json()
    assert [one["note"] for one in page["results"]] == [one.note for one in held[1:3]]
    assert [one["root"] for one in page["results"]] == [bytes(one.root).hex() for one in held[1:3]]
    following = api.get(page["next"].partition("/api/v1/audit/")[2]).json()
    assert [one["tree_size"] for one in following["results"]] == [held[3].tree_size]
    assert following["next"] is None


def test_the_newest_checkpoint_is_a_text_to_be_kept(log: Log, api: Api) -> None:
    assert api.get("checkpoint").content.decode() == log.checkpoints()[-1].note


def test_an_entry_that_waits_has_no_proof_yet(log: Log, api: Api) -> None:
    [waiting] = log.write(1)
    for form in ("", "?format=text"):
        refusal = api.get(f"entries/{waiting}/proof{form}", status=409)
        assert json.loads(refusal.content)["code"] == "not_sealed"
        assert refusal["Retry-After"] == "10"
    log.seal()
    api.get(f"entries/{waiting}/proof")


def test_what_is_no_entry_of_the_organisation_is_not_there(log: Log, api: Api, world: World) -> None:
    other = Log(world.globex)
    other.seal()
    for wanted in (uuid.uuid4(), other.leaves()[0].entry_id):
        assert api.get(f"entries/{wanted}/proof", status=404).json()["code"] == "not_found"


def test_before_anything_is_sealed_there_is_no_checkpoint(world: World, key_for: Callable[..., str]) -> None:
    machines.forget_cached_keys()
    api = Api(key_for(world.globex, "read"))
    assert api.get("checkpoints").json() == {"results": [], "next": None}
    assert json.loads(api.get("checkpoint", status=409).content)["code"] == "not_sealed"
    assert api.get("consistency?first=1", status=400).json()["code"] == "invalid"


def test_a_proof_in_a_large_tree_reads_a_few_tiles(world: World) -> None:
    log = Log(world.acme)
    log.execute(
        "INSERT INTO audit_pending SELECT %s, now() + number * interval '1 microsecond', gen_random_uuid(), "
        "sha256(number::text::bytea) FROM generate_series(1, 66500) AS made (number)",
        log.id,
    )
    while log.seal(most=30_000):
        pass
    hashes = log.hashes()
    assert len(hashes) > 66_500 and (16, 0) in log.nodes()
    [first, second, newest] = log.checkpoints()
    assert bytes(newest.root) == naive_root(hashes)
    entries = {leaf.leaf_index: leaf.entry_id for leaf in log.leaves()}
    with tenant_scope(log.id):
        for index in (0, 65_535, 65_536, 66_000, len(hashes) - 1):
            with CaptureQueriesContext(connection) as asked:
                proof = queries.inclusion(tenant=log.id, entry_id=entries[index])
            assert proof is not None
            assert tree.root_from_inclusion(hashes[index], index, len(hashes), proof.path) == bytes(newest.root)
            assert len(asked) <= 8, "the leaf, the checkpoint, and at most two tiles of each of three levels"
        for older in (first, second):
            path = queries.consistency(tenant=log.id, first=older.tree_size, second=newest.tree_size)
            roots = bytes(older.root), bytes(newest.root)
            assert tree.is_consistent(older.tree_size, roots[0], newest.tree_size, roots[1], path)


@pytest.mark.parametrize("gone", [5, 0, 599])
def test_where_a_leaf_is_gone_no_proof_is_made_up(log: Log, api: Api, gone: int) -> None:
    leaves = log.leaves()
    entry_id = leaves[gone + 1 if gone != 599 else 598].entry_id
    log.execute("DELETE FROM audit_leaf WHERE tenant_id = %s AND leaf_index = %s", log.id, gone)
    assert api.get(f"entries/{entry_id}/proof", status=500).json()["code"] == "tree_incomplete"


def test_where_a_node_is_gone_no_proof_is_made_up(log: Log, api: Api) -> None:
    entry_id = log.leaves()[300].entry_id
    log.execute("DELETE FROM audit_node WHERE tenant_id = %s AND position = 0", log.id)
    assert api.get(f"entries/{entry_id}/proof", status=500).json()["code"] == "tree_incomplete"
