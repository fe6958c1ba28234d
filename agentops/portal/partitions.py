"""Every partitioned table of the project, and the step that makes their partitions after a migration."""

from __future__ import annotations

from typing import Any

from django.db import connections, transaction

from agentops.budgets.types import LEDGER_PARTITIONS
from agentops.common import clock
from agentops.common.partitions import Partitioned, make_ahead
from agentops.runtime.types import CALL_PARTITIONS, DECISION_PARTITIONS
from agentops.traces.partitions import SPAN_PARTITIONS
from audit.partitions import ENTRY_PARTITIONS

PARTITIONED: tuple[Partitioned, ...] = (
    SPAN_PARTITIONS,
    LEDGER_PARTITIONS,
    ENTRY_PARTITIONS,
    CALL_PARTITIONS,
    DECISION_PARTITIONS,
)


def make_partitions(*, using: str, **_: Any) -> None:
    """The `post_migrate` receiver: acts only for the owner's connection."""
    if using != "owner":
        return
    today = clock.now().date()
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        for parent in PARTITIONED:
            cursor.execute("SELECT to_regclass(%s)", [parent.table])
            if cursor.fetchone()[0] is not None:
                make_ahead(cursor, parent, today=today)
