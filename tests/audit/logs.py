"""One organisation's audit log as a test sees it: write, seal, look at the tree."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connections

from agentops.common import clock
from agentops.common.scope import tenant_scope
from audit import keys, notes, services, tree
from audit.models import Checkpoint, Entry, Finding, Head, Leaf, Node, Pending
from audit.services import NewEntry
from audit.services.sealing import BATCH, Sealed
from audit.types import SYSTEM, Outcome, Target
from tests.world import Organisation


def entry(number: int = 0, *, at: datetime | None = None, **changes: Any) -> NewEntry:
    """One that names nobody."""
    given: dict[str, Any] = {
        "action": "ingest.discarded",
        "actor": SYSTEM,
        "target": Target("dead_letter", str(number)),
        "outcome": Outcome.SUCCESS,
        "data": {"count": number},
        "at": at or clock.now(),
    }
    return NewEntry(**{**given, **changes})


@dataclass
class Log:
    organisation: Organisation

    @property
    def id(self) -> uuid.UUID:
        return self.organisation.id

    def write(self, count: int = 1, *, at: datetime | None = None) -> list[uuid.UUID]:
        """So many entries in one transaction, a microsecond apart; answers their ids."""
        first = at or clock.now()
        made = [entry(number, at=first + timedelta(microseconds=number)) for number in range(count)]
        with tenant_scope(self.id):
            services.record_many(tenant=self.id, entries=made)
        return [one.id for one in made]

    def seal(self, *, at: datetime | None = None, most: int = BATCH) -> Sealed | None:
        return services.seal(tenant=self.id, at=at or clock.now(), most=most)

    def head(self) -> Head:
        return Head.objects.using("owner").get(tenant_id=self.id)

    def leaves(self) -> list[Leaf]:
        return list(Leaf.objects.using("owner").filter(tenant_id=self.id).order_by("leaf_index"))

    def hashes(self) -> list[bytes]:
        return [bytes(leaf.leaf_hash) for leaf in self.leaves()]

    def nodes(self) -> dict[tuple[int, int], bytes]:
        found = Node.objects.using("owner").filter(tenant_id=self.id)
        return {(node.level, node.position): bytes(node.hash) for node in found}

    def checkpoints(self) -> list[Checkpoint]:
        return list(Checkpoint.objects.using("owner").filter(tenant_id=self.id).order_by("tree_size"))

    def pending(self) -> list[uuid.UUID]:
        found = Pending.objects.using("owner").filter(tenant_id=self.id).order_by("recorded_at", "entry_id")
        return list(found.values_list("entry_id", flat=True))

    def findings(self, **only: Any) -> list[Finding]:
        return list(Finding.objects.using("owner").filter(tenant_id=self.id, **only).order_by("found_at", "id"))

    def root(self, size: int | None = None) -> bytes:
        """Of the first leaves, from the leaves alone."""
        hashes = self.hashes()
        return naive_root(hashes if size is None else hashes[:size])

    def execute(self, statement: str, *params: object) -> int:
        """As the owner of the tables."""
        with connections["owner"].cursor() as cursor:
            cursor.execute(statement, params)
            return int(cursor.rowcount)


def naive_root(leaves: list[bytes]) -> bytes:
    """The tree hash as RFC 9162, 2.1.1 defines it, word by word."""
    if not leaves:
        return tree.EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return tree.node_hash(naive_root(leaves[:split]), naive_root(leaves[split:]))


def assert_one_whole_history(log: Log) -> None:
    services.seal_all(tenant=log.id, at=clock.now())
    leaves = log.leaves()
    with tenant_scope(log.id):
        recorded = list(Entry.objects.filter(tenant_id=log.id).values_list("id", flat=True))
    assert [leaf.leaf_index for leaf in leaves] == list(range(len(leaves))), "a gap"
    assert sorted(leaf.entry_id for leaf in leaves) == sorted(recorded), "an entry without a place, or with two"
    assert log.pending() == [] and log.findings() == []
    hashes = [bytes(leaf.leaf_hash) for leaf in leaves]
    assert log.head().tree_size == len(leaves) > 0
    for checkpoint in log.checkpoints():
        head = notes.read(checkpoint.note)
        assert notes.is_signed_by(checkpoint.note, keys.get(checkpoint.key_id))
        assert head.root == bytes(checkpoint.root) == naive_root(hashes[: head.size]), "a fork"


def assert_named_before_they_sign(log: Log) -> None:
    """Every key but the first is named, by an entry whose leaf an earlier trusted checkpoint holds."""
    places = {leaf.entry_id: leaf.leaf_index for leaf in log.leaves()}
    with tenant_scope(log.id):
        told = Entry.objects.filter(tenant_id=log.id, action="audit.key_rotated")
        named = [(places[one.id], one.told()["new"]) for one in told]
    held, trusted = 0, {log.checkpoints()[0].key_id}
    for checkpoint in log.checkpoints():
        trusted |= {key for place, key in named if place < held}
        assert checkpoint.key_id in trusted
        held = checkpoint.tree_size
