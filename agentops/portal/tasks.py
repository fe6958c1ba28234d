"""Periodic work of the owner: the maintenance queue, whose one worker connects as the owner of the tables."""

from __future__ import annotations

from datetime import timedelta

from django.db import connections, transaction

from agentops.common import clock
from agentops.common.partitions import drop_before, make_ahead
from agentops.common.queues import Queue, task
from agentops.portal.partitions import PARTITIONED
from agentops.traces.partitions import SPAN_PARTITIONS
from tenants.roles import PLAN_RETENTION_DAYS


@task(Queue.MAINTENANCE)
def keep_partitions() -> dict[str, list[str]]:
    """Make partitions ahead, and drop the days of spans that no plan keeps any more."""
    today = clock.now().date()
    made, dropped = [], []
    for parent in PARTITIONED:
        with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
            made += make_ahead(cursor, parent, today=today)
    oldest = today - timedelta(days=max(PLAN_RETENTION_DAYS.values()))
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '5s'")  # a drop that waits for a reader would make all others wait
        dropped += drop_before(cursor, SPAN_PARTITIONS, day=oldest)
    return {"made": made, "dropped": dropped}
