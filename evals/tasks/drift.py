"""Days by cohort, and what moved. Rows are the truth: a missed round only makes the next one longer."""

from __future__ import annotations

import uuid

from agentops.common import clock
from agentops.common.queues import Queue, ring, task
from agentops.common.scope import tenant_scope
from evals.services import drift as services
from tenants import queries as tenants


@task(Queue.INGEST)
def add_up_cohorts() -> int:
    """Add up the days of which something is new; answers how many. Each day is a transaction, the mark comes last."""
    count = 0
    for tenant_id in tenants.active_tenant_ids():
        at = clock.now()
        with tenant_scope(tenant_id):
            stale = services.stale_days(tenant=tenant_id, at=at)
        for day in stale:
            with tenant_scope(tenant_id):
                services.recompute_day(tenant=tenant_id, day=day, at=at)
        with tenant_scope(tenant_id):
            services.note_sweep(tenant=tenant_id, at=at)
        if any(
            day < at.date() for day in stale
        ):  # a day that is over reads otherwise now: nobody waits an hour for that
            ring(watch_organisation, tenant_id=str(tenant_id))
        count += len(stale)
    return count


@task(Queue.DEFAULT)
def watch_drift() -> int:
    """Test the newest complete day of every organisation, and the weeks before it; answers how many findings are new."""
    return sum(_watch(tenant_id) for tenant_id in tenants.active_tenant_ids())


@task(Queue.DEFAULT)
def watch_organisation(*, tenant_id: str) -> int:
    """The same for one of them."""
    return _watch(uuid.UUID(tenant_id))


def _watch(tenant_id: uuid.UUID) -> int:
    from evals.services.drift.watching import watch  # numpy: not for every process that knows the task

    with tenant_scope(tenant_id):
        return watch(tenant=tenant_id, at=clock.now())
