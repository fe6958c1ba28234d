"""Whoever tampers with an export is found, and what they did is named.

The attacker here has the bundle and can write every file of it anew, with the manifest's digests, the hashes that lines
state, their numbers and the inner nodes made right again. They do not have the key, except where it says so.
"""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import warnings
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agentops.common import clock
from agentops.common.clock import rfc3339
from agentops.common.scope import tenant_scope
from audit import keys, notes, services, tree, verifier
from audit.canonical import leaf_hash
from audit.keys import SignsAs
from audit.notes import TreeHead
from audit.searching import Filters
from audit.types import Actor, Outcome, Target
from audit.verifier import MAX_FINDINGS, NotABundle, Report
from tests.audit.bundling import ENTRIES, Directory, export, public_keys, rehashed, renumbered
from tests.audit.logs import Log
from tests.world import World

BIG = 1_000  # leaves of the large log: three full blocks of 256 and a part of one


@pytest.fixture
def small(world: World, tmp_path: Path) -> Directory:
    """A bundle of some thirty leaves in three batches: no inner node is kept for so few."""
    log = Log(world.acme)
    log.seal()
    with tenant_scope(log.id):
        services.record(
            tenant=log.id, action="tenant.settings_changed", actor=Actor("user", "user:7", "ada@acme.example"),
            target=Target("tenant", "acme"), outcome=Outcome.SUCCESS, data={"changes": "x" * 20_000}, at=clock.now(),
        )  # fmt: skip
    log.write(9)
    log.seal()
    log.write(8)
    log.seal()
    return export(log, tmp_path / "small")


@pytest.fixture
def large(world: World, tmp_path: Path) -> Directory:
    """A bundle of a thousand leaves in two batches."""
    log = Log(world.acme)
    log.seal()
    log.write(BIG - 100 - log.head().tree_size)
    log.seal()
    log.write(100)
    log.seal()
    return export(log, tmp_path / "large")


def kinds(report: Report) -> set[str]:
    return {found.kind for found in report.findings}


def only(report: Report, kind: str) -> list[int | None]:
    """The leaves at which this was found, and nothing else was."""
    assert kinds(report) == {kind}, report.findings
    return [found.leaf for found in report.findings]


def changed(line: bytes) -> bytes:
    """Another entry in the place of one, stating its true hash."""
    return rehashed(line.replace(b'"outcome":"success"', b'"outcome":"failure"', 1))


def with_hashes(bundle: Directory, lines: list[bytes]) -> list[bytes]:
    """What the leaves of these lines come to: for who makes the inner nodes right, too."""
    return [bytes.fromhex(line.split(b'"hash":"')[1][:64].decode()) for line in lines]


def mend_nodes(bundle: Directory) -> None:
    _, _, kept = tree.append([], 0, with_hashes(bundle, bundle.lines()))
    proof = bundle.json("proof.json")
    proof["nodes"]["8"]["hashes"] = [found.hex() for level, _, found in kept if level == 8]
    bundle.write_json("proof.json", proof)


def test_an_untouched_bundle_is_sound(small: Directory, large: Directory) -> None:
    for bundle in (small, large):
        assert bundle.verify().findings == []


# -- entries ----------------------------------------------------------------------------------------------------------


def test_an_edited_entry_is_found_at_its_leaf(small: Directory, large: Directory) -> None:
    for bundle in (small, large):
        lines = bundle.lines()
        lines[5] = lines[5].replace(b'"outcome":"success"', b'"outcome":"failure"', 1)
        bundle.write_lines(lines)
        assert only(bundle.verify(), "edited") == [5]


def test_an_edited_entry_that_states_its_own_hash_is_found_between_two_checkpoints(small: Directory) -> None:
    lines, sizes = small.lines(), [notes.read(note).size for note in small.json("proof.json")["checkpoints"]]
    lines[sizes[0] + 2] = changed(lines[sizes[0] + 2])
    small.write_lines(lines)
    report = small.verify()
    assert only(report, "edited") == [sizes[0]]
    assert f"the leaves {sizes[0]} to {sizes[1] - 1}" in report.findings[0].detail


def test_an_edited_entry_that_states_its_own_hash_is_found_in_its_block_of_256(large: Directory) -> None:
    lines = large.lines()
    lines[300] = changed(lines[300])
    large.write_lines(lines)
    report = large.verify()
    assert only(report, "edited") == [256]
    assert "the leaves 256 to 511" in report.findings[0].detail


def test_making_the_nodes_right_as_well_does_not_help(large: Directory) -> None:
    lines = large.lines()
    lines[300] = changed(lines[300])
    large.write_lines(lines)
    mend_nodes(large)
    assert only(large.verify(), "edited") != []


def test_wrong_nodes_alone_are_no_harm_to_the_entries_and_are_said(large: Directory) -> None:
    proof = large.json("proof.json")
    proof["nodes"]["8"]["hashes"][1] = "00" * 32
    large.write_json("proof.json", proof)
    assert only(large.verify(), "file_changed") == [None]


def test_a_dropped_entry_is_found_where_it_was(small: Directory, large: Directory) -> None:
    for bundle, leaf in ((small, 3), (large, 300), (large, 990)):
        lines = bundle.lines()
        bundle.write_lines([*lines[:leaf], *lines[leaf + 1 :]])
        assert only(bundle.verify(), "dropped") == [leaf]
        bundle.write_lines(lines)


def test_a_dropped_entry_is_found_although_the_later_ones_were_renumbered(small: Directory, large: Directory) -> None:
    for bundle in (small, large):
        lines = bundle.lines()
        del lines[3]
        bundle.write_lines(renumbered(lines))
        bundle.change_manifest(lambda manifest: manifest.update(leaf_count=manifest["leaf_count"] - 1))
        assert only(bundle.verify(), "dropped") != []


def test_many_dropped_entries_are_counted_by_the_nodes_behind_them(large: Directory) -> None:
    lines = large.lines()
    del lines[40:47]
    large.write_lines(renumbered(lines))
    large.change_manifest(lambda manifest: manifest.update(leaf_count=len(lines)))
    report = large.verify()
    assert "dropped" in kinds(report), report.findings
    assert any("7 entries are missing behind leaf 0" in found.detail for found in report.findings), report.findings


def test_an_entry_that_is_there_twice_is_found(small: Directory) -> None:
    lines = small.lines()
    small.write_lines([*lines[:6], lines[5], *lines[6:]])
    assert only(small.verify(), "inserted") == [5]


def test_an_entry_that_was_never_sealed_is_found(small: Directory, large: Directory) -> None:
    for bundle in (small, large):
        lines = bundle.lines()
        lines.insert(6, changed(lines[5]))
        bundle.write_lines(renumbered(lines))
        bundle.change_manifest(lambda manifest: manifest.update(leaf_count=manifest["leaf_count"] + 1))
        assert only(bundle.verify(), "inserted") != []


def test_an_entry_at_the_end_that_was_never_sealed_is_found(small: Directory) -> None:
    lines = small.lines()
    lines.append(renumbered([changed(lines[-1])], first=len(lines))[0])
    small.write_lines(lines)
    assert only(small.verify(), "inserted") == [len(lines) - 1]
    small.change_manifest(lambda manifest: manifest.update(leaf_count=manifest["leaf_count"] + 1))
    assert only(small.verify(), "inserted") == [None]


def test_entries_in_another_order_are_found(small: Directory) -> None:
    lines = small.lines()
    lines[4], lines[5] = lines[5], lines[4]
    small.write_lines(lines)
    assert only(small.verify(), "reordered") == [4]


def test_an_entry_that_was_moved_to_the_end_is_found(large: Directory) -> None:
    lines = large.lines()
    large.write_lines([*lines[:300], *lines[301:], lines[300]])
    assert only(large.verify(), "reordered") == [300]


def test_entries_in_another_order_are_found_although_they_were_renumbered(small: Directory, large: Directory) -> None:
    for bundle in (small, large):
        lines = bundle.lines()
        first = len(lines) - 6
        lines[first], lines[first + 1] = lines[first + 1], lines[first]
        bundle.write_lines(renumbered(lines))
        assert len(only(bundle.verify(), "reordered")) == 1


def test_a_line_that_is_no_line_is_found(small: Directory) -> None:
    lines = small.lines()
    for rubbish in (b"\n", b"{}\n", b"\xff\xfe\n", b'{"leaf":5,"hash":"00"}\n', b"[" * 100_000 + b"\n"):
        small.write_lines([*lines[:5], rubbish, *lines[6:]])
        report = small.verify()
        assert "edited" in kinds(report) and "dropped" in kinds(report), report.findings
    start = lines[5][: lines[5].index(b'"entry":')]
    for rest in (b'"entry":{\n', b'"entry":' + b"[" * 100_000 + b"\n", b'"entry":7}\n', b"}\n"):
        small.write_lines([*lines[:5], start + rest, *lines[6:]])
        assert only(small.verify(), "edited") == [5]


def test_what_another_reader_of_a_line_would_take_for_the_entry_is_found(small: Directory) -> None:
    """Of two values of one name most programs take the last: the entry that was checked must be the one that they show."""
    lines, leaf = small.lines(), _of_a_person(small)
    forged = json.loads(lines[leaf])["entry"] | {"outcome": "failure"}
    private = json.loads(lines[leaf])["private"]
    for more in (
        {"entry": forged},
        {"leaf": 0},
        {"hash": "00" * 32},
        {"private": {**private, "actor_label": ["00" * 16, "somebody@else.example"]}},
        {"note": "seen and approved"},
    ):
        small.write_lines([*lines[:leaf], beside(lines[leaf], more), *lines[leaf + 1 :]])
        assert only(small.verify(), "edited") == [leaf], more
    gone = lines[leaf][: lines[leaf].index(b'"entry":')] + b'"pruned":true}\n'
    small.write_lines([*lines[:leaf], beside(gone, {"entry": forged}), *lines[leaf + 1 :]])
    assert only(small.verify(), "edited") == [leaf]


def beside(line: bytes, more: dict[str, Any]) -> bytes:
    """A line with more members behind those that it has."""
    return line[:-2] + b"," + json.dumps(more)[1:].encode() + b"\n"


def test_an_entry_that_is_said_to_be_pruned_and_is_not_in_the_log_as_pruned_is_found(small: Directory) -> None:
    lines = small.lines()
    lines[5] = lines[5][: lines[5].index(b'"entry":')] + b'"pruned":true}\n'
    small.write_lines(lines)
    assert only(small.verify(), "dropped") == [5]


# -- the end of the log -----------------------------------------------------------------------------------------------


def test_a_cut_off_end_is_found(small: Directory, large: Directory) -> None:
    for bundle in (small, large):
        lines = bundle.lines()
        bundle.write_lines(lines[:-3])
        assert only(bundle.verify(), "truncated") == [len(lines) - 3]
        bundle.change_manifest(lambda manifest: manifest.update(leaf_count=manifest["leaf_count"] - 3))
        assert only(bundle.verify(), "truncated") == [len(lines) - 3]


def test_a_bundle_that_was_made_smaller_is_found_although_it_is_right_in_itself(world: World, tmp_path: Path) -> None:
    """Whoever has a bundle has the hashes that stand in for what they take out of it, at either end."""
    log, at = Log(world.acme), clock.now() + timedelta(days=1)
    log.seal()
    begin = log.head().tree_size
    log.write(20, at=at)
    log.write(9, at=at + timedelta(hours=1))
    log.seal()
    hashes, hour = log.hashes(), Filters.parse({"from": rfc3339(at), "to": rfc3339(at + timedelta(minutes=1))})
    for name, filters, first, end in (("whole", Filters(), 0, len(hashes)), ("hour", hour, begin, begin + 20)):
        made = export(log, tmp_path / name, filters)
        assert made.verify().findings == []
        for place, (start, stop, kind, leaf) in enumerate(
            ((first + 3, end, "dropped", first + 2), (first, end - 3, "truncated", end - 3))
        ):
            cut = Directory(tmp_path / f"{name}-{place}")
            shutil.copytree(made.place, cut.place)
            make_smaller(cut, hashes, first, start, stop)
            assert only(cut.verify(), kind) == [leaf]
    words = verifier.in_words(made.verify())
    assert f"Asked for: recorded from {rfc3339(at)} to {rfc3339(at + timedelta(minutes=1))}." in words


def make_smaller(bundle: Directory, hashes: list[bytes], first: int, start: int, stop: int) -> None:
    """Only the leaves `start` to before `stop` of a bundle that begins at `first`, with all that proves them."""
    lines, subtree, proof = bundle.lines(), _subtrees(hashes), bundle.json("proof.json")

    def cover(begin: int, end: int) -> list[str]:
        return [subtree(level, position).hex() for level, position in tree.cover(begin, end)]

    bundle.write_json("proof.json", {**proof, "before": cover(0, start), "after": cover(stop, len(hashes))})
    around = [
        lines[leaf - first][:-2]
        + b',"proof":'
        + json.dumps([one.hex() for one in tree.inclusion_proof(leaf, len(hashes), subtree)]).encode()
        + b"}\n"
        for leaf in (start - 1, stop)
        if 0 <= leaf - first < len(lines)
    ]
    kept = bundle.lines("beside.ndjson.gz") if (bundle.place / "beside.ndjson.gz").exists() else []
    (bundle.place / "beside.ndjson.gz").write_bytes(gzip.compress(b"".join([*kept, *around])))
    bundle.write_lines(lines[start - first : stop - first])

    def told(manifest: dict[str, Any]) -> None:
        manifest.update(first_leaf=start, leaf_count=stop - start)
        if not kept:
            manifest["files"].append({"name": "beside.ndjson.gz"})

    bundle.change_manifest(told)
    bundle.change_manifest(lambda _: None)


def test_a_file_that_was_cut_off_or_taken_away_is_found(large: Directory) -> None:
    content = (large.place / ENTRIES).read_bytes()
    (large.place / ENTRIES).write_bytes(content[: len(content) // 2])
    assert {"file_changed", "truncated"} == kinds(large.verify())
    (large.place / ENTRIES).unlink()
    assert {"file_changed", "truncated"} == kinds(large.verify())


def test_a_cut_off_history_that_is_right_in_itself_is_found_by_a_checkpoint_from_elsewhere(
    world: World, tmp_path: Path
) -> None:
    log = Log(world.acme)
    log.seal()
    earlier = export(log, tmp_path / "earlier")
    log.write(5)
    log.seal()
    later = export(log, tmp_path / "later")
    assert earlier.verify().is_sound
    report = earlier.verify(held=[later.note()])
    assert kinds(report) == {"old_checkpoint", "truncated"}
    assert later.verify(held=[earlier.note(), later.note()]).is_sound


def test_an_older_checkpoint_in_the_place_of_the_last_is_found(small: Directory) -> None:
    small.write("checkpoint.txt", small.json("proof.json")["checkpoints"][0].encode())
    assert "old_checkpoint" in kinds(small.verify())


# -- whose log, whose signature ---------------------------------------------------------------------------------------


def test_an_entry_of_another_organisation_is_found(small: Directory, world: World, tmp_path: Path) -> None:
    other = Log(world.globex)
    other.seal()
    theirs = export(other, tmp_path / "theirs")
    lines = small.lines()
    lines[2] = theirs.lines()[2]
    small.write_lines(lines)
    assert only(small.verify(), "swapped_tenant") == [2]


def test_a_checkpoint_of_another_organisation_is_found(small: Directory, world: World, tmp_path: Path) -> None:
    other = Log(world.globex)
    other.seal()
    theirs = export(other, tmp_path / "theirs")
    small.write("checkpoint.txt", theirs.note().encode())
    assert "swapped_tenant" in kinds(small.verify())


def test_another_organisations_log_in_the_name_of_this_one_is_found(world: World, tmp_path: Path) -> None:
    mine, other = Log(world.acme), Log(world.globex)
    mine.seal()
    other.seal()
    theirs = export(other, tmp_path / "theirs")
    origin = notes.read(export(mine, tmp_path / "mine").note()).origin
    assert theirs.verify().is_sound
    assert only(theirs.verify(origin=origin), "swapped_tenant") == [None]
    theirs.change_manifest(lambda manifest: manifest.update(tenant=str(mine.id), slug="acme"))
    assert kinds(theirs.verify()) == {"swapped_tenant"}


def test_another_signature_is_found(small: Directory, tmp_path: Path) -> None:
    stranger = keys.make(name="somebody/audit", at=clock.now(), where=tmp_path / "keys")
    head = notes.read(small.note())
    small.write("checkpoint.txt", notes.signed(head, stranger).encode())
    assert only(small.verify(), "unknown_key") == [None]
    namesake = SignsAs(id=stranger.id, name=keys.newest().name, public=stranger.public, created_at=clock.now(),
                       private=stranger.private)  # fmt: skip
    small.write("checkpoint.txt", notes.signed(head, namesake).encode())
    assert only(small.verify(), "unknown_key") == [None]


def test_keys_that_come_with_the_bundle_are_not_believed(small: Directory, tmp_path: Path) -> None:
    stranger = keys.make(name="somebody/audit", at=clock.now(), where=tmp_path / "keys")
    small.write("checkpoint.txt", notes.signed(notes.read(small.note()), stranger).encode())
    small.write_json("keys.json", {"keys": [keys.as_json(stranger)]})
    assert only(small.verify(), "unknown_key") == [None]


def test_a_wrong_signature_is_found(small: Directory) -> None:
    head, signature = small.note().rsplit(" ", 1)
    value = bytearray(base64.b64decode(signature))
    value[20] ^= 1
    small.write("checkpoint.txt", f"{head} {base64.b64encode(value).decode()}\n".encode())
    assert only(small.verify(), "bad_signature") == [None]


@pytest.mark.parametrize(
    "text", ["", "x", "a\nb\nc\n\n— k AAAA\n", "o\n5\nAAAA\n\n— k AAAA\n", "o\n05\n" + "A" * 43 + "=\n\n— k AAAA\n"]
)
def test_a_checkpoint_that_is_none_is_found(small: Directory, text: str) -> None:
    small.write("checkpoint.txt", text.encode())
    assert "bad_signature" in kinds(small.verify())


def test_a_size_that_was_changed_breaks_the_signature(small: Directory) -> None:
    size = notes.read(small.note()).size
    small.write("checkpoint.txt", small.note().replace(f"\n{size}\n", f"\n{size - 1}\n", 1).encode())
    assert "bad_signature" in kinds(small.verify())


def test_a_stranger_cannot_hand_over_to_themselves(small: Directory, tmp_path: Path) -> None:
    """An entry that names their key, in a tree that only they have signed, makes nobody believe them."""
    stranger = keys.make(name=keys.newest().name, at=clock.now(), where=tmp_path / "keys")
    lines = small.lines()
    text = json.loads(lines[-1][lines[-1].index(b'"entry":') + 8 : -2])
    text |= {"action": "audit.key_rotated"}
    text["data"] = {
        "old": keys.newest().id,
        "new": stranger.id,
        "public_key": base64.b64encode(stranger.public).decode(),
    }
    raw = json.dumps(text, separators=(",", ":"), sort_keys=True).encode()
    lines[-1] = b'{"leaf":%d,"hash":"%b","entry":%b}\n' % (len(lines) - 1, leaf_hash(raw).hex().encode(), raw)
    small.write_lines(lines)
    _resign(small, stranger)
    report = small.verify()
    assert "unknown_key" in kinds(report)
    proof = small.json("proof.json")
    path = tree.inclusion_proof(len(lines) - 1, len(lines), _subtrees(with_hashes(small, lines)))
    support = lines[-1][:-2] + b',"proof":' + json.dumps([found.hex() for found in path]).encode()
    for more in (b"}\n", b',"checkpoint":' + json.dumps(small.note()).encode() + b"}\n"):
        proof["checkpoints"] = []
        small.write_json("proof.json", proof)
        (small.place / "support.ndjson.gz").write_bytes(gzip.compress(support + more))
        small.change_manifest(lambda manifest: manifest["files"].append({"name": "support.ndjson.gz"}))
        small.change_manifest(lambda _: None)
        assert "unknown_key" in kinds(small.verify())


def _resign(bundle: Directory, key: SignsAs) -> None:
    """What whoever has a key can do: sign what stands there."""
    hashes = with_hashes(bundle, bundle.lines())
    origin = notes.read(bundle.note()).origin
    frontier, size, _ = tree.append([], 0, hashes)
    bundle.write("checkpoint.txt", notes.signed(TreeHead(origin, size, tree.root_of(frontier)), key).encode())


def _subtrees(hashes: list[bytes]) -> tree.Subtree:
    def of(level: int, position: int) -> bytes:
        frontier, _, _ = tree.append([], 0, hashes[position << level : (position + 1) << level])
        return tree.root_of(frontier)

    return of


def test_a_history_rewritten_with_the_stolen_key_is_found_by_a_checkpoint_from_elsewhere(small: Directory) -> None:
    held = [small.json("proof.json")["checkpoints"][1], small.note()]
    lines = small.lines()
    lines[5] = changed(lines[5])
    small.write_lines(lines)
    _resign(small, keys.newest())
    proof = small.json("proof.json")
    assert "fork" in kinds(small.verify()), "the checkpoints that came with it say so already"
    proof["checkpoints"] = []
    small.write_json("proof.json", proof)
    assert small.verify().is_sound, "without any of them, nothing could be known"
    for note in held:
        assert only(small.verify(held=[note]), "fork") == [None]


# -- what stands beside entries ---------------------------------------------------------------------------------------


def _of_a_person(bundle: Directory) -> int:
    return next(place for place, line in enumerate(bundle.lines()) if b'"private":{' in line)


def _tampered(line: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    start = line.index(b',"private":')
    rest = json.loads(b"{" + line[start + 1 :])
    change(rest["private"])
    return line[:start] + b"," + json.dumps(rest, ensure_ascii=False).encode()[1:] + b"\n"


def test_a_changed_personal_value_is_found(small: Directory) -> None:
    leaf, lines = _of_a_person(small), small.lines()
    name = next(iter(json.loads(b"{" + lines[leaf][lines[leaf].index(b',"private":') + 1 :])["private"]))

    def other_value(private: dict[str, Any]) -> None:
        private[name][1] = "somebody@else.example"

    def other_salt(private: dict[str, Any]) -> None:
        private[name][0] = "00" * 16

    def no_pair(private: dict[str, Any]) -> None:
        private[name] = 7

    def uncommitted(private: dict[str, Any]) -> None:
        private["data.more"] = ["00" * 16, "said afterwards"]

    for change in (other_value, other_salt, no_pair, uncommitted):
        small.write_lines([*lines[:leaf], _tampered(lines[leaf], change), *lines[leaf + 1 :]])
        assert only(small.verify(), "private_edited") == [leaf]


def test_a_personal_value_that_no_erasure_took_is_missed(small: Directory) -> None:
    leaf, lines = _of_a_person(small), small.lines()
    small.write_lines([*lines[:leaf], _tampered(lines[leaf], dict.popitem), *lines[leaf + 1 :]])
    assert only(small.verify(), "erasure_unlisted") == [leaf]


def test_a_list_of_erasures_that_the_log_does_not_know_excuses_nothing(small: Directory) -> None:
    leaf, lines = _of_a_person(small), small.lines()
    gone: list[Any] = []
    lines[leaf] = _tampered(lines[leaf], lambda private: gone.append(private.popitem()))
    small.write_lines(lines)
    entry_id = json.loads(lines[leaf][lines[leaf].index(b'"entry":') + 8 : lines[leaf].rindex(b',"private"')])["id"]
    row = {"erasure": "019a0000-0000-7000-8000-000000000000", "entry": entry_id, "names": gone[0][0]}
    (small.place / "erasures.ndjson.gz").write_bytes(gzip.compress(json.dumps(row).encode() + b"\n"))
    small.change_manifest(lambda manifest: manifest["files"].append({"name": "erasures.ndjson.gz"}))
    small.change_manifest(lambda _: None)
    assert only(small.verify(), "erasure_unlisted") == [leaf]


def test_changed_or_missing_large_data_is_found(small: Directory) -> None:
    [blob] = small.lines("blobs-000001.ndjson.gz")
    small.write_lines([blob.replace(b"xxx", b"yyy", 1)], "blobs-000001.ndjson.gz")
    assert len(only(small.verify(), "blob_edited")) == 1
    small.write_lines([], "blobs-000001.ndjson.gz")
    assert len(only(small.verify(), "blob_edited")) == 1
    small.write_lines([blob, blob], "blobs-000001.ndjson.gz")
    assert only(small.verify(), "blob_edited") == [None]


def test_a_file_that_changed_on_its_way_is_found(small: Directory) -> None:
    for item in small.json("manifest.json")["files"]:
        file = small.place / item["name"]
        content = file.read_bytes()
        file.write_bytes(content + (b"\n" if not item["name"].endswith(".gz") else b"\x00"))
        report = small.verify()
        assert "file_changed" in kinds(report), item["name"]
        file.write_bytes(content)


# -- filtered bundles -------------------------------------------------------------------------------------------------


@pytest.fixture
def chosen(world: World, tmp_path: Path) -> Directory:
    """The entries of one action, out of a log of some."""
    log = Log(world.acme)
    log.seal()
    log.write(300)
    log.seal()
    return export(log, tmp_path / "chosen", Filters.parse({"action": "member.added"}))


def test_a_filtered_bundle_proves_that_its_entries_are_genuine(chosen: Directory) -> None:
    report = chosen.verify()
    assert report.findings == [] and report.proves == "genuine" and report.counts["entries"] == 5


def test_what_was_never_sealed_does_not_get_into_a_filtered_bundle(chosen: Directory) -> None:
    lines = chosen.lines()
    chosen.write_lines([*lines[:2], changed(lines[2]), *lines[3:]])
    assert kinds(chosen.verify()) == {"inserted"}
    chosen.write_lines([*lines[:2], lines[2].replace(b'"outcome":"success"', b'"outcome":"failure"'), *lines[3:]])
    assert kinds(chosen.verify()) == {"edited"}
    chosen.write_lines([lines[1], lines[0], *lines[2:]])
    assert kinds(chosen.verify()) == {"reordered"}
    chosen.write_lines([lines[0], *lines])
    assert kinds(chosen.verify()) == {"inserted"}
    chosen.write_lines(lines[1:])
    assert kinds(chosen.verify()) == {"dropped"}
    chosen.write_lines([line[: line.index(b',"proof"')] + b"}\n" for line in lines])
    assert kinds(chosen.verify()) == {"inserted"}


def test_a_filtered_bundle_cannot_say_that_it_is_complete(chosen: Directory) -> None:
    chosen.change_manifest(lambda manifest: manifest.update(proves="complete"))
    assert not chosen.verify().is_sound


def test_a_complete_bundle_cannot_pass_for_a_filtered_one(small: Directory) -> None:
    small.change_manifest(lambda manifest: manifest.update(proves="genuine"))
    assert not small.verify().is_sound


# -- no end of findings -----------------------------------------------------------------------------------------------


def test_a_bundle_that_claims_more_leaves_than_there_are_stars_is_answered_at_once(small: Directory) -> None:
    for claim in ({"leaf_count": 10**17}, {"leaf_count": 10**17, "tree_size": 10**17}):
        small.change_manifest(lambda manifest, claim=claim: manifest.update(claim))  # type: ignore[misc]
        assert "truncated" in kinds(small.verify())
    for wrong in (
        {"leaf_count": -1},
        {"first_leaf": -5},
        {"leaf_count": 1 << 70},
        {"leaf_count": "x"},
        {"tenant": None},
    ):
        small.change_manifest(lambda manifest, wrong=wrong: manifest.update({"leaf_count": 1, **wrong}))  # type: ignore[misc]
        try:
            assert not small.verify().is_sound
        except NotABundle:
            continue


def test_findings_are_counted_beyond_some(large: Directory) -> None:
    lines = large.lines()
    large.write_lines([line.replace(b'"schema":2', b'"schema":3') for line in lines] * 2)
    report = large.verify()
    assert len(report.findings) == MAX_FINDINGS and report.more_findings > 0


def test_a_zip_is_checked_like_a_directory(small: Directory, tmp_path: Path) -> None:
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", small.place))
    assert verifier.verify(packed, keys=public_keys()).is_sound
    lines = small.lines()
    small.write_lines([*lines[:5], *lines[6:]])
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", small.place))
    assert kinds(verifier.verify(packed, keys=public_keys())) == {"dropped"}
    small.write_lines(lines)
    again, more = (ENTRIES, (small.place / ENTRIES).read_bytes()), ("entries-000002.ndjson.gz", b"of the next week")
    for name, content in (again, more):
        packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", small.place))
        with zipfile.ZipFile(packed, "a") as archive, warnings.catch_warnings(action="ignore"):
            archive.writestr(name, content)
        assert kinds(verifier.verify(packed, keys=public_keys())) == {"file_changed"}, name
