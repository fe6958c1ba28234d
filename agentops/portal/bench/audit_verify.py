"""A part of `bench audit`: the verifier that customers run, on a bundle of many entries, as a program of its own.

The bundle is made without a database, from rows that the writer's own code hashes; it is signed with a key of this run.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audit import bundles, canonical, keys, notes, tree, verifier
from audit.keys import SignsAs
from audit.notes import TreeHead
from audit.queries.ranges import Placed
from audit.types import Category, Outcome

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def run(*, entries: int, say: Callable[[str], object] = lambda _: None) -> dict[str, Any]:
    """Entries a second of the whole program, its memory at a quarter and at all, and whether a change is found."""
    place = Path(tempfile.mkdtemp(prefix="agentops-verify-"))
    try:
        trusted = place / "keys.json"
        (place / "verifier.py").write_bytes(bundles.source_of_verifier())
        sizes = {"quarter": max(1, entries // 4), "all": entries}
        for name, count in sizes.items():
            say(f"making a bundle of {count} entries")
            key = _key()
            _make(place / name, count, key)
            trusted.with_stem(name).write_text(json.dumps({"keys": [keys.as_json(key)]}))
        cores = len(os.sched_getaffinity(0))
        small = _verified(place, "quarter", cores)
        one, many = _verified(place, "all", 1), _verified(place, "all", cores)
        packed = sum(file.stat().st_size for file in (place / "all").iterdir())
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return {
        "entries": entries,
        "entries_per_second": round(entries / many["seconds"]),
        "entries_per_second_one_process": round(entries / one["seconds"]),
        "cpu_us_per_entry": round(one["cpu_seconds"] / entries * 1e6, 1),
        "peak_mib_at_a_quarter": small["peak_mib"],
        "peak_mib": many["peak_mib"],
        "bundle_mib": round(packed / 2**20, 1),
        "sound": one["sound"] and many["sound"] and small["sound"],
    }


def _verified(place: Path, name: str, jobs: int) -> dict[str, Any]:
    command = [sys.executable, "verifier.py", name, "--keys", f"{name}.json", "--jobs", str(jobs), "--json"]
    begun, peak = time.perf_counter(), 0
    with (place / "said.json").open("wb") as said:
        child = subprocess.Popen(command, cwd=place, stdout=said)  # noqa: S603  our own words
        while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            peak = max(peak, _memory(child.pid))
            time.sleep(0.05)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begun
    report = json.loads((place / "said.json").read_text())
    return {
        "seconds": seconds,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_mib": round(peak / 1024, 1),
        "sound": report["is_sound"] and child.returncode == 0,
    }


def _memory(pid: int) -> int:
    """Kibibytes of a process and its children that are no other's as well."""
    found = 0
    for one in (pid, *_children(pid)):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:  # it has just ended
            continue
        found += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return found


def _children(pid: int) -> list[int]:
    try:
        return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _key() -> SignsAs:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return SignsAs(id=keys.id_of(public), name="bench/audit", public=public, created_at=BEGAN, private=private)


def _make(place: Path, count: int, key: SignsAs) -> None:
    place.mkdir()
    tenant, files = uuid.uuid4(), []
    frontier: list[bytes] = []
    size, nodes = 0, []

    def put(name: str, content: bytes, rows: int = 0) -> None:
        (place / name).write_bytes(content)
        files.append({"name": name, "sha256": hashlib.sha256(content).hexdigest(), "rows": rows})

    made = _entries(tenant, count)
    for number in range(-(-count // bundles.PART_LEAVES)):
        batch = [one for _, one in zip(range(min(bundles.PART_LEAVES, count - size)), made, strict=False)]
        frontier, size, kept = tree.append(frontier, size, [one.hash for one in batch])
        nodes += [found.hex() for level, _, found in kept if level == tree.TILE_LEVELS]
        text = b"".join(bundles.line(one) + b"\n" for one in batch)
        put(f"entries-{number + 1:06}.ndjson.gz", gzip.compress(text, 5), len(batch))
    note = notes.signed(TreeHead(f"bench/{tenant}", size, tree.root_of(frontier)), key)
    put("checkpoint.txt", note.encode())
    proof = {
        "before": [],
        "after": [],
        "nodes": {"8": {"first": 0, "hashes": nodes}},
        "checkpoints": [note],
        "consistency": {},
        "lines_checkpoint": "",
    }
    put("proof.json", json.dumps(proof).encode())
    manifest = {
        "format": verifier.FORMAT,
        "tenant": str(tenant),
        "proves": "complete",
        "from": None,
        "to": None,
        "is_cut": False,
        "first_leaf": 0,
        "leaf_count": count,
        "tree_size": count,
        "files": files,
    }
    (place / "manifest.json").write_text(json.dumps(manifest))


def _entries(tenant: uuid.UUID, count: int) -> Iterator[Placed]:
    """Three of four are an agent's acts in the name of a user, the fourth is a person's, with an address and a browser."""
    dice = random.Random(20261126)
    for number in range(count):
        at, run_id = BEGAN + timedelta(milliseconds=37 * number), uuid.UUID(int=(number // 12) << 8 | 7)
        is_person = number % 4 == 3
        columns = {"on_behalf_of_id": f"user-{dice.randrange(20_000)}", "actor_label": "refund-desk"}
        personal: dict[str, Any] = {"on_behalf_of_id": columns["on_behalf_of_id"]}
        if is_person:
            columns |= {"actor_label": f"person{dice.randrange(500)}@acme.example", "src_ip": "203.0.113.7"}
            personal = {**columns, "user_agent": _BROWSER}
        _, commitments, private = canonical.commit(personal)
        data = {
            "call": f"t-{number % 12}",
            "external_id": f"ch_{dice.getrandbits(64):x}",
            "external_system": "payments",
            "idempotency_key": f"{dice.getrandbits(96):x}",
            "outcome": "ok",
        }
        row = canonical.Row(
            tenant_id=tenant,
            id=uuid.UUID(int=(0x019A << 112) | (7 << 76) | (2 << 62) | number),
            schema_version=canonical.SCHEMA_VERSION,
            recorded_at=at,
            occurred_at=at,
            category=Category.AGENT,
            action="tool.called",
            outcome=Outcome.SUCCESS,
            actor_type="user" if is_person else "agent",
            actor_id=f"user:{number % 500}" if is_person else "agent:refund-desk",
            actor_label=columns["actor_label"],
            on_behalf_of_id=columns["on_behalf_of_id"],
            run_id=None if is_person else run_id,
            target_type="tool",
            target_id="refund",
            reason="",
            src_ip=columns.get("src_ip", ""),
            user_agent=_BROWSER if is_person else "",
            auth_method="session" if is_person else "api_key",
            data=json.dumps(data, separators=(",", ":"), sort_keys=True),
            commitments=commitments,
            private=private,
            nonce=dice.randbytes(16),
        )
        yield Placed(number, canonical.leaf_hash(canonical.envelope(row)), row.id, row)
