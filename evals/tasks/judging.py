"""Judging: facts of finished runs, the asking of judges, calibration. Rows are the truth; a missed round makes the next longer."""

from __future__ import annotations

import threading
import time
import uuid
from datetime import timedelta

from agentops.common import clock
from agentops.common.queues import Queue, task
from agentops.common.scope import staff_scope, tenant_scope
from evals.services import judging as services
from tenants import queries as tenants

FACT_SECONDS = 20.0  # that one organisation may take of a sweep
MISSED_WITHIN = timedelta(hours=3)
ASK_SECONDS = 45.0  # in which a round begins asks; the longest of them ends within the task's time all the same
# For the round that is under way: longer than beat takes to send the next, so that one goes on at once.
WAIT_SECONDS = 6.0

_round = threading.Lock()


@task(Queue.INGEST)
def write_facts() -> int:
    """Write the facts of runs that finished, and plan who judges them; answers how many."""
    with staff_scope():
        due = services.due_tenants(tenants=tenants.active_tenant_ids(), overlap=services.OVERLAP)
    return sum(_facts_of(tenant_id) for tenant_id in due)


@task(Queue.INGEST)
def write_missed_facts() -> int:
    """The same for what the sweep may have passed by: a transaction that took longer than it looks back."""
    return sum(_facts_of(tenant_id, back=MISSED_WITHIN) for tenant_id in tenants.active_tenant_ids())


def _facts_of(tenant_id: uuid.UUID, *, back: timedelta | None = None) -> int:
    count, until = 0, time.monotonic() + FACT_SECONDS
    while time.monotonic() < until:
        at = clock.now()
        with tenant_scope(tenant_id):
            found = services.write_facts(tenant=tenant_id, at=at, since=at - back if back else None)
        count += found
        if found < services.BATCH:
            break
    return count


@task(Queue.JUDGING)
def ask_judges() -> int:
    """Ask the judges what is due, in all organisations; answers how many ends were written. One round at a time in a process:
    it asks many at once by itself."""
    if not _round.acquire(timeout=WAIT_SECONDS):
        return 0
    try:
        return services.ask_due(seconds=ASK_SECONDS)
    finally:
        _round.release()


@task(Queue.INGEST)
def calibrate() -> int:
    """Compare judges with people where labels or scores came since; answers how many judges."""
    count = 0
    for tenant_id in tenants.active_tenant_ids():
        with tenant_scope(tenant_id):
            stale = services.stale_judges(tenant=tenant_id)
        for judge_id in stale:
            with tenant_scope(tenant_id):
                services.calibrate_judge(tenant=tenant_id, judge=judge_id, at=clock.now())
        count += len(stale)
    return count
