"""`bench search`: every filter of Runs, alone and in pairs, first and hundredth page, and the run page, on a full table.

Times are of the whole request at the server (key, scope, SQL, JSON or HTML), in one process, without the network.
"""

from __future__ import annotations

import itertools
import random
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.db import connection, connections
from django.test import Client

from agentops.common import clock
from agentops.common.cursors import Cursor
from agentops.common.ids import new_id
from agentops.common.scope import tenant_scope
from agentops.portal.bench import fill
from agentops.portal.bench.machine import percentile, stored_spans
from agentops.traces import search as searches
from agentops.traces.queries.runs import _statement
from audit.types import operator
from tenants import services as tenants
from tenants.roles import KeyScope, Role

PAGE = 50
DEEP = 99 * PAGE
SAMPLES = (0, 1, 9, 50, 150)  # places in the list of tenants, the largest first
_PASSWORD = "bench, never signed in with"  # noqa: S105


def run(
    *, spans: int, tenants: int, fill_only: bool, keep: bool, repeat: int, say: Callable[[str], object]
) -> dict[str, Any]:
    """Fill (unless an earlier fill was kept), measure, and clean up unless told to keep."""
    made = fill.filled_tenants()
    begun = time.perf_counter()
    if not made:
        say(f"filling {spans} spans for {tenants} tenants")
        made = fill.fill(spans=spans, tenants=tenants, say=say)
    figures: dict[str, Any] = {"fill_seconds": round(time.perf_counter() - begun), "tenants": len(made), **_sizes()}
    if fill_only:
        return figures
    chosen = [made[place] for place in SAMPLES if place < len(made)]
    figures |= _filters(chosen, repeat, say)
    figures |= _text(chosen, repeat)
    figures |= _run_pages(made[0], repeat)
    if not keep:
        fill.forget(made)
    return figures


def _sizes() -> dict[str, Any]:
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE relname = 'traces_run'")
        return {"spans_stored": stored_spans(), "runs_stored": cursor.fetchone()[0]}


# -- filters ---------------------------------------------------------------------------------------------------------


def _filters(chosen: list[tuple[uuid.UUID, str]], repeat: int, say: Callable[[str], object]) -> dict[str, Any]:
    names = [*searches.FACET_NAMES, "from", "to", "min_cost_usd"]
    combinations = [(name,) for name in names] + list(itertools.combinations(names, 2))
    rng = random.Random(7)
    first: dict[tuple[str, ...], list[float]] = {}
    deep: dict[tuple[str, ...], list[float]] = {}
    for tenant, slug in chosen:
        say(f"searching {slug}")
        client, headers = Client(HTTP_HOST="localhost"), {"Authorization": f"Bearer {_key(tenant)}"}
        values = _values(tenant)
        for combination in combinations:
            for _ in range(max(1, repeat // len(chosen))):
                params = {name: rng.choice(values[name]) for name in combination}
                first.setdefault(combination, []).append(_timed(client, headers, params))
                cursor = _deep_cursor(tenant, params)
                if cursor is not None:
                    deep.setdefault(combination, []).append(_timed(client, headers, {**params, "cursor": cursor}))
    worst = sorted(((percentile(t, 0.95), "+".join(c)) for c, t in first.items()), reverse=True)[:5]
    worst_deep = sorted(((percentile(t, 0.95), "+".join(c)) for c, t in deep.items()), reverse=True)[:5]
    all_first = [t for found in first.values() for t in found]
    all_deep = [t for found in deep.values() for t in found]
    return {
        "filter_ms_by_name": {
            c[0]: f"p50 {_ms(percentile(t, 0.5))} p95 {_ms(percentile(t, 0.95))}"
            for c, t in first.items()
            if len(c) == 1
        },
        "first_page_p50_ms": _ms(percentile(all_first, 0.5)),
        "first_page_p95_ms": _ms(percentile(all_first, 0.95)),
        "first_page_max_ms": _ms(max(all_first)),
        "hundredth_page_p50_ms": _ms(percentile(all_deep, 0.5)),
        "hundredth_page_p95_ms": _ms(percentile(all_deep, 0.95)),
        "hundredth_page_max_ms": _ms(max(all_deep)),
        "worst_first": {name: _ms(seconds) for seconds, name in worst},
        "worst_hundredth": {name: _ms(seconds) for seconds, name in worst_deep},
    }


def _timed(client: Client, headers: dict[str, str], params: dict[str, str]) -> float:
    begun = time.perf_counter()
    answer = client.get(f"/api/v1/runs?{urlencode(params)}", headers=headers)
    taken = time.perf_counter() - begun
    if answer.status_code != 200:
        raise RuntimeError(f"{params}: {answer.status_code} {answer.content[:300]!r}")
    return taken


def _deep_cursor(tenant: uuid.UUID, params: dict[str, str]) -> str | None:
    """The cursor before the hundredth page (or the last page, where there are fewer), found without being timed."""
    wanted = searches.parse(params, now=clock.now())
    sql, values = _statement(tenant, wanted, None, DEEP)
    with tenant_scope(tenant), connection.cursor() as db:
        db.execute(f"SELECT started_at, run_id FROM ({sql}) AS n ORDER BY started_at, run_id LIMIT 1", values)  # noqa: S608
        row = db.fetchone()
    return Cursor(row[0], row[1]).encode() if row else None


def _values(tenant: uuid.UUID) -> dict[str, list[str]]:
    """Values as people search them: by frequency, so common ones come up often."""
    found: dict[str, list[str]] = {
        "from": ["1h", "24h", "7d", "30d"],
        "to": ["1h", "24h", "7d"],
        "min_cost_usd": ["0.001", "0.01", "0.05", "0.1"],
    }
    with tenant_scope(tenant), connection.cursor() as db:
        for name, key in searches.FACET_NAMES.items():
            db.execute(
                "SELECT value FROM traces_runfacet WHERE tenant_id = %s AND key = %s ORDER BY started_at DESC LIMIT 400",
                [tenant, int(key)],
            )
            found[name] = [row[0] for row in db.fetchall()] or ["none"]
    return found


# -- text and pages --------------------------------------------------------------------------------------------------


def _text(chosen: list[tuple[uuid.UUID, str]], repeat: int) -> dict[str, Any]:
    times: list[float] = []
    for tenant, _slug in chosen:
        client, headers = Client(HTTP_HOST="localhost"), {"Authorization": f"Bearer {_key(tenant)}"}
        words = ("birthday", "nowhere to be found", "0a1b2c")[: max(1, repeat)]
        times += [_timed(client, headers, {"q": word}) for word in words]
    return {"text_p50_ms": _ms(percentile(times, 0.5)), "text_max_ms": _ms(max(times))}


def _run_pages(largest: tuple[uuid.UUID, str], repeat: int) -> dict[str, Any]:
    """The run page and the Runs page as HTML, for a member of the largest tenant."""
    tenant, slug = largest
    at, by = clock.now(), operator("bench")
    with tenant_scope(tenant):
        added = tenants.add_member(
            tenant=tenant,
            email=f"{uuid.uuid4().hex[:8]}@bench.invalid",
            name="Bench",
            role=Role.ADMIN,
            password=_PASSWORD,
            by=by,
            at=at,
        )
    client = Client(HTTP_HOST="localhost")
    client.force_login(added.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    found: dict[str, Any] = {}
    for size in (300, 3_000, 30_000):
        run_id = _large_run(tenant, size)
        times = [_page(client, f"/t/{slug}/runs/{run_id.hex}/") for _ in range(max(5, repeat))]
        found[f"run_page_{size}_spans_p50_ms"] = _ms(percentile(times, 0.5))
        found[f"run_page_{size}_spans_p95_ms"] = _ms(percentile(times, 0.95))
    times = [_page(client, f"/t/{slug}/runs/") for _ in range(max(5, repeat))]
    found["runs_page_p50_ms"], found["runs_page_p95_ms"] = _ms(percentile(times, 0.5)), _ms(percentile(times, 0.95))
    with connections["owner"].cursor() as cursor:
        cursor.execute("DELETE FROM tenants_membership WHERE id = %s", [added.membership.id])
    return found


def _page(client: Client, path: str) -> float:
    begun = time.perf_counter()
    answer = client.get(path)
    taken = time.perf_counter() - begun
    if answer.status_code != 200:
        raise RuntimeError(f"{path}: {answer.status_code}")
    return taken


def _large_run(tenant: uuid.UUID, size: int) -> uuid.UUID:
    """A run of so many spans below one root, in groups of twenty."""
    run_id = new_id()
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            fill._RUNS.replace("md5(%(seed)s || g)::uuid", "%(run)s::uuid").replace("interval '30 days' * random()", "interval '1 h'"),
            {
                "tenant": tenant, "seed": "", "run": run_id, "salt": 1, "now": clock.now(), "users": 5, "low": 1, "high": 1,
                "spans": size,
            },
        )  # fmt: skip
        cursor.execute(fill._SPANS, {"tenant": tenant, "runs": [run_id], "spans": size})
        cursor.execute(
            "UPDATE traces_span SET parent_id = 1000 + (span_id - 1000) / 20 WHERE tenant_id = %s AND run_id = %s AND span_id > 1000 + 20",
            [tenant, run_id],
        )
        cursor.execute("VACUUM ANALYZE traces_span")  # as autovacuum would, once somebody comes to look
    return run_id


def _key(tenant: uuid.UUID) -> str:
    with tenant_scope(tenant):
        made = tenants.create_key(
            tenant=tenant, name="bench", scopes=[KeyScope.READ], by=operator("bench"), at=clock.now()
        )
    return made.text


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
