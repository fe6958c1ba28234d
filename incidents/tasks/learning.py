"""Jobs of what customers are told and what is learnt."""

from __future__ import annotations

from agentops.common import clock
from agentops.common.queues import Queue, task
from agentops.common.scope import staff_scope
from incidents.queries import comm_ends
from incidents.services import comm_sending, postmortems
from tenants.house import house_scope


@task(Queue.DEFAULT)
def settle_comms() -> int:
    """Note what became of texts that were told: read over all customers, then written as the house."""
    with staff_scope():
        found = comm_ends.ends()
    if not found:
        return 0
    with house_scope() as tenant:
        return comm_sending.settle_comms(tenant=tenant, found=found, at=clock.now())


@task(Queue.DEFAULT)
def note_due_postmortems() -> int:
    """Keep the due times of postmortems true to when their incidents were resolved; answers how many moved."""
    with house_scope() as tenant:
        return postmortems.note_due(tenant=tenant, at=clock.now())
