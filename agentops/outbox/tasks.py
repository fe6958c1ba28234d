"""Sending. The doorbell brings a message at once; the sweep finds what is due again, and what a lost message forgot."""

from __future__ import annotations

import time
import uuid

from agentops.common import clock
from agentops.common.queues import Queue, task
from agentops.common.scope import staff_scope, tenant_scope
from agentops.outbox import queries, services
from agentops.outbox.delivering import deliver_one
from tenants import queries as tenants

_SWEEP_SECONDS = 60.0  # then another round, so that one does not hold its worker for long


@task(Queue.DEFAULT)
def deliver(tenant_id: str, message_id: str) -> str | None:
    """Send one message, if nobody has taken it yet; answers its state."""
    state = deliver_one(tenant=uuid.UUID(tenant_id), message=uuid.UUID(message_id))
    return state.value if state else None


@task(Queue.DEFAULT)
def sweep() -> int:
    """Send what is due, one message of each tenant in turn; answers how many."""
    with staff_scope():
        due = queries.tenants_with_due()
    until, count = time.monotonic() + _SWEEP_SECONDS, 0
    while due and time.monotonic() < until:
        took = [tenant for tenant in due if time.monotonic() < until and deliver_one(tenant=tenant) is not None]
        count += len(took)
        due = took
    return count


@task(Queue.DEFAULT)
def purge() -> int:
    """Delete what was sent or given up long ago; answers how many messages."""
    count = 0
    for tenant_id in tenants.active_tenant_ids():
        with tenant_scope(tenant_id):
            count += services.purge(tenant=tenant_id, at=clock.now())
    return count
