"""Periodic work of confirmations. A state is also a question of time, so a missed round changes nothing for anybody."""

from __future__ import annotations

from agentops.common import clock
from agentops.common.queues import Queue, task
from agentops.common.scope import staff_scope, tenant_scope
from agentops.confirmations import queries, services
from tenants import queries as tenants


@task(Queue.DEFAULT)
def expire() -> int:
    """Write down what has expired; answers how many."""
    with staff_scope():
        due = queries.tenants_with_due()
    count = 0
    for tenant_id in due:
        with tenant_scope(tenant_id):
            count += services.expire(tenant=tenant_id, at=clock.now())
    return count


@task(Queue.DEFAULT)
def purge() -> int:
    """Delete old mailed codes and one-time links; answers how many."""
    count = 0
    for tenant_id in tenants.active_tenant_ids():
        with tenant_scope(tenant_id):
            count += services.purge(tenant=tenant_id, at=clock.now())
    return count
