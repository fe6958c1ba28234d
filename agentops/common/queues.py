"""The queues, and the doorbell that tells a worker there is something to do.

Rows are the truth and a sweep finds what is due, so a lost message costs time and never work. That is why ringing
never raises and never waits long: the caller has committed, and its answer must not depend on the broker.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Any

from celery import shared_task
from django.db import transaction

logger = logging.getLogger(__name__)


class Queue(StrEnum):
    """Where a task waits. Each task names one: ``@task(Queue.INGEST)``."""

    DEFAULT = "default"
    """What a person or an agent waits for: mail, webhooks, small sweeps."""

    INGEST = "ingest"
    """What follows the traces: sweeps over runs, finalising, roll-ups; a burst here delays nobody else's work."""

    JUDGING = "judging"
    """Asking judges and agents' addresses: a task mostly waits, for minutes at worst, so a worker of its own does nothing
    else, in many threads."""

    MAINTENANCE = "maintenance"
    """Work that needs the owner of the tables: partitions, retention, sealing, erasure; one worker, one at a time."""


def task(queue: Queue, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`celery.shared_task` with its queue, which `route` reads (Celery's own `queue=` is deprecated)."""
    return shared_task(goes_to=queue.value, **options)  # type: ignore[no-any-return]


def route(name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **_: Any) -> dict[str, str] | None:
    """Celery's `task_routes`: the queue that the task named."""
    queue = getattr(task, "goes_to", None)
    return {"queue": queue} if queue else None


class Breaker:
    """After a failure, spare callers the time-out for some seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._closed_again_at = 0.0

    def is_open(self) -> bool:
        return time.monotonic() < self._closed_again_at

    def trip(self) -> None:
        self._closed_again_at = time.monotonic() + self.seconds

    def reset(self) -> None:
        self._closed_again_at = 0.0


breaker = Breaker(seconds=5.0)


def ring(task: Any, **ids: Any) -> bool:
    """Ask a worker to run the task with these ids soon; True if the broker took the message. Never raises.

    Call it after the commit, see `ring_on_commit`: a worker that is faster than the commit would find nothing.
    """
    if breaker.is_open():
        return False
    try:
        task.apply_async(kwargs=ids, retry=False)
    except Exception as error:  # whatever the broker's client raises, the caller's work is done and committed
        breaker.trip()
        logger.warning("the broker did not take %s (%s); the sweep will find the work", task.name, error)
        return False
    return True


def ring_on_commit(task: Any, **ids: Any) -> None:
    """Ring once the transaction in progress is committed, and not at all if it is rolled back."""
    transaction.on_commit(partial(ring, task, **ids), robust=True)
