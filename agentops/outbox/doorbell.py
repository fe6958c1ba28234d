"""Tells a worker that there is something to send. By the task's name, as nobody imports tasks."""

from __future__ import annotations

import uuid

from celery import signature

from agentops.common.queues import Queue, ring_on_commit

DELIVER = "agentops.outbox.tasks.deliver"


def ring(*, tenant: uuid.UUID, message: uuid.UUID) -> None:
    """Once the transaction in progress is committed. Never an error to the caller: the sweep finds the row."""
    task = signature(DELIVER, queue=Queue.DEFAULT.value)
    ring_on_commit(task, tenant_id=str(tenant), message_id=str(message))
