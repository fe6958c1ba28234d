"""What people should look at. Rows are the truth: a missed round only makes the next one longer."""

from __future__ import annotations

from agentops.common import clock
from agentops.common.queues import Queue, task
from agentops.common.scope import tenant_scope
from evals import services
from tenants import queries as tenants

ROUNDS = 40  # batches of one organisation in one sweep, so that a large one does not keep the others waiting


@task(Queue.INGEST)
def fill_review_queue() -> int:
    """Put what was said and found since the last look into the queue; answers how many items came of it."""
    count = 0
    for tenant_id in tenants.active_tenant_ids():
        for _ in range(ROUNDS):
            with tenant_scope(tenant_id):
                found, is_more = services.fill_queue(tenant=tenant_id, at=clock.now())
            count += found
            if not is_more:
                break
    return count
