"""A part of `bench audit`: what the entries of tool calls and side effects cost ingest, and how long they wait to be sealed.

The sealer is that of the running `up`.
"""

from __future__ import annotations

import threading
import uuid
from typing import Any

from django.db import connection

from agentops.common.scope import tenant_scope
from agentops.portal.bench import fill, ingest
from agentops.portal.bench.turns import by_turns

_OLDEST = """
SELECT extract(epoch FROM clock_timestamp() - min(recorded_at)), count(*) FROM audit_pending WHERE tenant_id = %s
"""
_WITHOUT = "agentops.portal.bench.wsgi_unaudited:application"


def run(*, spans: int) -> dict[str, Any]:
    """Medians of some turns of so many spans each."""
    tenant, key = ingest.tenant_for_bench()
    waits = _Waits(tenant)
    waits.start()
    try:
        turns = by_turns(without=_WITHOUT, key=key, spans=spans)
        with tenant_scope(tenant), connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM audit_entry WHERE tenant_id = %s AND action = 'tool.observed'", [tenant]
            )
            entries = cursor.fetchone()[0]
    finally:
        waits.is_over.set()
        waits.join()
        fill.forget([(tenant, "bench")])
    return {
        "entries_per_span": round(entries / turns.sent_with, 3),
        **turns.figures(),
        "oldest_waiting_s": round(waits.longest, 1),
        "left_waiting": waits.left,
    }


class _Waits(threading.Thread):
    """Looks once a second how long the oldest entry has waited for its place in the tree."""

    def __init__(self, tenant: uuid.UUID) -> None:
        super().__init__(daemon=True)
        self.tenant, self.is_over, self.longest, self.left = tenant, threading.Event(), 0.0, 0

    def run(self) -> None:
        while not self.is_over.wait(1.0):
            with tenant_scope(self.tenant), connection.cursor() as cursor:
                cursor.execute(_OLDEST, [self.tenant])
                oldest, self.left = cursor.fetchone()
            self.longest = max(self.longest, float(oldest or 0))
        connection.close()
