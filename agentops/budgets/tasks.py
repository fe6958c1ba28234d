"""Periodic work of money. Rows are the truth: a missed round only makes the next one longer."""

from __future__ import annotations

from agentops.budgets import queries, services
from agentops.common import clock
from agentops.common.queues import Queue, task
from agentops.common.scope import staff_scope, tenant_scope
from tenants import queries as tenants


@task(Queue.DEFAULT)
def look_at_thresholds() -> int:
    """Find the thresholds that no charge passes by: of budgets that were set, and of spend in open slices."""
    at = clock.now()
    with staff_scope():
        new, spending = queries.tenants_with_new_counters(at), queries.spending_in_slices()
    found = 0
    for tenant_id in new:
        with tenant_scope(tenant_id):
            found += services.begin_counters(tenant=tenant_id, at=at)
    for tenant_id, counters in spending.items():
        with tenant_scope(tenant_id):
            found += services.look_at_slices(tenant=tenant_id, counters=counters)
    return found


@task(Queue.DEFAULT)
def apply_plans() -> int:
    """Give organisations that set no budget of their own those of their plan."""
    plans = {tenant.id: tenant.plan for tenant in tenants.active_tenants()}
    with staff_scope():
        behind = queries.tenants_behind_plan(plans)
    for tenant_id in behind:
        with tenant_scope(tenant_id):
            services.apply_plan(tenant=tenant_id, plan=plans[tenant_id], at=clock.now())
    return len(behind)


@task(Queue.INGEST)
def fold_days() -> int:
    """Add up the hours of days that are over, so that pages of a year read days."""
    count = 0
    for tenant_id in tenants.active_tenant_ids():
        with tenant_scope(tenant_id):
            count += services.fold_days(tenant=tenant_id, at=clock.now())
    return count
