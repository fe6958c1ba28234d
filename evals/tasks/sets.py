"""Suites at agents' own addresses, and what settles cases. Rows are the truth: a case that is lost on the way is given again."""

from __future__ import annotations

import time
import uuid

from agentops.common import clock
from agentops.common.queues import Queue, task
from agentops.common.scope import staff_scope, tenant_scope
from evals import queries, services
from evals.atendpoint import WHILE_SECONDS, run_some


@task(Queue.DEFAULT)
def run_at_endpoint(tenant_id: str, suite_run_id: str) -> int:
    """Ask the agent's address for cases of a suite run, as many at once as it takes, for a while; answers how many."""
    until = time.monotonic() + WHILE_SECONDS
    return run_some(tenant=uuid.UUID(tenant_id), suite_run=uuid.UUID(suite_run_id), until=until)


@task(Queue.DEFAULT)
def run_due() -> int:
    """Go on with suite runs at agents' addresses, who answered longest ago first; answers how many cases were ended."""
    until = time.monotonic() + WHILE_SECONDS
    with staff_scope():
        due = queries.suites_at_endpoints()
    return sum(run_some(tenant=tenant, suite_run=suite_run, until=until) for tenant, suite_run in due)


@task(Queue.DEFAULT)
def settle() -> int:
    """End cases whose judges have spoken, and those that nobody goes on with; answers how many."""
    with staff_scope():
        tenants = queries.tenants_with_open_suites()
    count = 0
    for tenant in tenants:
        with tenant_scope(tenant):
            services.give_up_paused(tenant=tenant, at=clock.now())
        with tenant_scope(tenant):
            count += services.settle_judged_cases(tenant=tenant, at=clock.now())
        with tenant_scope(tenant):
            count += services.give_up_claims(tenant=tenant, at=clock.now())
    return count
