"""The log as it stands in the database, through the verifier that customers have, and what only the database can show.

It works as the owner of the tables, in one snapshot: what is written, sealed and erased meanwhile does not disturb it.
"""

from __future__ import annotations

import itertools
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connections, transaction

from agentops.common.errors import NotFound
from audit import bundles, canonical, keys, notes, tree, verifier
from audit.canonical import Row
from audit.errors import NotANote, TreeIncomplete
from audit.models import Checkpoint, Head
from audit.queries import ranges
from audit.queries.checkpoints import public_keys
from audit.queries.proofs import StoredTree
from audit.queries.ranges import Placed
from audit.verifier import Claims, Part, Report

OWNER = "owner"
AT_ONCE = 20_000
_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_UNPLACED = """
SELECT e.id FROM audit_entry e
WHERE e.tenant_id = %(tenant)s
  AND NOT EXISTS (SELECT FROM audit_leaf l WHERE l.tenant_id = e.tenant_id AND l.entry_id = e.id)
  AND NOT EXISTS (SELECT FROM audit_pending p WHERE p.tenant_id = e.tenant_id AND p.entry_id = e.id)
ORDER BY e.recorded_at, e.id LIMIT %(most)s
"""
_TWICE = """
SELECT id FROM audit_entry WHERE tenant_id = %(tenant)s GROUP BY id HAVING count(*) > 1 ORDER BY id LIMIT %(most)s
"""
_PENDING = f"""
SELECT p.entry_id, p.leaf_hash, {", ".join(f"e.{name}" for name in canonical.COLUMNS)}
FROM audit_pending p
LEFT JOIN audit_entry e ON e.tenant_id = p.tenant_id AND e.recorded_at = p.recorded_at AND e.id = p.entry_id
WHERE p.tenant_id = %s ORDER BY p.recorded_at, p.entry_id
"""  # noqa: S608  constants only
_BEYOND = "SELECT count(*) FROM audit_leaf WHERE tenant_id = %s AND leaf_index >= %s"
# Nobody looks by the id alone in the ordinary course, so no index serves it: asked only where something is wrong.
_ELSEWHERE = """
SELECT id, tenant_id FROM audit_entry WHERE id = ANY(%(ids)s) AND tenant_id <> %(tenant)s
UNION
SELECT entry_id, tenant_id FROM audit_leaf WHERE entry_id = ANY(%(ids)s) AND tenant_id <> %(tenant)s
"""


def check(*, tenant: uuid.UUID, held: Sequence[str] = ()) -> Report:
    """Check a tenant's log against every checkpoint that is stored, and against those that the caller holds.

    Raises NotFound where nothing was sealed yet.
    """
    with transaction.atomic(using=OWNER, durable=True):
        with connections[OWNER].cursor() as cursor:
            cursor.execute(_SNAPSHOT)
        return _Live(tenant).check(held)


def trusted_keys() -> list[bytes]:
    """The public keys of this installation: of the files, which the database's owner cannot write; else of the table."""
    return [key.public for key in keys.all_keys() or public_keys()]


class _Live:
    def __init__(self, tenant: uuid.UUID) -> None:
        self.tenant, self.report = tenant, Report()
        last = Checkpoint.objects.using(OWNER).filter(tenant_id=tenant).order_by("-tree_size").first()
        head = Head.objects.using(OWNER).filter(tenant_id=tenant).first()
        if last is None and head is None:
            raise NotFound("Nothing of this log has been sealed yet.")
        self.head = head or Head(tenant_id=tenant)
        self.size, self.note = (last.tree_size, last.note) if last else (0, "")
        self.large: deque[uuid.UUID] = deque()
        self.missing: list[tuple[int, uuid.UUID]] = []

    def check(self, held: Sequence[str]) -> Report:
        self._check_head()
        first, nodes = ranges.block_nodes(tenant=self.tenant, first=0, end=self.size, using=OWNER)
        claims = Claims(
            tenant=str(self.tenant),
            first_leaf=0,
            leaf_count=self.size,
            tree_size=self.head.tree_size,
            note=self.note,
            nodes_first=first,
            nodes=nodes,
            checkpoints=self._checkpoints(),
        )
        rows = ranges.erased_fields(tenant=self.tenant, first=0, end=self.size, using=OWNER)
        verifier.check(
            claims,
            keys=trusted_keys(),
            parts=self._parts(),
            held=held,
            blobs=self._blobs(),
            erasures=[(str(erasure), str(entry), names) for erasure, entry, names in rows],
            report=self.report,
        )
        self._check_unplaced()
        self._check_pending()
        self._check_moved()
        return self.report

    # what the verifier reads

    def _parts(self) -> Iterator[Part]:
        found = ranges.placed(tenant=self.tenant, first=0, end=self.size, using=OWNER)
        while lines := [self._line(one) for one in itertools.islice(found, AT_ONCE)]:
            yield verifier.read_lines(lines, tenant=str(self.tenant))

    def _line(self, one: Placed) -> bytes:
        if one.row is None:
            if one.leaf >= self.head.pruned_below:
                self._note_missing(one.leaf, one.entry_id)
            return bundles.line(one)
        if bundles.is_large(one.row.data):
            self.large.append(one.entry_id)
        if one.row.commitments != "{}":
            self._check_erased(one.leaf, one.row)
        return bundles.line(one)

    def _check_erased(self, leaf: int, row: Row) -> None:
        """What was erased leaves its column empty. A value there is in no bundle, but pages and tables would show it."""
        for name in canonical.erased(row):
            if name in canonical.PERSONAL_COLUMNS and getattr(row, name):
                self._find("private_edited", leaf, f"{name} was erased, and another value stands in its place")

    def _note_missing(self, leaf: int, entry: uuid.UUID) -> None:
        if len(self.missing) < verifier.MAX_FINDINGS:
            self.missing.append((leaf, entry))

    def _blobs(self) -> Iterator[tuple[str, bytes]]:
        """One for each large entry, after its line was read; an empty one where it is gone."""
        while self.large:
            entry = self.large.popleft()
            yield str(entry), ranges.blobs(tenant=self.tenant, entries=[entry], using=OWNER).get(entry, b"")

    def _checkpoints(self) -> Iterator[str]:
        found = Checkpoint.objects.using(OWNER).filter(tenant_id=self.tenant).order_by("tree_size")
        for row in found.iterator(chunk_size=1_000):
            try:
                said = notes.read(row.note)
            except NotANote:
                said = None
            if said is not None and (said.size, said.root) != (row.tree_size, bytes(row.root)):
                self._find(
                    "bad_signature", None, f"the row of the checkpoint of {row.tree_size} leaves is not its note"
                )
            yield row.note

    # what only the database shows

    def _check_head(self) -> None:
        size = self.head.tree_size
        if size < self.size:
            self._find("truncated", size, f"the head is at {size} leaves, and {self.size} were signed")
        elif size > self.size:
            self._find("old_checkpoint", None, f"the head is at {size} leaves; the last checkpoint is of {self.size}")
        elif self.size and not self._is_frontier_of_leaves():
            self._find("edited", None, "the frontier of the head is not that of the leaves")
        beyond = self._rows(_BEYOND, [self.tenant, self.size])[0][0]
        if beyond:
            self._find("inserted", self.size, f"{beyond} leaves stand behind the last that was signed")

    def _is_frontier_of_leaves(self) -> bool:
        try:
            found = ranges.frontier(StoredTree(self.tenant, OWNER), self.size)
        except TreeIncomplete:
            return True  # a row is missing: the walk over the lines says which
        return b"".join(found) == bytes(self.head.frontier) or tree.root_of(found) != self._signed_root()

    def _signed_root(self) -> bytes:
        try:
            return notes.read(self.note).root
        except NotANote:
            return b""

    def _check_unplaced(self) -> None:
        """Entries that came past the writer: it leaves none without a row that waits for its place."""
        most = {"tenant": self.tenant, "most": verifier.MAX_FINDINGS}
        ids = [entry for (entry,) in self._rows(_UNPLACED, most)]
        elsewhere = self._elsewhere(ids)
        for entry in ids:
            if entry in elsewhere:
                self._find("swapped_tenant", None, f"the entry {entry} is sealed in the log of {elsewhere[entry]}")
            else:
                self._find("inserted", None, f"the entry {entry} has no place in the tree, and waits for none")
        for (entry,) in self._rows(_TWICE, most):
            self._find("inserted", None, f"the entry {entry} is there twice")

    def _check_pending(self) -> None:
        for entry, leaf_hash, *values in self._rows(_PENDING, [self.tenant]):
            if values[0] is None:
                self._find("dropped", None, f"the entry {entry} waits for its place, and is gone")
            elif canonical.leaf_hash(canonical.envelope(canonical.row_of(values))) != bytes(leaf_hash):
                self._find("edited", None, f"the entry {entry} was changed while it waited for its place")

    def _check_moved(self) -> None:
        """Where did entries go that are missing?"""
        elsewhere = self._elsewhere([entry for _, entry in self.missing])
        for leaf, entry in self.missing:
            if entry in elsewhere:
                self._find("swapped_tenant", leaf, f"the entry {entry} stands in the log of {elsewhere[entry]}")

    def _elsewhere(self, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
        return dict(self._rows(_ELSEWHERE, {"ids": list(ids), "tenant": self.tenant})) if ids else {}

    def _rows(self, statement: str, params: Any) -> list[tuple[Any, ...]]:
        with connections[OWNER].cursor() as cursor:
            cursor.execute(statement, params)
            return list(cursor.fetchall())

    def _find(self, kind: str, leaf: int | None, detail: str) -> None:
        self.report.find(kind, leaf, detail)
