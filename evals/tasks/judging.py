"""Judging: facts of finished runs, the asking of judges, calibration. Rows are the truth; a missed round makes the next longer."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta

from agentops.common import clock
from agentops.common.queues import Queue, task
from agentops.common.scope import tenant_scope
from evals.services import judging as services
from tenants import queries as tenants

FACT_SECONDS = 20.0  # that one organisation may take of a sweep
MISSED_WITHIN = timedelta(hours=3)


@task(Queue.INGEST)
def write_facts() -> int:
    """Write the facts of runs that finished, and plan who judges them; answers how many."""
    return sum(_facts_of(tenant_id) for tenant_id in tenants.active_tenant_ids())


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
