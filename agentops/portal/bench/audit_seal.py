"""A part of `bench audit`: entries written, one by one and many at once, and sealed."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from typing import Any

from django.db import connections

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.portal.bench import fill, ingest
from agentops.portal.bench.machine import percentile
from audit import services
from audit.services import NewEntry
from audit.types import Actor, Outcome, Target

ONE_BY_ONE = 500
AT_ONCE = 1_000
_AGENT = Actor(type="agent", id="agent:refund-desk", label="refund-desk")
_WAITING = "SELECT count(*) FROM audit_pending WHERE tenant_id = %s"


def run(*, entries: int) -> dict[str, Any]:
    """Milliseconds of a transaction with one entry, entries a second by COPY, and entries a second through the sealer.

    The sealer of a running `up` takes its turns, too: what is counted is how fast the waiting entries were sealed by both.
    """
    tenant, _ = ingest.tenant_for_bench()
    try:
        services.seal_all(tenant=tenant, at=clock.now())
        single = _one_by_one(tenant)
        begun = time.perf_counter()
        for place in range(0, entries, AT_ONCE):
            _write(tenant, min(AT_ONCE, entries - place))
        appended = time.perf_counter() - begun
        with connections["owner"].cursor() as cursor:
            cursor.execute("ANALYZE audit_pending")
            cursor.execute(_WAITING, [tenant])
            waiting = cursor.fetchone()[0]
        begun = time.perf_counter()
        sealed = services.seal_all(tenant=tenant, at=clock.now())  # and has waited for whoever was at it
        seconds = time.perf_counter() - begun
    finally:
        fill.forget([(tenant, "bench")])
    return {
        "entries": entries,
        "one_entry_p50_ms": round(percentile(single, 0.5) * 1000, 2),
        "one_entry_p99_ms": round(percentile(single, 0.99) * 1000, 2),
        "appended_per_s": round(entries / appended),
        "waiting": waiting,
        "sealed_here": sealed,
        "sealed_per_s": round(waiting / seconds),
    }


def _one_by_one(tenant: uuid.UUID) -> list[float]:
    times = []
    for number in range(ONE_BY_ONE):
        begun = time.perf_counter()
        with tenant_scope(tenant):
            services.record_many(tenant=tenant, entries=[_entry(number)])
        times.append(time.perf_counter() - begun)
    return times


def _write(tenant: uuid.UUID, count: int) -> None:
    with tenant_scope(tenant):
        services.record_many(tenant=tenant, entries=[_entry(number) for number in range(count)])


def _entry(number: int) -> NewEntry:
    return NewEntry(
        action="tool.observed",
        actor=_AGENT,
        target=Target("stripe", f"re_{number}"),
        outcome=Outcome.SUCCESS,
        data={"tool": "refund", "call": f"call_{number}", "span": f"{number:016x}", "status": "ok", "error_type": "",
              "idempotency_key": f"key-{number}"},
        at=clock.now() + timedelta(microseconds=number),
        run=uuid.UUID(int=number // 6),
        on_behalf_of=f"user-{number % 500}",
    )  # fmt: skip
