"""Evidence that is to be taken. Rows are the truth: a lost doorbell costs a round of the sweep."""

from __future__ import annotations

import uuid

from agentops.common.queues import Queue, task
from incidents.queries import evidence as queries
from incidents.services import taking
from tenants.house import house_scope


@task(Queue.DEFAULT)
def take(*, snapshot_id: str) -> bool:
    """Take one snapshot."""
    return taking.take(uuid.UUID(snapshot_id))


@task(Queue.DEFAULT)
def take_due() -> int:
    """Take what was planned and is not taken yet; answers how many."""
    with house_scope() as house:
        due = queries.snapshots_due(tenant=house)
    return sum(taking.take(snapshot_id) for snapshot_id in due)
