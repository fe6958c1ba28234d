"""Bundles of a test's log: made, opened up, tampered with, closed again."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentops.common import clock
from agentops.common.scope import tenant_scope
from audit import bundles, keys, verifier
from audit.searching import Filters
from audit.verifier import Report
from tests.audit.logs import Log

ENTRIES = "entries-000001.ndjson.gz"


@dataclass
class Directory:
    """A sink, and how a test gets at what was put there."""

    place: Path

    def put(self, name: str, content: bytes) -> None:
        (self.place / name).write_bytes(content)

    def json(self, name: str) -> Any:
        return json.loads((self.place / name).read_bytes())

    def lines(self, name: str = ENTRIES) -> list[bytes]:
        return gzip.decompress((self.place / name).read_bytes()).splitlines(keepends=True)

    def note(self) -> str:
        return (self.place / "checkpoint.txt").read_text()

    # what an attacker does, who has the bundle and not the key

    def write(self, name: str, content: bytes) -> None:
        """Change a file, and what the manifest says of it."""
        (self.place / name).write_bytes(content)
        self.change_manifest(lambda _: None)

    def write_json(self, name: str, value: Any) -> None:
        self.write(name, json.dumps(value).encode())

    def write_lines(self, lines: list[bytes], name: str = ENTRIES) -> None:
        self.write(name, gzip.compress(b"".join(lines)))

    def change_manifest(self, change: Callable[[dict[str, Any]], None]) -> None:
        manifest = self.json("manifest.json")
        for item in manifest["files"]:
            item["sha256"] = hashlib.sha256((self.place / item["name"]).read_bytes()).hexdigest()
        change(manifest)
        (self.place / "manifest.json").write_text(json.dumps(manifest))

    def verify(self, held: list[str] | None = None, **more: Any) -> Report:
        return verifier.verify(self.place, keys=more.pop("keys", None) or public_keys(), held=held or [], **more)


def public_keys() -> list[bytes]:
    return [key.public for key in keys.all_keys()]


def export(log: Log, place: Path, filters: Filters | None = None, **more: Any) -> Directory:
    """The bundle of a log, as the command writes it."""
    place.mkdir(parents=True)
    sink = Directory(place)
    with tenant_scope(log.id):
        made = bundles.plan(tenant=log.id, slug=log.organisation.slug, filters=filters, **more.pop("plan", {}))
        files = [file for number in range(made.parts) for file in bundles.write_part(made, number, sink)]
        bundles.finish(made, files, sink, at=clock.now(), **more)
    return sink


def renumbered(lines: list[bytes], first: int = 0) -> list[bytes]:
    """Lines with the numbers of their new places."""
    return [b'{"leaf":%d,' % number + line.split(b",", 1)[1] for number, line in enumerate(lines, start=first)]


def rehashed(line: bytes) -> bytes:
    """A line that states the hash of the entry that it has."""
    start = line.index(b'"entry":') + len(b'"entry":')
    text = line.decode()
    _, stop = json.JSONDecoder().raw_decode(text, len(line[:start].decode()))
    digest = hashlib.sha256(b"\x00" + text[len(line[:start].decode()) : stop].encode()).hexdigest()
    return line.replace(line[line.index(b'"hash":"') + 8 :][:64], digest.encode(), 1)
