"""Periodic work on runs. Every task reads committed rows, so running it twice, late or not at all loses nothing."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta

from agentops.budgets import queries as money
from agentops.common import clock
from agentops.common.queues import Queue, task
from agentops.common.scope import staff_scope, tenant_scope
from agentops.traces import services
from agentops.traces.services.lifecycle import BATCH
from tenants import queries as tenants
from tenants.roles import PLAN_RETENTION_DAYS

REPRICING_SECONDS = 20.0  # that one organisation's calls may take of a sweep
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


@task(Queue.INGEST)
def reprice() -> int:
    """Price anew what is asked for, some seconds for each organisation; answers how many slices. It begins where it ended."""
    with staff_scope():
        found = money.open_repricings()
    return sum(_reprice(tenant_id, repricing_id) for tenant_id, repricing_id in found)


def _reprice(tenant_id: uuid.UUID, repricing_id: uuid.UUID) -> int:
    count, until = 0, time.monotonic() + REPRICING_SECONDS
    while time.monotonic() < until:
        with tenant_scope(tenant_id):
            is_more = services.reprice_some(tenant=tenant_id, repricing_id=repricing_id, at=clock.now())
        count += 1
        if not is_more:
            break
    return count
