"""Forgetting what is not kept any more. Rows are the truth: a missed round only makes the next one longer."""

from __future__ import annotations

from datetime import timedelta

from agentops.common import clock
from agentops.common.queues import Queue, task
from agentops.common.scope import tenant_scope
from evals import services
from evals.services.keeping.retention import BATCH
from tenants import queries as tenants
from tenants.roles import PLAN_RETENTION_DAYS

ROUNDS = 40  # batches of one organisation in one sweep, so that a large one does not keep the others waiting


@task(Queue.DEFAULT)
def forget_gone_runs() -> int:
    """Follow what traces deleted; answers how many runs were forgotten."""
    count = 0
    for tenant_id in tenants.active_tenant_ids():
        for _ in range(ROUNDS):
            at = clock.now()
            with tenant_scope(tenant_id):
                days = tenants.settings_of(tenant_id).retention_days or PLAN_RETENTION_DAYS[tenants.plan_of(tenant_id)]
                before = (at - timedelta(days=days)).date()
                found = services.forget_gone_runs(tenant=tenant_id, before=before, at=at)
            count += found
            if found < BATCH:
                break
    return count
