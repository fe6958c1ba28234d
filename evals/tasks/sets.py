"""Suites at agents' own addresses, and what settles cases. Rows are the truth: a case that is lost on the way is given again."""

from __future__ import annotations

import time
import uuid

from agentops.common import clock
from agentops.common.queues import Queue, task
from agentops.common.scope import staff_scope, tenant_scope
from evals import queries, services
from evals.atendpoint import BEGIN_SECONDS, run_some
from evals.turns import Turns

_turns = Turns(most=12, of_one=3)  # of the judging worker's 16 threads (portal/engines/programs.py)


@task(Queue.JUDGING)
def run_at_endpoint(tenant_id: str, suite_run_id: str) -> int:
    """Ask the agent's address for cases of a suite run, as many at once as it takes, for a while; answers how many."""
    return _run(uuid.UUID(tenant_id), uuid.UUID(suite_run_id), time.monotonic() + BEGIN_SECONDS)


@task(Queue.JUDGING)
def run_due() -> int:
    """Go on with suite runs at agents' addresses, who answered longest ago first; answers how many cases were ended."""
    until = time.monotonic() + BEGIN_SECONDS
    with staff_scope():
        due = queries.suites_at_endpoints()
    return sum(_run(tenant, suite_run, until) for tenant, suite_run in due)


def _run(tenant: uuid.UUID, suite_run: uuid.UUID, until: float) -> int:
    with _turns.taken(tenant) as is_taken:
        return run_some(tenant=tenant, suite_run=suite_run, until=until) if is_taken else 0  # the sweep comes again


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
