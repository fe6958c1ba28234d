"""Periodic work on runs. Every task reads committed rows, so running it twice, late or not at all loses nothing."""

from __future__ import annotations

from datetime import timedelta

from agentops.common import clock
from agentops.common.queues import Queue, task
from agentops.common.scope import tenant_scope
from agentops.traces import services
from agentops.traces.services.lifecycle import BATCH
from tenants import queries as tenants
from tenants.roles import PLAN_RETENTION_DAYS

SWEEP_ROUNDS = 40  # batches of one tenant in one sweep, so that a large one does not keep the others waiting


@task(Queue.DEFAULT)
def finalise_idle_runs() -> int:
    """Finish runs whose root never came, tenant by tenant; answers how many."""
    count = 0
    for tenant_id in tenants.active_tenant_ids():
        for _ in range(SWEEP_ROUNDS):
            at = clock.now()
            with tenant_scope(tenant_id):
                idle = timedelta(minutes=tenants.settings_of(tenant_id).idle_minutes)
                found = services.finalise_idle_runs(tenant=tenant_id, idle=idle, at=at)
            count += found
            if found < BATCH:
                break
    return count


@task(Queue.DEFAULT)
def register_end_users(minutes: int = 15) -> int:
    """Note the end users whom the runs of the last minutes named."""
    count = 0
    for tenant_id in tenants.active_tenant_ids():
        at = clock.now()
        with tenant_scope(tenant_id):
            count += services.register_end_users(tenant=tenant_id, since=at - timedelta(minutes=minutes), at=at)
    return count


@task(Queue.DEFAULT)
def apply_retention() -> int:
    """Delete the runs that each tenant no longer keeps."""
    count = 0
    for tenant_id in tenants.active_tenant_ids():
        for _ in range(SWEEP_ROUNDS):
            at = clock.now()
            with tenant_scope(tenant_id):
                days = tenants.settings_of(tenant_id).retention_days or PLAN_RETENTION_DAYS[tenants.plan_of(tenant_id)]
                found = services.apply_retention(tenant=tenant_id, before=(at - timedelta(days=days)).date(), at=at)
            count += found
            if found < BATCH:
                break
    return count
