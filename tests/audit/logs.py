"""One organisation's audit log as a test sees it: write, seal, look at the tree."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connections

from agentops.common import clock
from agentops.common.scope import tenant_scope
from audit import services, tree
from audit.models import Checkpoint, Finding, Head, Leaf, Node, Pending
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
