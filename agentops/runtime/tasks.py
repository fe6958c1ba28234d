"""Periodic work of the guard. Rows are the truth: a missed round only makes the next one longer."""

from __future__ import annotations

from agentops.budgets import services as budgets
from agentops.common import clock
from agentops.common.queues import Queue, task
from agentops.common.scope import staff_scope, tenant_scope
from agentops.runtime import services
from agentops.runtime.services.finish import tenants_with_work
from tenants import queries as tenants


@task(Queue.DEFAULT)
def sweep() -> int:
    """Charge holds that nobody settled, end runs past their deadline, release what has waited out its delay, and give up on
    what never told its end; answers how many."""
    with staff_scope():
        due = tenants_with_work(clock.now())
    return sum(services.sweep(tenant=tenant_id) for tenant_id in due)


@task(Queue.DEFAULT)
def compute_baselines() -> int:
    """Compute what is usual for each agent, and forget what nobody needs any more; answers for how many agents."""
    count = 0
    for tenant_id in tenants.active_tenant_ids():
        with tenant_scope(tenant_id):
            count += services.compute_baselines(tenant=tenant_id)
            budgets.forget_old(tenant=tenant_id, at=clock.now())
    return count


@task(Queue.INGEST)
def add_up_spend() -> int:
    """Add up what the spend of today, of yesterday, since the last round and of days that were charged late was for."""
    count = 0
    for tenant_id in tenants.active_tenant_ids():
        count += services.add_up_days(tenant=tenant_id, at=clock.now())
    return count
