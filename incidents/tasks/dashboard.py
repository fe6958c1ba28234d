"""Periodic work of the dashboard: one measurement for everybody who looks."""

from __future__ import annotations

from agentops.common import clock
from agentops.common.queues import Queue, task
from incidents import snapshots


@task(Queue.DEFAULT)
def take_snapshot() -> str:
    """Measure what the operations dashboard shows; answers when."""
    return snapshots.take(at=clock.now()).at.isoformat()
