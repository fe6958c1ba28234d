"""Evidence that is to be taken. Rows are the truth: a lost doorbell costs a round of the sweep."""

from __future__ import annotations

import uuid

from agentops.common.queues import Queue, task
from incidents.queries import blast
from incidents.queries import evidence as queries
from incidents.services import scanning, taking, undone
from tenants.house import house_scope


@task(Queue.DEFAULT)
def take(*, snapshot_id: str) -> bool:
    """Take one snapshot, then look for what was touched, the first time."""
    return _take(uuid.UUID(snapshot_id))


@task(Queue.DEFAULT)
def take_due() -> int:
    """Take what was planned and is not taken yet; answers how many."""
    with house_scope() as house:
        due = queries.snapshots_due(tenant=house)
    return sum(_take(snapshot_id) for snapshot_id in due)


@task(Queue.DEFAULT)
def scan(*, scan_id: str) -> bool:
    """Look for what was touched in one organisation."""
    return scanning.scan(uuid.UUID(scan_id))


@task(Queue.DEFAULT)
def scan_due() -> int:
    """Do the looks that have not ended; answers how many."""
    with house_scope() as house:
        due = blast.scans_due(tenant=house)
    return sum(scanning.scan(scan_id) for scan_id in due)


@task(Queue.DEFAULT)
def tell_reversals() -> int:
    """Tell organisations, in their logs, what was undone for them."""
    return undone.tell_reversals()


def _take(snapshot_id: uuid.UUID) -> bool:
    is_taken = taking.take(snapshot_id)
    if is_taken:
        with house_scope() as house:
            found = queries.snapshot(tenant=house, snapshot_id=snapshot_id)
        if found is not None:
            scanning.plan_first(found.incident_id)
    return is_taken
