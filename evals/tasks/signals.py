"""What users did instead of saying it, and outcomes that wait for their span. Rows are the truth: a missed round only makes the next one longer."""

from __future__ import annotations

from agentops.common import clock
from agentops.common.queues import Queue, task
from agentops.common.scope import tenant_scope
from evals import services
from tenants import queries as tenants

ROUNDS = 40  # batches of one organisation in one sweep, so that a large one does not keep the others waiting


@task(Queue.INGEST)
def match_outcomes() -> int:
    """Look for the spans of outcomes that have none yet; answers how many were found."""
    count = 0
    for tenant_id in tenants.active_tenant_ids():
        for _ in range(ROUNDS):
            with tenant_scope(tenant_id):
                found, is_more = services.match_outcomes(tenant=tenant_id, at=clock.now())
            count += found
            if not is_more:
                break
    return count


@task(Queue.INGEST)
def look_for_signals() -> int:
    """Look at what people did after runs, and at what they said of confirmed actions; answers how many rows came of it."""
    count = 0
    for tenant_id in tenants.active_tenant_ids():
        with tenant_scope(tenant_id):
            count += services.take_confirmations(tenant=tenant_id, at=clock.now())
        for _ in range(ROUNDS):
            with tenant_scope(tenant_id):
                found, is_more = services.find_signals(tenant=tenant_id, at=clock.now())
            count += found
            if not is_more:
                break
    return count
