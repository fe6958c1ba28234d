"""`bench ingest`: spans per second over HTTP, committed and readable, beside the ceiling of the same run.

The ceiling is what remains when everything that makes a span useful is left out: a process parses the same bodies to
the same canonical spans and COPYs them into one plain table of the same columns, without an index. No HTTP, key,
masking, price, duplicate check, run, facet, ledger or roll-up. It is given for one process (one connection that never
waits for a client: `ratio_to_ceiling`) and for as many as the product has web processes, with both cores to themselves.
"""

from __future__ import annotations

import http.client
import multiprocessing
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection, connections

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.portal.bench import batches, fill
from agentops.portal.bench.machine import percentile, resident_mib, stored_spans
from agentops.portal.bench.server import WORKERS, Web, web
from agentops.traces import otlp
from agentops.traces.normalise import normalise
from agentops.traces.rollup import Counted
from agentops.traces.rows import SPAN_STAGING, span_row
from audit.types import operator
from tenants import services as tenants
from tenants.roles import KeyScope, Plan

CONNECTIONS = 8
_PLAIN = "bench_plain"


@dataclass
class _Load:
    """What the senders did."""

    sent: int
    seconds: float
    latencies: list[float]
    failures: list[str]


def run(*, spans: int) -> dict[str, Any]:
    """Measure, and leave nothing behind. For a full table, fill it first with `bench search --fill-only`."""
    rounds = max(1, spans // batches.BATCH)
    templates = [batches.template(seed) for seed in range(8)]
    bodies = [batches.renewed(*templates[place % len(templates)]) for place in range(rounds)]
    warm = [batches.renewed(*template) for template in templates]
    tenant, key = tenant_for_bench()
    try:
        return _measure(tenant, key, bodies, warm)
    finally:
        fill.forget([(tenant, "bench")])


def _measure(tenant: uuid.UUID, key: str, bodies: list[bytes], warm: list[bytes]) -> dict[str, Any]:
    ceiling_one = _ceiling(bodies[: max(8, len(bodies) // 2)], processes=1)
    ceiling_all = _ceiling(bodies, processes=WORKERS)
    with web() as server:
        send(server, key, warm)
        before = [resident_mib(pid) for pid in server.worker_pids()]
        load = send(server, key, bodies)
        after = [resident_mib(pid) for pid in server.worker_pids()]
        newest = server.get_json("/api/v1/runs?limit=1", key)
    row_count, run_spans = _stored(tenant)
    expected = (len(bodies) + len(warm)) * batches.BATCH
    rate = load.sent / load.seconds
    return {
        "spans": load.sent,
        "bytes_per_span": round(len(bodies[0]) / batches.BATCH),
        "connections": CONNECTIONS,
        "web_processes": WORKERS,
        "already_stored": stored_spans(),
        "rate": round(rate),
        "ceiling_rate": round(ceiling_one),
        "ceiling_rate_all_processes": round(ceiling_all),
        "ratio_to_ceiling": round(rate / ceiling_one, 3),
        "ratio_to_ceiling_all_processes": round(rate / ceiling_all, 3),
        "batch_p50_ms": round(percentile(load.latencies, 0.5) * 1000, 1),
        "batch_p95_ms": round(percentile(load.latencies, 0.95) * 1000, 1),
        "web_mib_before": [round(mib) for mib in before],
        "web_mib_after": [round(mib) for mib in after],
        "failures": load.failures[:3],
        "readable": bool(newest),
        "totals_right": row_count == run_spans == expected,
    }


def tenant_for_bench() -> tuple[uuid.UUID, str]:
    at, by = clock.now(), operator("bench")
    slug = f"bench-{uuid.uuid4().hex[:8]}"
    tenant = tenants.create_tenant(
        slug=slug, name="Bench", plan=Plan.ENTERPRISE, owner_email=f"{slug}@bench.invalid", owner_name="Bench",
        password=uuid.uuid4().hex, by=by, at=at,
    )  # fmt: skip
    with tenant_scope(tenant.id):
        made = tenants.create_key(tenant=tenant.id, name="bench", scopes=[KeyScope.INGEST, KeyScope.READ], by=by, at=at)
    return tenant.id, made.text


def send(server: Web, key: str, bodies: list[bytes]) -> _Load:
    """All bodies over CONNECTIONS kept-alive connections, each as fast as it is answered."""
    waiting = iter(bodies)
    lock = threading.Lock()
    latencies: list[float] = []
    failures: list[str] = []

    def sender() -> None:
        link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-protobuf"}
        while True:
            with lock:
                body = next(waiting, None)
            if body is None:
                link.close()
                return
            begun = time.perf_counter()
            link.request("POST", "/v1/traces", body=body, headers=headers)
            answer = link.getresponse()
            said = answer.read()
            latencies.append(time.perf_counter() - begun)
            if answer.status != 200 or said:
                failures.append(f"{answer.status} {said[:200]!r}")

    threads = [threading.Thread(target=sender) for _ in range(CONNECTIONS)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    return _Load(
        sent=(len(bodies) - len(failures)) * batches.BATCH, seconds=seconds, latencies=latencies, failures=failures
    )


def _stored(tenant: uuid.UUID) -> tuple[int, int]:
    with tenant_scope(tenant), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM traces_span WHERE tenant_id = %s", [tenant])
        rows = cursor.fetchone()[0]
        cursor.execute("SELECT coalesce(sum(span_count), 0) FROM traces_run WHERE tenant_id = %s", [tenant])
        return rows, int(cursor.fetchone()[0])


# -- the ceiling -----------------------------------------------------------------------------------------------------


def _ceiling(bodies: list[bytes], *, processes: int) -> float:
    """Spans per second of parse plus COPY, by so many processes at once."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {_PLAIN}; CREATE TABLE {_PLAIN} (LIKE traces_span)")
    params = {key: value for key, value in connections["owner"].get_connection_params().items() if key in _KEPT}
    shares = [bodies[place::processes] for place in range(processes)]
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(processes + 1)
    done = [context.Process(target=_parse_and_copy, args=(share, params, gate)) for share in shares]
    for process in done:
        process.start()
    gate.wait()
    begun = time.perf_counter()
    for process in done:
        process.join()
    seconds = time.perf_counter() - begun
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {_PLAIN}")  # noqa: S608
        copied = cursor.fetchone()[0]
        cursor.execute(f"DROP TABLE {_PLAIN}")
    if copied != len(bodies) * batches.BATCH:
        raise RuntimeError(f"the ceiling copied {copied} spans of {len(bodies) * batches.BATCH}")
    return float(copied / seconds)


_KEPT = ("host", "port", "user", "password", "dbname", "sslmode")


def _parse_and_copy(bodies: list[bytes], params: dict[str, Any], gate: Any) -> None:
    tenant, day = uuid.uuid4(), clock.now().date()
    names = ", ".join(SPAN_STAGING.columns)
    with psycopg.connect(**params) as link:
        gate.wait()
        for body in bodies:
            spans, _ = normalise(otlp.decode_traces(body, encoding="protobuf"), now_ns=clock.now_ns())
            with link.cursor().copy(f"COPY {_PLAIN} ({names}) FROM STDIN (FORMAT BINARY)".encode()) as copy:
                copy.set_types(SPAN_STAGING.types)
                for span in spans:
                    copy.write_row(span_row(tenant, day, Counted(span=span, cost_nano_usd=None, price_version="")))
            link.commit()
