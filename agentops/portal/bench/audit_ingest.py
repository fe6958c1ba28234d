"""A part of `bench audit`: what the entries of tool calls and side effects cost ingest, and how long they wait to be sealed.

The same bodies go to the product and to the product without these entries, by turns, so that a noisy minute hits both. The
sealer is that of the running `up`.
"""

from __future__ import annotations

import statistics
import threading
import uuid
from typing import Any

from django.db import connection

from agentops.common.scope import tenant_scope
from agentops.portal.bench import batches, fill, ingest
from agentops.portal.bench.server import Web, web

ROUNDS = 6
_OLDEST = """
SELECT extract(epoch FROM clock_timestamp() - min(recorded_at)), count(*) FROM audit_pending WHERE tenant_id = %s
"""
_WITH, _WITHOUT = "agentops.wsgi:application", "agentops.portal.bench.wsgi_unaudited:application"


def run(*, spans: int) -> dict[str, Any]:
    """Medians of ROUNDS turns of so many spans each."""
    tenant, key = ingest.tenant_for_bench()
    rates: dict[str, list[float]] = {_WITH: [], _WITHOUT: []}
    templates = [batches.template(seed) for seed in range(8)]
    count = max(8, spans // batches.BATCH)
    waits = _Waits(tenant)
    waits.start()
    try:
        for turn in range(ROUNDS):
            for application in (_WITH, _WITHOUT) if turn % 2 else (_WITHOUT, _WITH):
                bodies = [batches.renewed(*templates[place % len(templates)]) for place in range(count)]
                with web(application=application) as server:
                    ingest.send(server, key, [batches.renewed(*template) for template in templates])
                    rates[application].append(_rate(server, key, bodies))
        with tenant_scope(tenant), connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM audit_entry WHERE tenant_id = %s AND action = 'tool.observed'", [tenant]
            )
            entries = cursor.fetchone()[0]
    finally:
        waits.is_over.set()
        waits.join()
        fill.forget([(tenant, "bench")])
    audited, plain = statistics.median(rates[_WITH]), statistics.median(rates[_WITHOUT])
    pairs = [1 - one / other for one, other in zip(rates[_WITH], rates[_WITHOUT], strict=True)]
    return {
        "spans_per_turn": count * batches.BATCH,
        "entries_per_span": round(entries / (ROUNDS * (count + len(templates)) * batches.BATCH), 3),
        "spans_per_s": round(audited),
        "spans_per_s_without_entries": round(plain),
        "cost": round(1 - audited / plain, 3),
        "cost_median_of_pairs": round(statistics.median(pairs), 3),
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


def _rate(server: Web, key: str, bodies: list[bytes]) -> float:
    load = ingest.send(server, key, bodies)
    if load.failures:
        raise RuntimeError(f"ingest refused: {load.failures[0]}")
    return load.sent / load.seconds
