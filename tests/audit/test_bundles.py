"""A bundle is checked with nothing but itself, the verifier and the keys; it says what it proves, and what not."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import random
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from agentops.common import clock
from agentops.common.scope import tenant_scope
from audit import bundles, canonical, keys, notes, services, tree, verifier
from audit.errors import NotSealedYet
from audit.queries.proofs import StoredTree
from audit.searching import Filters
from audit.types import Actor, Outcome, Target
from tests.audit.acting import act, erase
from tests.audit.bundling import ENTRIES, Directory, export, public_keys
from tests.audit.logs import Log
from tests.confirmations.asked import Desk
from tests.world import World


@pytest.fixture
def log(world: World) -> Log:
    """Acme's, in some batches: what the world wrote names people."""
    found = Log(world.acme)
    found.seal()
    for count in (1, 4, 20):
        found.write(count)
        found.seal()
    return found


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(bundles, "PART_LEAVES", 10)
    return 10


def keys_file(place: Path) -> Path:
    place.write_text(json.dumps({"keys": [keys.as_json(key) for key in keys.all_keys()]}))
    return place


def test_a_bundle_of_the_whole_log_is_sound_and_complete(log: Log, tmp_path: Path) -> None:
    report = export(log, tmp_path / "b").verify()
    assert report.findings == []
    assert report.proves == "complete"
    assert report.counts["entries"] == report.tree_size == log.head().tree_size
    assert report.origin == notes.read(log.checkpoints()[-1].note).origin
    assert report.counts["checkpoints"] == 4


def test_the_manifest_says_what_is_in_the_bundle(log: Log, tmp_path: Path) -> None:
    bundle = export(log, tmp_path / "b")
    manifest = bundle.json("manifest.json")
    assert (manifest["format"], manifest["tenant"], manifest["slug"]) == (
        "agentops-audit-bundle/1",
        str(log.id),
        "acme",
    )
    assert (manifest["first_leaf"], manifest["leaf_count"]) == (0, log.head().tree_size)
    assert {file.name for file in bundle.place.iterdir()} == {item["name"] for item in manifest["files"]} | {
        "manifest.json"
    }
    for item in manifest["files"]:
        assert hashlib.sha256((bundle.place / item["name"]).read_bytes()).hexdigest() == item["sha256"]


def test_an_entry_stands_in_it_as_the_bytes_that_were_hashed(log: Log, tmp_path: Path) -> None:
    for number, line in enumerate(export(log, tmp_path / "b").lines()):
        found = json.loads(line)
        raw = rfc8785.dumps(found["entry"])
        assert raw in line
        assert found["leaf"] == number
        assert found["hash"] == canonical.leaf_hash(raw).hex() == log.hashes()[number].hex()


def test_the_verifier_in_the_bundle_runs_alone(log: Log, tmp_path: Path) -> None:
    """No agentops, no Django, another directory: what a customer has."""
    bundle = export(log, tmp_path / "b")
    trusted = keys_file(tmp_path / "keys.json")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(bundle.place / "verifier.py", elsewhere / "verifier.py")
    shutil.copy(elsewhere / "verifier.py", bundle.place / "verifier.py")

    def run(*arguments: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", "verifier.py", *map(str, arguments)]
        return subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False)

    done = run(bundle.place, "--keys", trusted, "--checkpoint", bundle.place / "checkpoint.txt")
    assert done.returncode == 0 and "SOUND, complete" in done.stdout, done.stderr
    kept = tmp_path / "pasted.txt"
    kept.write_bytes(b"\xef\xbb\xbf\r\n" + bundle.note().strip().replace("\n", "\r\n").encode())
    done = run(bundle.place, "--keys", trusted, "--checkpoint", kept)
    assert done.returncode == 0, done.stdout
    said = run(bundle.place, "--keys", trusted, "--json")
    assert json.loads(said.stdout)["is_sound"] is True
    assert run(bundle.place).returncode == 2, "a bundle cannot vouch for its own keys"
    assert run(elsewhere, "--keys", trusted).returncode == 2
    bundle.write_lines(bundle.lines()[:-1])
    done = run(bundle.place, "--keys", trusted)
    assert done.returncode == 1 and "truncated at leaf" in done.stdout and "NOT SOUND" in done.stdout


def test_many_files_are_read_by_many_processes_and_come_to_the_same(log: Log, tmp_path: Path, small_parts: int) -> None:
    with tenant_scope(log.id):
        for size in (20_000, 30_000):
            services.record(
                tenant=log.id, action="tenant.settings_changed", actor=Actor("user", "user:7", "ada@acme.example"),
                target=Target("tenant", "acme"), outcome=Outcome.SUCCESS, data={"changes": "x" * size}, at=clock.now(),
            )  # fmt: skip
        log_size = 0
    log.seal()
    log_size = log.head().tree_size
    bundle = export(log, tmp_path / "b")
    manifest = bundle.json("manifest.json")
    parts = [item for item in manifest["files"] if item["name"].startswith("entries-")]
    last = [log_size % 10] if log_size % 10 else []
    assert [item["rows"] for item in parts] == [10] * (log_size // 10) + last
    one, many = bundle.verify(jobs=1), bundle.verify(jobs=3)
    assert one.findings == [] and one == many and one.counts["blobs"] == 2
    bundle.write_lines(bundle.lines(parts[1]["name"])[1:], parts[1]["name"])
    one, many = bundle.verify(jobs=1), bundle.verify(jobs=3)
    assert one == many and [(found.kind, found.leaf) for found in one.findings] == [("dropped", 10)]


# -- a time ------------------------------------------------------------------------------------------------------------


def test_a_range_of_time_is_complete_between_what_stands_before_and_after(log: Log, tmp_path: Path) -> None:
    start, size = clock.now() + timedelta(days=1), log.head().tree_size
    log.write(7, at=start)
    log.seal()
    log.write(11, at=start + timedelta(days=1))
    log.write(300, at=start + timedelta(days=2))
    log.seal()
    filters = Filters.parse({"from": clock.rfc3339(start), "to": clock.rfc3339(start + timedelta(days=1, hours=1))})
    bundle = export(log, tmp_path / "b", filters)
    report = bundle.verify()
    assert report.findings == [] and report.proves == "complete"
    assert (report.first_leaf, report.counts["entries"]) == (size, 18)
    lines = bundle.lines()
    bundle.write_lines([*lines[:3], *lines[4:]])
    assert [(found.kind, found.leaf) for found in bundle.verify().findings] == [("dropped", size + 3)]
    for side in ("before", "after"):
        bundle.write_lines(lines)
        proof = bundle.json("proof.json")
        bundle.write_json("proof.json", {**proof, side: ["00" * 32, *proof[side][1:]]})
        assert not bundle.verify().is_sound
        bundle.write_json("proof.json", {**proof, side: proof[side][1:]})
        assert not bundle.verify().is_sound
        bundle.write_json("proof.json", proof)
    assert bundle.verify().is_sound


def test_a_time_in_which_nothing_was_recorded_is_an_empty_bundle_that_is_sound(log: Log, tmp_path: Path) -> None:
    bundle = export(log, tmp_path / "b", Filters.parse({"from": "2031-01-01", "to": "2031-01-02"}))
    report = bundle.verify()
    assert report.findings == [] and report.counts["entries"] == 0


def test_what_was_sealed_while_the_bundle_was_written_is_in_it(log: Log, tmp_path: Path) -> None:
    """What was recorded in time and committed late has a later leaf: a bundle of the time without it would not be whole."""
    end = clock.now()
    with tenant_scope(log.id):
        made = bundles.plan(tenant=log.id, slug="acme", filters=Filters.parse({"to": clock.rfc3339(end)}))
    log.write(2, at=end + timedelta(seconds=1))
    log.seal()
    log.write(3, at=end - timedelta(milliseconds=1))
    log.seal()
    log.write(1, at=end + timedelta(seconds=2))
    log.seal()
    sink = Directory(tmp_path)
    with tenant_scope(log.id):
        files = bundles.write_part(made, 0, sink)
        manifest = bundles.finish(made, files, sink, at=clock.now())
    report = sink.verify()
    assert report.findings == []
    assert report.counts["entries"] == manifest["leaf_count"] == made.end + 5


def test_a_checkpoint_outside_of_the_range_is_proven_where_the_bundle_was_made_with_it(
    log: Log, tmp_path: Path
) -> None:
    start = clock.now() + timedelta(days=1)
    held = [one.note for one in log.checkpoints()]
    log.write(40, at=start)
    log.seal()
    held.append(log.checkpoints()[-1].note)
    log.write(5)
    log.seal()
    filters = Filters.parse({"from": clock.rfc3339(start + timedelta(microseconds=10))})
    without = export(log, tmp_path / "without", filters)
    assert {found.kind for found in without.verify(held=held[:1]).findings} == {"unproven"}
    bundle = export(log, tmp_path / "with", filters, held=held)
    assert bundle.verify(held=held).findings == []
    proof = bundle.json("proof.json")
    size = str(notes.read(held[0]).size)
    proof["consistency"][size] = proof["consistency"][size][1:]
    bundle.write_json("proof.json", proof)
    assert {found.kind for found in bundle.verify(held=held).findings} == {"fork"}


def test_nothing_sealed_is_nothing_to_export(world: World, tmp_path: Path) -> None:
    with pytest.raises(NotSealedYet):
        export(Log(world.globex), tmp_path / "b")


def test_a_leaf_can_be_kept_back(log: Log, tmp_path: Path) -> None:
    bundle = export(log, tmp_path / "b", plan={"before_leaf": 9})
    report = bundle.verify()
    assert report.findings == [] and report.counts["entries"] == 9


# -- keys that came later ----------------------------------------------------------------------------------------------


@pytest.fixture
def second_key(tmp_path: Path, settings: Any) -> keys.SignsAs:
    """A key beside the first, in a directory of this test."""
    where = tmp_path / "two-keys"
    shutil.copytree(keys.directory(), where)
    settings.AUDIT_KEY_DIR = str(where)
    return keys.make(name=keys.newest().name, at=clock.now(), where=where)


def test_whoever_trusts_the_first_key_is_led_to_the_next(log: Log, tmp_path: Path, second_key: keys.SignsAs) -> None:
    first = keys.all_keys()[0]
    assert services.rotate_key(tenant=log.id, new_key_id=second_key.id, at=clock.now())
    log.write(3)
    log.seal()
    start = clock.now() + timedelta(days=1)
    log.write(3, at=start)
    log.seal()
    assert log.checkpoints()[-1].key_id == second_key.id
    whole = export(log, tmp_path / "whole")
    later = export(log, tmp_path / "later", Filters.parse({"from": clock.rfc3339(start)}))
    chosen = export(log, tmp_path / "chosen", Filters.parse({"action": "ingest.discarded"}))
    for bundle in (whole, later, chosen):
        assert bundle.verify(keys=[first.public]).findings == []
        assert {found.kind for found in bundle.verify(keys=[b"\x01" * 32]).findings} == {"unknown_key"}
    for bundle in (later, chosen):
        bundle.change_manifest(
            lambda manifest: manifest.update(files=[one for one in manifest["files"] if "support" not in one["name"]])
        )
        assert {found.kind for found in bundle.verify(keys=[first.public]).findings} == {"unknown_key"}


def test_a_key_that_was_replaced_signs_nothing_more(log: Log, tmp_path: Path, second_key: keys.SignsAs) -> None:
    first = keys.all_keys()[0]
    services.rotate_key(tenant=log.id, new_key_id=second_key.id, at=clock.now())
    log.write(3)
    log.seal()
    bundle = export(log, tmp_path / "b")
    bundle.write("checkpoint.txt", notes.signed(notes.read(bundle.note()), first).encode())
    report = bundle.verify(keys=[first.public])
    assert [found.kind for found in report.findings] == ["unknown_key"]
    assert "was replaced" in report.findings[0].detail


def test_a_key_that_was_replaced_hands_over_to_nobody_else(log: Log, tmp_path: Path, second_key: keys.SignsAs) -> None:
    """Whoever finds the old key can sign with it; but it has handed over already, and signs no checkpoint any more."""
    first, theirs = keys.all_keys()[0], keys.make(name="x/audit", at=clock.now(), where=tmp_path / "theirs")
    services.rotate_key(tenant=log.id, new_key_id=second_key.id, at=clock.now())
    log.write(3)
    log.seal()
    with tenant_scope(log.id):
        services.record(
            tenant=log.id, action="audit.key_rotated", actor=Actor("system", "agentops", "agentops"),
            target=Target("signing_key", theirs.id), outcome=Outcome.SUCCESS, at=clock.now(),
            data={
                "old": first.id, "new": theirs.id, "public_key": base64.b64encode(theirs.public).decode(),
                "signature": base64.b64encode(
                    first.sign(verifier.rotation_text(str(log.id), theirs.public))
                ).decode(),
            },
        )  # fmt: skip
    log.seal()
    bundle = export(log, tmp_path / "b")
    head = notes.read(bundle.note())
    bundle.write("checkpoint.txt", notes.signed(head, theirs).encode())
    assert {found.kind for found in bundle.verify(keys=[first.public]).findings} == {"unknown_key"}
    stored = StoredTree(log.id)
    with tenant_scope(log.id):
        path = tree.inclusion_proof(head.size - 1, head.size, stored)
    # Their own checkpoint by the old key, before the true rotation is read.
    support = bundle.lines()[-1][:-2] + b',"proof":' + json.dumps([one.hex() for one in path]).encode()
    support += b',"checkpoint":' + json.dumps(notes.signed(head, first)).encode() + b"}\n"
    bundle.write_lines([support, *bundle.lines("support.ndjson.gz")], "support.ndjson.gz")
    assert {found.kind for found in bundle.verify(keys=[first.public]).findings} == {"unknown_key"}


def test_whoever_can_write_entries_cannot_make_their_own_key_trusted(
    log: Log, tmp_path: Path, second_key: keys.SignsAs
) -> None:
    """An entry that names a key is sealed like any other; without the old key's own signature it hands nothing over."""
    first = keys.all_keys()[0]
    for signature in ("", base64.b64encode(second_key.sign(b"anything")).decode()):
        with tenant_scope(log.id):
            services.record(
                tenant=log.id, action="audit.key_rotated", actor=Actor("system", "agentops", "agentops"),
                target=Target("signing_key", second_key.id), outcome=Outcome.SUCCESS, at=clock.now(),
                data={
                    "old": first.id, "new": second_key.id,
                    "public_key": base64.b64encode(second_key.public).decode(), "signature": signature,
                },
            )  # fmt: skip
        log.seal()
    bundle = export(log, tmp_path / "b")
    assert {found.kind for found in bundle.verify(keys=[first.public]).findings} == {"unknown_key"}
    bundle.write("checkpoint.txt", notes.signed(notes.read(bundle.note()), second_key).encode())
    report = bundle.verify(keys=[first.public])
    assert any("not signed by a key that you trust" in found.detail for found in report.findings)


# -- what is no more ---------------------------------------------------------------------------------------------------


def test_an_erased_bundle_is_sound_and_says_what_was_erased(log: Log, tmp_path: Path) -> None:
    act(log)
    start = clock.now() + timedelta(days=1)
    log.seal()
    before = export(log, tmp_path / "before")
    erase(log, "u-1")
    after = export(log, tmp_path / "after")
    report = after.verify(held=[before.note()])
    assert report.findings == [] and report.counts["erased_values"] == 4
    assert b'"on_behalf_of_id":["' not in b"".join(line for line in after.lines() if b"tool_call.redeemed" in line)
    earlier = export(log, tmp_path / "earlier", Filters.parse({"to": clock.rfc3339(start), "action": "approval."}))
    assert earlier.verify().findings == [], "what an erasure took is excused wherever its entry stands"
    assert earlier.verify().counts["erased_values"] == 3


def test_an_erasure_that_was_done_after_the_range_is_proven_with_it(log: Log, tmp_path: Path) -> None:
    act(log)
    log.seal()
    until = clock.now()
    erase(log, "u-1")
    bundle = export(log, tmp_path / "b", Filters.parse({"to": clock.rfc3339(until)}))
    assert bundle.verify().findings == [] and bundle.verify().counts["erased_values"] == 4
    support = bundle.lines("support.ndjson.gz")
    assert any(b"privacy.erased" in line for line in support)
    bundle.write_lines([line for line in support if b"privacy.erased" not in line], "support.ndjson.gz")
    assert {found.kind for found in bundle.verify().findings} == {"erasure_unlisted"}


def test_a_pruned_bundle_is_sound_and_says_what_was_pruned(log: Log, tmp_path: Path) -> None:
    size = log.head().tree_size
    services.prune(tenant=log.id, before=clock.now(), at=clock.now())
    log.seal()
    report = export(log, tmp_path / "b").verify()
    assert report.findings == []
    assert report.counts["pruned"] == size and report.counts["entries"] >= 1


def test_a_bundle_waits_for_the_seal_of_an_erasure(log: Log, tmp_path: Path) -> None:
    with tenant_scope(log.id):
        asked = services.ask_erasure(
            tenant=log.id, person="pete@acme.example", legal_basis="GDPR art. 17", by=Actor("user", "user:1", "a"),
            at=clock.now(),
        )  # fmt: skip
        services.approve_erasure(tenant=log.id, erasure=asked.id, by=Actor("user", "user:2", "b"), at=clock.now())
    services.erase(tenant=log.id, erasure=asked.id, at=clock.now())
    with pytest.raises(NotSealedYet):
        export(log, tmp_path / "too-early")
    log.seal()
    assert export(log, tmp_path / "b").verify().findings == []


# -- the verifier and the tree -----------------------------------------------------------------------------------------


def test_the_verifiers_own_tree_is_that_of_the_product() -> None:
    dice = random.Random(7)
    for size in [*range(1, 70), 255, 256, 257, 511, 513, 1000]:
        hashes = [dice.randbytes(32) for _ in range(size)]
        frontier, _, _ = tree.append([], 0, hashes)
        for first in {0, 1, size // 3, size}:
            before = [_root(hashes[p << n : (p + 1) << n]) for n, p in tree.cover(0, first)]
            end = (first + size + 1) // 2
            after = [(n, _root(hashes[p << n : (p + 1) << n])) for n, p in tree.cover(end, size)]
            assert verifier.cover(end, size) == [level for level, _ in tree.cover(end, size)]
            claims = verifier.Claims("t", first, end - first, size, "", before=before)
            walked = verifier._Tree(claims)
            walked.add(b"".join(hashes[first:end]))
            assert walked.roots(after) == [tree.root_of(frontier)]


def _root(hashes: list[bytes]) -> bytes:
    return tree.root_of(tree.append([], 0, hashes)[0])


@given(
    st.recursive(
        st.text() | st.booleans() | st.none() | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.floats(-(2**53) + 1, 2**53 - 1),  # beyond, the log takes none, and the library is not RFC 8785 either
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    )
)  # fmt: skip
def test_the_verifier_writes_values_as_rfc_8785_has_them(value: Any) -> None:
    assert verifier.canonical(json.loads(json.dumps(value))).encode() == rfc8785.dumps(value)


def test_whatever_byte_is_changed_it_is_never_sound_and_never_an_accident(log: Log, tmp_path: Path) -> None:
    """Thousands of changes of one byte, of what is inside the files; the manifest is made right each time."""
    act(log)
    log.seal()
    erase(log, "u-1")
    bundle = export(log, tmp_path / "b")
    dice = random.Random(20261126)
    said = bundle.json("manifest.json")
    names = [item["name"] for item in said["files"] if item["name"] not in ("verifier.py", "keys.json")]
    for name in names:
        packed = (bundle.place / name).read_bytes()
        content = gzip.decompress(packed) if name.endswith(".gz") else packed
        for _ in range(150):
            place = dice.randrange(len(content))
            changed = bytearray(content)
            changed[place] ^= 1 << dice.randrange(8)
            bundle.write(name, gzip.compress(bytes(changed), 1) if name.endswith(".gz") else bytes(changed))
            try:
                report = bundle.verify(jobs=1)
            except verifier.NotABundle:
                continue
            what = (name, place, content[max(0, place - 20) : place + 20], bytes(changed[place : place + 1]))
            assert not report.is_sound, what
        bundle.write(name, packed)
    assert bundle.verify().is_sound


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_exports_what_the_command_verifies(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in (tmp_path / "b", tmp_path / "b.zip"):
        call_command("audit", "export", "acme", "--out", str(place), "--json")
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["proves"] == "complete"
        call_command("audit", "verify", str(place))
        assert "SOUND, complete" in capsys.readouterr().out
        with pytest.raises(CommandError, match="there already"):
            call_command("audit", "export", "acme", "--out", str(place))
    held = tmp_path / "held.txt"
    held.write_text(log.checkpoints()[0].note)
    given_keys = ["--keys", str(keys_file(tmp_path / "keys.json")), "--checkpoint", str(held), "--json"]
    call_command("audit", "verify", str(tmp_path / "b"), *given_keys)
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["is_sound"] is True and said["counts"]["held_checkpoints"] == 1


def test_an_export_is_an_entry_of_the_log(log: Log, tmp_path: Path) -> None:
    before = len(log.organisation.entries())
    call_command(
        "audit", "export", "acme", "--out", str(tmp_path / "b"), "--action", "member.added", "--from", "2026-11-01"
    )
    [entry] = log.organisation.entries()[before:]
    assert entry.action == "audit.exported" and entry.actor_type == "system"
    assert entry.told()["filters"] == {"action": "member.added", "from": "2026-11-01T00:00:00Z"}


def test_a_filtered_export_says_what_it_does_not_prove(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("audit", "export", "acme", "--out", str(tmp_path / "b"), "--action", "member.added")
    assert "not that no other one fits" in capsys.readouterr().out
    call_command("audit", "verify", str(tmp_path / "b"))
    assert "SOUND, genuine" in capsys.readouterr().out


def test_the_command_ends_with_what_it_found(log: Log, tmp_path: Path) -> None:
    call_command("audit", "export", "acme", "--out", str(tmp_path / "b"))
    with pytest.raises(SystemExit) as ended:
        call_command("audit", "verify", str(tmp_path))
    assert ended.value.code == 2
    bundle = Directory(tmp_path / "b")
    bundle.write_lines(bundle.lines()[1:], ENTRIES)
    with pytest.raises(SystemExit) as ended:
        call_command("audit", "verify", str(tmp_path / "b"))
    assert ended.value.code == 1
    with pytest.raises(CommandError, match="some of the filters"):
        call_command("audit", "export", "acme", "--out", str(tmp_path / "c"), "--action", "nobody.knows")


def test_keys_are_made_and_rotated_by_the_command(
    log: Log, tmp_path: Path, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    where = tmp_path / "keys"
    shutil.copytree(keys.directory(), where)
    settings.AUDIT_KEY_DIR = str(where)
    call_command("audit", "new-key", "--json")
    made = json.loads(capsys.readouterr().out.splitlines()[-1])
    log.write(1)
    log.seal()
    assert log.head().key_id != made["key_id"], "a new key signs nothing before it is handed over to"
    call_command("audit", "rotate-key", "--json")
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"key_id": made["key_id"], "tenants": 1}
    log.write(1)
    log.seal()
    assert log.head().key_id == made["key_id"]
    assert export(log, tmp_path / "b").verify(keys=[public_keys()[0]]).findings == []


def test_what_the_first_of_two_said_is_not_exported_before_the_second_has_spoken(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, desk = Log(world.acme), Desk(world.acme)
    asked = desk.ask(4)
    desk.approve(asked, world.ada)
    log.seal()
    call_command("audit", "export", "acme", "--out", str(tmp_path / "half"))
    assert "one of two has agreed" in capsys.readouterr().out
    assert not any(b"approval.voted" in line for line in Directory(tmp_path / "half").lines())
    assert Directory(tmp_path / "half").verify().findings == []
    desk.approve(asked, world.ben)
    log.seal()
    call_command("audit", "export", "acme", "--out", str(tmp_path / "both"))
    assert sum(b"approval.voted" in line for line in Directory(tmp_path / "both").lines()) == 2
    assert Directory(tmp_path / "both").verify().findings == []
