"""`bench blast`: how long it takes to find what one agent version touched with one tool, over millions of spans of one organisation.

One run in ten is of the version that is looked for, one in a hundred of another: these are to be found within five seconds. What
it takes where half of everything is of one version stands beside them. `--runs` measures the evidence of an incident of so many
runs.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, connections, transaction
from django.db.backends.utils import CursorWrapper

from agentops.common import clock
from agentops.common.ids import new_id
from agentops.common.scope import staff_scope
from agentops.portal.bench import evidence_step, fill
from agentops.portal.bench.machine import stored_spans
from incidents.queries import touched

SLUG = "bench-blast"
RUN_SPANS, SLICE_RUNS, DAYS = 12, 50_000, 30
BUSY, RARE, HALF, TOOL = ("refund-desk", "v7"), ("concierge", "v2"), ("switchboard", "v1"), "refund"
MOST_SECONDS = 5.0

_RUNS = """
INSERT INTO traces_run (tenant_id, run_id, day, started_at, ended_at, received_at, finalised_at, status, root_span_id, root_status,
    name, agent, agent_version, user_id, session_id, service, environment, prompt_hash, tool_definitions_hash, span_count,
    llm_calls, tool_calls, error_count, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    cost_nano_usd, priced_calls, unpriced_calls, masked_values, tools, model_names, error_types, flags, input_preview,
    output_preview, basis)
SELECT %(tenant)s, md5('blast' || g)::uuid, at::date, at, at + interval '20 s', at + interval '25 s', at + interval '25 s',
    1, g * 100, 1, 'invoke_agent',
    CASE WHEN g %% 10 = 0 THEN 'refund-desk' WHEN g %% 100 = 1 THEN 'concierge' WHEN g %% 2 = 1 THEN 'switchboard'
        ELSE 'agent-' || g %% 11 END,
    CASE WHEN g %% 10 = 0 THEN 'v7' WHEN g %% 100 = 1 THEN 'v2' WHEN g %% 2 = 1 THEN 'v1' ELSE 'v' || g %% 13 END, 'user-' || g %% 50000,
    'session-' || g, 'shop', 'production', 'sha256:' || md5('p' || g %% 40), '', %(spans)s, 5, 6, 0, 4000, 700, 0, 0, 0, 250000, 5, 0,
    0, ARRAY['look_up_order', 'refund'], ARRAY['model-1'], '{}', '{}', 'where is my money', 'on its way', '{}'
FROM (SELECT g, %(now)s::timestamptz - interval '1 day' * %(days)s * g / %(count)s AS at
      FROM generate_series(%(low)s, %(high)s) AS g) AS n
"""
_SPANS = """
INSERT INTO traces_span (tenant_id, day, run_id, span_id, parent_id, kind, status, is_counted, started_at, ended_at, name,
    error_type, agent, agent_version, user_id, session_id, model, provider, tool, tool_call_id, call_id, prompt_hash,
    tool_definitions_hash, idempotency_key, external_system, external_id, input_tokens, output_tokens, cache_read_tokens,
    cache_write_tokens, reasoning_tokens, cost_nano_usd, price_version, details)
SELECT r.tenant_id, r.day, r.run_id, r.root_span_id + s, CASE WHEN s = 10 THEN r.root_span_id + 9 WHEN s > 0 THEN r.root_span_id END,
    CASE WHEN s = 0 THEN 1 WHEN s = 10 THEN 5 WHEN s %% 2 = 1 THEN 3 ELSE 2 END, 1, true, r.started_at + s * interval '1 s',
    r.started_at + s * interval '1 s' + interval '800 ms', CASE WHEN s %% 2 = 1 THEN 'execute_tool' ELSE 'chat' END,
    '', r.agent, r.agent_version, r.user_id, r.session_id, '', '',
    CASE WHEN s IN (9, 11) THEN 'refund' WHEN s %% 2 = 1 THEN 'look_up_order' ELSE '' END, '', '', r.prompt_hash, '',
    CASE WHEN s = 11 THEN 'key-' || r.root_span_id ELSE '' END, CASE WHEN s IN (10, 11) THEN 'stripe' ELSE '' END,
    CASE WHEN s IN (10, 11) THEN 'rf_' || r.root_span_id + s ELSE '' END, 800, 140, NULL, NULL, NULL, 100000, 'bench',
    '{"dialect":"otel","input":[{"role":"user","parts":[{"type":"text","content":"where is my money ' || md5(r.run_id::text || s)
    || ' and when will it be here, the present is for a birthday on Sunday"}]}],"attributes":{"app.region":"eu-central"}}'
FROM traces_run r, generate_series(0, %(spans)s - 1) AS s WHERE r.tenant_id = %(tenant)s AND r.run_id IN (
    SELECT md5('blast' || g)::uuid FROM generate_series(%(low)s, %(high)s) AS g)
"""


def run(
    *, spans: int, runs: int, repeat: int, keep: bool, fill_only: bool, say: Callable[[str], object]
) -> dict[str, Any]:
    """Fill what an earlier fill that was kept does not have, measure, and clean up unless told to keep."""
    began = time.perf_counter()
    tenant = _fill(spans, say)
    figures: dict[str, Any] = {
        "fill_seconds": round(time.perf_counter() - began),
        "spans_stored": stored_spans(),
        "sound": True,
    }
    if fill_only:
        return figures
    for name, (agent, version) in (
        ("one_run_in_ten", BUSY),
        ("one_run_in_a_hundred", RARE),
        ("half_of_all_runs", HALF),
    ):
        figures[name] = found = _measure(tenant, agent, version, repeat)
        figures["sound"] = figures["sound"] and (name == "half_of_all_runs" or found["seconds_worst"] <= MOST_SECONDS)
        say(f"  {name}: {found}")
    if runs:
        figures["evidence"] = kept = evidence_step.measure(tenant, *RARE, TOOL, runs=runs)
        figures["sound"] = figures["sound"] and kept["sound"]
        say(f"  evidence: {kept}")
    if not keep:
        fill.forget([(tenant, SLUG)])
    return figures


def marks(tenant: uuid.UUID, agent: str, version: str) -> touched.Marks:
    """Everything the version did with the tool; five runs of it are the incident's own."""
    at = clock.now()
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT run_id FROM traces_run WHERE tenant_id = %s AND agent = %s AND agent_version = %s LIMIT 5",
            [tenant, agent, version],
        )
        own = [row[0] for row in cursor.fetchall()]
    return touched.Marks(
        tenant=tenant, agent=agent, version=version, tool=TOOL, since=at - timedelta(days=DAYS + 1), until=at, own=own
    )


def _measure(tenant: uuid.UUID, agent: str, version: str, repeat: int) -> dict[str, Any]:
    seconds, looked = [], marks(tenant, agent, version)
    found = touched.Found()
    for _ in range(repeat):
        began = time.perf_counter()
        with staff_scope():
            found = touched.find(looked)
        seconds.append(time.perf_counter() - began)
    return {
        "seconds_first": round(seconds[0], 2),
        "seconds_median": round(sorted(seconds)[len(seconds) // 2], 2),
        "seconds_worst": round(max(seconds), 2),
        "runs": found.runs,
        "side_effects": found.side_effects,
        "items_kept": len(found.items),
        "is_cut": found.is_cut,
    }


def explain(tenant: uuid.UUID, agent: str, version: str) -> str:
    """The plans of both statements, the second for the newest day: for whoever changes them."""
    looked = marks(tenant, agent, version)
    with staff_scope(), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {touched._DAYS}", looked.values)
        lines = [row[0] for row in cursor.fetchall()]
        cursor.execute(touched._DAYS, looked.values)
        day, _, _, runs = next(row for row in cursor.fetchall() if not row[1])
        statement = touched._EFFECTS.format(day=f"{day:%Y-%m-%d}")
        cursor.execute(
            f"EXPLAIN (ANALYZE, BUFFERS) {statement}",
            {**looked.values, "runs": runs, **touched._Tally(touched.Found()).room()},
        )
        return "\n".join([*lines, f"-- {day}", *(row[0] for row in cursor.fetchall())])


def _fill(spans: int, say: Callable[[str], object]) -> uuid.UUID:
    """Slice by slice, each whole or not at all; one that was stopped goes on where it was. A fill that was kept is kept."""
    count = max(1_000, spans // RUN_SPANS)
    with connections["owner"].cursor() as cursor:
        tenant, filled, at = _begun(cursor)
        shared: dict[str, Any] = {"tenant": tenant, "now": at, "spans": RUN_SPANS, "count": count, "days": DAYS}
        if filled >= count:
            return tenant
        say(f"filling {count * RUN_SPANS:,} spans of {count:,} runs" + (f", {filled:,} are there" if filled else ""))
        for low in range(filled + 1, count + 1, SLICE_RUNS):
            values = {**shared, "low": low, "high": min(count, low + SLICE_RUNS - 1)}
            with transaction.atomic(using="owner"):
                cursor.execute(_RUNS, values)
                cursor.execute(_SPANS, values)
        cursor.execute(fill._FACETS, shared)
        for table in ("traces_run", "traces_runfacet", "traces_span"):
            say(f"  analysing {table}")
            cursor.execute(f"VACUUM ANALYZE {table}")
    return tenant


def _begun(cursor: CursorWrapper) -> tuple[uuid.UUID, int, datetime]:
    """The organisation that is filled, how many runs it has, and when it was begun."""
    cursor.execute("SELECT id, created_at FROM tenants_tenant WHERE slug = %s", [SLUG])
    if row := cursor.fetchone():
        cursor.execute("SELECT count(*) FROM traces_run WHERE tenant_id = %s", [row[0]])
        return row[0], cursor.fetchone()[0], row[1]
    tenant, at = new_id(), clock.now()
    cursor.execute(
        "INSERT INTO tenants_tenant (id, slug, name, plan, is_active, created_at) VALUES (%s, %s, %s, 'enterprise', true, %s)",
        [tenant, SLUG, SLUG, at],
    )
    cursor.execute(
        "INSERT INTO tenants_tenantsettings (tenant_id, time_zone, masking, masking_salt, pseudonymise_users, idle_minutes) "
        "VALUES (%s, 'UTC', 'mask', %s, false, 15)",
        [tenant, b"bench" * 4],
    )
    return tenant, 0, at
