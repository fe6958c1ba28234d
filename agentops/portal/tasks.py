"""Periodic work of the owner: the maintenance queue, whose one worker connects as the owner of the tables."""

from __future__ import annotations

from datetime import timedelta

from django.db import connections, transaction

from agentops.common import clock
from agentops.common.partitions import drop_before, make_ahead
from agentops.common.queues import Queue, task
from agentops.portal.partitions import PARTITIONED
from agentops.runtime.types import CALL_PARTITIONS, DECISION_PARTITIONS
from agentops.traces.partitions import SPAN_PARTITIONS
from audit.partitions import ENTRY_PARTITIONS
from tenants.roles import PLAN_AUDIT_DAYS, PLAN_RETENTION_DAYS

_KEPT_DAYS = (
    (SPAN_PARTITIONS, max(PLAN_RETENTION_DAYS.values())),
    # Answers to call ids and permits matter for minutes, how agents are held for weeks; what was decided is in decisions.
    (CALL_PARTITIONS, 92),
    (DECISION_PARTITIONS, max(PLAN_AUDIT_DAYS.values())),
)
_EMPTIED_DAYS = min(PLAN_AUDIT_DAYS.values())  # audit.tasks.prune empties these, as far as no hold keeps something


@task(Queue.MAINTENANCE)
def keep_partitions() -> dict[str, list[str]]:
    """Make partitions ahead, and drop those whose rows nobody keeps any more."""
    today = clock.now().date()
    made, dropped = [], []
    for parent in PARTITIONED:
        with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
            made += make_ahead(cursor, parent, today=today)
    for parent, days in _KEPT_DAYS:
        with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '5s'")  # a drop that waits for a reader would make all others wait
            dropped += drop_before(cursor, parent, day=today - timedelta(days=days))
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        emptied = today - timedelta(days=_EMPTIED_DAYS)
        dropped += drop_before(cursor, ENTRY_PARTITIONS, day=emptied, only_empty=True)
    return {"made": made, "dropped": dropped}
