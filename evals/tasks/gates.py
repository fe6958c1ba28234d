"""The gate's schedule. Rows are the truth: a missed round is made up for by the next one of the same day."""

from __future__ import annotations

from agentops.common import clock
from agentops.common.queues import Queue, task
from agentops.common.scope import tenant_scope
from evals import services
from tenants import queries as tenants


@task(Queue.DEFAULT)
def plan_reruns() -> int:
    """Begin the day's suites of every organisation's gated agents; answers how many."""
    count = 0
    for tenant_id in tenants.active_tenant_ids():
        with tenant_scope(tenant_id):
            count += services.plan_reruns(tenant=tenant_id, at=clock.now())
    return count
