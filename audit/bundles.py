"""Bundles: files with which a customer can check the log, anywhere, with the verifier that lies beside them.

A bundle is written part by part, each from a window of leaves, so that a job can stop and go on; the files that prove the
parts come last. Entries stand in it as the very bytes that were hashed. `verifier.py` says how they are checked.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import orjson
from django.conf import settings

from agentops.common.clock import rfc3339
from agentops.common.scope import require_tenant
from audit import canonical, keys, notes, tree, verifier
from audit.errors import NotSealedYet
from audit.models import Checkpoint
from audit.queries import proofs, ranges
from audit.queries.checkpoints import last_checkpoint, public_keys
from audit.queries.proofs import StoredTree
from audit.queries.ranges import Placed
from audit.searching import Filters

PART_LEAVES = 100_000
PART_BYTES = 256 * 1024 * 1024  # of text, before it is compressed
CHECKPOINTS = 2_000
# Entries that others rest on: they go with every bundle, wherever they stand in the tree.
ROTATED, ERASED, PRUNED = "audit.key_rotated", "privacy.erased", "audit.pruned"
_SUPPORT = (ROTATED, ERASED, PRUNED)


class Sink(Protocol):
    """Where the files go."""

    def put(self, name: str, content: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What a bundle will hold, fixed when it is begun: the leaves `first` to before `end`, or those of them that fit.

    `note` is the checkpoint under which the plan was made; a filtered bundle's lines are proven by it.
    """

    tenant: uuid.UUID
    slug: str
    first: int
    end: int
    tree_size: int
    note: str
    is_cut: bool = False  # it ends before what one of two people said
    filters: Filters = field(default_factory=Filters)

    @property
    def parts(self) -> int:
        return -(-(self.end - self.first) // PART_LEAVES)

    @property
    def proves(self) -> str:
        return "genuine" if self.only else "complete"

    @property
    def only(self) -> Filters | None:
        """What makes a choice among the leaves; a time range makes none."""
        return None if self.filters.is_time_range else self.filters


@dataclass(frozen=True, slots=True)
class File:
    """A file of a bundle, as its manifest names it."""

    name: str
    sha256: str
    rows: int = 0
    first_leaf: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "sha256": self.sha256, "rows": self.rows, "first_leaf": self.first_leaf}


def plan(*, tenant: uuid.UUID, slug: str, filters: Filters | None = None, before_leaf: int | None = None) -> Plan:
    """Fix what a bundle holds: all that was recorded in the filters' time, or of that what they leave.

    `before_leaf` keeps that leaf and later ones out. Raises NotSealedYet where nothing of the log is signed.
    """
    require_tenant(tenant)
    filters = filters or Filters()
    last = last_checkpoint(tenant=tenant)
    if last is None:
        raise NotSealedYet("Nothing of this log has been sealed yet. Entries are sealed within a minute.")
    first, end = ranges.leaves_of_time(tenant=tenant, since=filters.since, until=filters.until, size=last.tree_size)
    made = Plan(
        tenant=tenant, slug=slug, first=first, end=end, tree_size=last.tree_size, note=last.note, filters=filters
    )
    return _cut(made, before_leaf)


def _cut(made: Plan, before_leaf: int | None) -> Plan:
    if before_leaf is None or before_leaf > made.end:
        return made
    return replace(made, end=max(made.first, before_leaf), is_cut=True)


def write_part(made: Plan, number: int, sink: Sink) -> list[File]:
    """Write the files of one part, 0 to `parts` - 1, in the tenant's scope; answers them."""
    require_tenant(made.tenant)
    first = made.first + number * PART_LEAVES
    return _write_leaves(made, first, min(first + PART_LEAVES, made.end), number, sink)


def _write_leaves(made: Plan, first: int, end: int, number: int, sink: Sink) -> list[File]:
    entries, large = _Writer(sink, "entries", number), _Writer(sink, "blobs", number)
    stored = StoredTree(made.tenant)
    batch: list[Placed] = []
    for one in ranges.placed(tenant=made.tenant, first=first, end=end, only=made.only):
        path = tree.inclusion_proof(one.leaf, made.tree_size, stored) if made.only else None
        entries.write(line(one, proof=path), leaf=one.leaf)
        if one.row is not None and is_large(one.row.data):
            batch.append(one)
        if len(batch) >= 20:
            _write_blobs(made.tenant, batch, large)
    _write_blobs(made.tenant, batch, large)
    return [*entries.close(), *large.close()]


def finish(
    made: Plan,
    files: Sequence[File],
    sink: Sink,
    *,
    at: datetime,
    held: Sequence[str] = (),
    before_leaf: int | None = None,
) -> dict[str, Any]:
    """Write what proves the parts, and the manifest, which it answers. In the tenant's scope.

    What was recorded in the filters' time and sealed since the plan was made is one part more, before `before_leaf`.
    `held` are checkpoints that the reader has; where they lie outside of the range, their proofs go with the bundle.
    Raises NotSealedYet while an erasure or the like has no place in the tree: what it did could not be told apart from
    tampering. It takes some seconds.
    """
    require_tenant(made.tenant)
    if ranges.waiting_of_actions(tenant=made.tenant, actions=_SUPPORT):
        raise NotSealedYet("An erasure, pruning or rotation is just being sealed. Try again in a minute.")
    last = last_checkpoint(tenant=made.tenant)
    assert last is not None, "the plan was made under one"
    made, late = _with_late(made, last, sink, before_leaf)
    files = [*files, *late]
    rest = _Files(sink)
    stored = StoredTree(made.tenant)
    rest.put("checkpoint.txt", last.note.encode())
    rest.put("proof.json", orjson.dumps(_proof(made, last, stored, held)))
    rest.put("keys.json", orjson.dumps({"keys": [keys.as_json(key) for key in public_keys()]}))
    rest.put("verifier.py", source_of_verifier())
    support = list(_support(made, last, stored))
    rest.put_lines("support.ndjson.gz", support)
    rest.put_lines("beside.ndjson.gz", list(_beside(made, last, stored)))
    rest.put_lines("erasures.ndjson.gz", list(_erasures(made)))
    lines = sum(file.rows for file in files if file.name.startswith("entries-"))
    manifest = {
        "format": verifier.FORMAT,
        "tenant": str(made.tenant),
        "slug": made.slug,
        "origin": notes.read(last.note).origin,
        "made_at": rfc3339(at),
        "tool": f"agentops {settings.VERSION}",
        "filters": made.filters.as_json(),
        "from": rfc3339(made.filters.since) if made.filters.since else None,
        "to": rfc3339(made.filters.until) if made.filters.until else None,
        "is_cut": made.is_cut,
        "proves": made.proves,
        "first_leaf": made.first,
        "leaf_count": lines,
        "tree_size": last.tree_size,
        "files": [file.as_json() for file in [*files, *rest.files]],
    }
    sink.put("manifest.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    return manifest


def line(one: Placed, *, proof: Sequence[bytes] | None = None, **more: Any) -> bytes:
    """A leaf as a line of a bundle, without its line break."""
    parts = [b'{"leaf":%d,"hash":"%b"' % (one.leaf, one.hash.hex().encode())]
    if one.row is None:
        parts.append(b',"pruned":true')
    else:
        parts.append(b',"entry":' + canonical.envelope(one.row))
        private = canonical.disclosed(one.row)
        if private:
            parts.append(b',"private":' + orjson.dumps(private))
    if proof is not None:
        parts.append(b',"proof":' + orjson.dumps([found.hex() for found in proof]))
    for name, value in more.items():
        parts.append(b',"%b":%b' % (name.encode(), orjson.dumps(value)))
    return b"".join(parts) + b"}"


def is_large(data: str) -> bool:
    """Does the data of an entry stand beside it, as a blob?"""
    return data.startswith('{"blob":{"bytes":')


def source_of_verifier() -> bytes:
    """The verifier, as it goes with each bundle and is offered for download."""
    return Path(verifier.__file__).read_bytes()


def _proof(made: Plan, last: Checkpoint, stored: StoredTree, held: Sequence[str]) -> dict[str, Any]:
    is_whole = made.only is None
    sizes = {notes.read(note).size for note in held} | (set() if is_whole else {made.tree_size})
    outside = {
        size for size in sizes if 0 < size <= last.tree_size and not (is_whole and made.first <= size <= made.end)
    }
    first_block, nodes = ranges.block_nodes(tenant=made.tenant, first=made.first, end=made.end) if is_whole else (0, [])
    inside = ranges.checkpoints_between(tenant=made.tenant, first=made.first, end=made.end, most=CHECKPOINTS)
    after = [stored(level, position) for level, position in tree.cover(made.end, last.tree_size)]
    return {
        "before": _hex(ranges.frontier(stored, made.first)) if is_whole else [],
        "nodes": {"8": {"first": first_block, "hashes": _hex(nodes)}},
        "after": _hex(after) if is_whole else [],
        "checkpoints": [note for size, note in inside if size > 0] if is_whole else [],
        "consistency": {
            str(size): _hex(proofs.consistency(tenant=made.tenant, first=size, second=last.tree_size))
            for size in sorted(outside)
        },
        "lines_checkpoint": "" if is_whole else made.note,
    }


def _support(made: Plan, last: Checkpoint, stored: StoredTree) -> Iterator[bytes]:
    """Rotations with a checkpoint that the old key signed; erasures and prunings outside of the range under the last one."""
    for one in ranges.placed_of_actions(tenant=made.tenant, actions=_SUPPORT, size=last.tree_size):
        assert one.row is not None
        if one.row.action == ROTATED:
            vouches = _last_of_key(made.tenant, str(orjson.loads(one.row.data)["old"]), one.leaf)
            if vouches is not None:
                path = tree.inclusion_proof(one.leaf, vouches.tree_size, stored)
                yield line(one, proof=path, checkpoint=vouches.note)
        elif made.only or not made.first <= one.leaf < made.end:
            yield line(one, proof=tree.inclusion_proof(one.leaf, last.tree_size, stored))


def _with_late(made: Plan, last: Checkpoint, sink: Sink, before_leaf: int | None) -> tuple[Plan, list[File]]:
    if made.only or made.is_cut:
        return made, []
    since, until = made.filters.since, made.filters.until
    _, end = ranges.leaves_of_time(tenant=made.tenant, since=since, until=until, size=last.tree_size)
    grown = _cut(replace(made, end=max(made.end, end)), None if before_leaf is None else max(made.end, before_leaf))
    return grown, _write_leaves(made, made.end, grown.end, made.parts, sink)


def _beside(made: Plan, last: Checkpoint, stored: StoredTree) -> Iterator[bytes]:
    """The leaves before and behind a range, which are of other times: that is how a reader knows that the range is whole."""
    before = [made.first - 1] if made.first and not (made.is_cut and made.end == made.first) else []
    behind = [made.end] if made.end < last.tree_size and not made.is_cut else []
    for leaf in [] if made.only else [*before, *behind]:
        [one] = ranges.placed(tenant=made.tenant, first=leaf, end=leaf + 1)
        yield line(one, proof=tree.inclusion_proof(leaf, last.tree_size, stored))


def _last_of_key(tenant: uuid.UUID, key_id: str, leaf: int) -> Checkpoint | None:
    found = Checkpoint.objects.filter(tenant_id=tenant, key_id=key_id, tree_size__gt=leaf)
    return found.order_by("tree_size").first()


def _erasures(made: Plan) -> Iterator[bytes]:
    for erasure, entry, names in ranges.erased_fields(tenant=made.tenant, first=made.first, end=made.end):
        yield orjson.dumps({"erasure": str(erasure), "entry": str(entry), "names": names})


def _write_blobs(tenant: uuid.UUID, batch: list[Placed], large: _Writer) -> None:
    found = ranges.blobs(tenant=tenant, entries=[one.entry_id for one in batch])
    for one in batch:
        if one.entry_id in found:
            content = found[one.entry_id].decode()
            large.write(orjson.dumps({"entry": str(one.entry_id), "content": content}), leaf=one.leaf)
    batch.clear()


class _Writer:
    """Lines into numbered files of bounded size."""

    def __init__(self, sink: Sink, kind: str, number: int) -> None:
        self.sink, self.kind, self.number = sink, kind, number
        self.files: list[File] = []
        self._open()

    def write(self, text: bytes, *, leaf: int) -> None:
        if self.written > PART_BYTES:
            self._put()
        if not self.rows:
            self.first_leaf = leaf
        self.plain.write(text + b"\n")
        self.rows += 1
        self.written += len(text)

    def close(self) -> list[File]:
        if self.rows:
            self._put()
        return self.files

    def _open(self) -> None:
        self.buffer = io.BytesIO()
        self.plain = gzip.GzipFile(fileobj=self.buffer, mode="wb", compresslevel=5, mtime=0)
        self.rows, self.written, self.first_leaf = 0, 0, 0

    def _put(self) -> None:
        self.plain.close()
        more = f"-{len(self.files) + 1:02}" if self.files else ""
        name = f"{self.kind}-{self.number + 1:06}{more}.ndjson.gz"
        content = self.buffer.getvalue()
        self.sink.put(name, content)
        self.files.append(File(name, hashlib.sha256(content).hexdigest(), self.rows, self.first_leaf))
        self._open()


class _Files:
    """Single files, noted for the manifest as they are put."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.files: list[File] = []

    def put(self, name: str, content: bytes, rows: int = 0) -> None:
        self.sink.put(name, content)
        self.files.append(File(name, hashlib.sha256(content).hexdigest(), rows))

    def put_lines(self, name: str, lines: Sequence[bytes]) -> None:
        if lines:
            self.put(name, gzip.compress(b"\n".join(lines) + b"\n", 5, mtime=0), len(lines))


def _hex(hashes: Sequence[bytes]) -> list[str]:
    return [found.hex() for found in hashes]
