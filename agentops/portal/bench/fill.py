"""Millions of spans by SQL, for the benches that need a full table: 200 tenants of uneven size, 30 days."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, connections, transaction
from django.db.backends.utils import CursorWrapper

from agentops.common import clock, rowsecurity
from agentops.common.ids import new_id

RUN_SPANS = 12
SLUG = "bench-search"
SLICE_RUNS = 50_000

_RUNS = """
INSERT INTO traces_run (tenant_id, run_id, day, started_at, ended_at, received_at, finalised_at, status, root_span_id, root_status,
    name, agent, agent_version, user_id, session_id, service, environment, prompt_hash, tool_definitions_hash, span_count,
    llm_calls, tool_calls, error_count, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    cost_nano_usd, priced_calls, unpriced_calls, masked_values, tools, model_names, error_types, flags, input_preview,
    output_preview, basis)
SELECT %(tenant)s, md5(%(seed)s || g)::uuid, at::date, at, at + interval '20 s', at + interval '25 s', at + interval '25 s',
    CASE WHEN h %% 20 = 0 THEN 2 ELSE 1 END, g * 1000, 1, 'invoke_agent',
    'agent-' || (h %% 12), 'v' || (h / 12 %% 8), 'user-' || (h / 7 %% %(users)s), 'session-' || (h / 3 %% %(users)s),
    'shop', 'production', 'sha256:' || md5('p' || (h / 11 %% 40)), 'sha256:' || md5('t' || (h / 13 %% 9)), %(spans)s,
    5, 6, (h %% 20 = 0)::int, 4000, 700, 0, 0, 0, (exp(11 + 1.6 * sin(h)) * 100)::bigint, 5, 0, 0,
    ARRAY['tool-' || (h / 5 %% 25), 'tool-' || (h / 17 %% 25)], ARRAY['model-' || (h / 19 %% 6)],
    CASE WHEN h %% 20 = 0 THEN ARRAY['error-' || (h / 20 %% 15)] ELSE '{}' END, '{}', 'where is my order', 'on its way', '{}'
FROM (SELECT g, abs(hashint8(g::bigint * 7919 + %(salt)s))::bigint AS h,
      %(now)s::timestamptz - interval '30 days' * random() AS at FROM generate_series(%(low)s, %(high)s) AS g) AS n
"""
_FACETS = """
INSERT INTO traces_runfacet (tenant_id, key, value, started_at, run_id)
SELECT r.tenant_id, f.key, f.value, r.started_at, r.run_id FROM traces_run r, LATERAL (
    VALUES (1, r.agent), (2, r.agent_version), (3, r.user_id), (4, r.session_id),
           (5, CASE r.status WHEN 2 THEN 'error' ELSE 'ok' END), (9, r.prompt_hash), (10, r.tool_definitions_hash)
    UNION ALL SELECT 6, unnest(r.tools) UNION ALL SELECT 7, unnest(r.error_types) UNION ALL SELECT 8, unnest(r.model_names)
) AS f (key, value) WHERE r.tenant_id = %(tenant)s ON CONFLICT DO NOTHING
"""
_SPANS = """
INSERT INTO traces_span (tenant_id, day, run_id, span_id, parent_id, kind, status, is_counted, started_at, ended_at, name,
    error_type, agent, agent_version, user_id, session_id, model, provider, tool, tool_call_id, call_id, prompt_hash,
    tool_definitions_hash, idempotency_key, external_system, external_id, input_tokens, output_tokens, cache_read_tokens,
    cache_write_tokens, reasoning_tokens, cost_nano_usd, price_version, details)
SELECT r.tenant_id, r.day, r.run_id, r.root_span_id + s, CASE WHEN s > 0 THEN r.root_span_id END,
    CASE WHEN s = 0 THEN 1 WHEN s %% 2 = 1 THEN 3 ELSE 2 END, 1, true, r.started_at + s * interval '1 s',
    r.started_at + s * interval '1 s' + interval '800 ms', CASE WHEN s %% 2 = 1 THEN 'execute_tool' ELSE 'chat' END,
    '', r.agent, r.agent_version, r.user_id, r.session_id, '', '', CASE WHEN s %% 2 = 1 THEN r.tools[1] ELSE '' END, '', '',
    r.prompt_hash, '', '', '', '', 800, 140, NULL, NULL, NULL, 100000, 'bench',
    '{"dialect":"otel","input":[{"role":"user","parts":[{"type":"text","content":"where is my order ' || md5(r.run_id::text || s)
    || ' and when will it be here, the present is for a birthday on Sunday"}]}],"attributes":{"app.region":"eu-central"}}'
FROM traces_run r, generate_series(0, %(spans)s - 1) AS s WHERE r.tenant_id = %(tenant)s AND r.run_id = ANY(%(runs)s)
"""


def filled_tenants() -> list[tuple[uuid.UUID, str]]:
    """The tenants of an earlier fill, the largest first."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT id, slug FROM tenants_tenant WHERE slug LIKE %s ORDER BY slug", [f"{SLUG}-%"])
        return [(row[0], row[1]) for row in cursor.fetchall()]


def fill(*, spans: int, tenants: int, say: Callable[[str], object]) -> list[tuple[uuid.UUID, str]]:
    """Make the tenants (sizes by Zipf's law) and their rows; answers them, the largest first."""
    weights = [1 / (place + 1) for place in range(tenants)]
    total_runs = spans // RUN_SPANS
    made = []
    for place, weight in enumerate(weights):
        runs = max(20, round(total_runs * weight / sum(weights)))
        tenant, slug = new_id(), f"{SLUG}-{place:03d}"
        _fill_tenant(tenant, slug, runs)
        made.append((tenant, slug))
        if place < 10 or place % 50 == 49:
            say(f"  {slug}: {runs} runs")
    with connections["owner"].cursor() as cursor:
        for table in ("traces_run", "traces_runfacet", "traces_span"):
            say(f"  analysing {table}")
            cursor.execute(f"VACUUM ANALYZE {table}")
    return made


def forget(tenants: list[tuple[uuid.UUID, str]]) -> None:
    """Delete tenants that only a bench had, with every row of theirs, as the owner."""
    ids = [tenant for tenant, _ in tenants]
    waiting = [table for table, (kind, _) in rowsecurity.classify().items() if kind in ("tenant", "ledger", "sealed")]
    with connections["owner"].cursor() as cursor:
        while waiting:
            before, waiting = waiting, [table for table in waiting if not _emptied(cursor, table, ids)]
            if before == waiting:
                raise RuntimeError(f"these tables refer to each other: {', '.join(waiting)}")
        cursor.execute("DELETE FROM tenants_tenant WHERE id = ANY(%s)", [ids])
        # Staff that a bench made stand in no organisation, and would stay.
        cursor.execute(
            "DELETE FROM tenants_staffassignment s USING tenants_user u "
            "WHERE u.id = s.user_id AND u.email LIKE '%%@bench.invalid'"
        )
        cursor.execute(
            "DELETE FROM tenants_user u WHERE u.email LIKE '%%@bench.invalid' "
            "AND NOT EXISTS (SELECT 1 FROM tenants_membership m WHERE m.user_id = u.id)"
        )


def _emptied(cursor: CursorWrapper, table: str, tenants: list[uuid.UUID]) -> bool:
    """Delete these tenants' rows; False where rows of another table still refer to them."""
    try:
        with transaction.atomic(using="owner"):
            cursor.execute(f'DELETE FROM "{table}" WHERE tenant_id = ANY(%s)', [tenants])  # noqa: S608
    except IntegrityError:
        return False
    return True


def _fill_tenant(tenant: uuid.UUID, slug: str, runs: int) -> None:
    at = clock.now()
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO tenants_tenant (id, slug, name, plan, is_active, created_at) VALUES (%s, %s, %s, 'enterprise', true, %s)",
            [tenant, slug, slug, at],
        )
        cursor.execute(
            "INSERT INTO tenants_tenantsettings (tenant_id, time_zone, masking, masking_salt, pseudonymise_users, idle_minutes) "
            "VALUES (%s, 'UTC', 'mask', %s, false, 15)",
            [tenant, b"bench" * 4],
        )
        shared: dict[str, Any] = {
            "tenant": tenant,
            "seed": slug,
            "salt": hash(slug) % 1_000_003,
            "now": at,
            "spans": RUN_SPANS,
        }
        users = max(5, runs // 40)
        for low in range(1, runs + 1, SLICE_RUNS):
            high = min(runs, low + SLICE_RUNS - 1)
            cursor.execute(_RUNS, {**shared, "users": users, "low": low, "high": high})
        cursor.execute(_FACETS, shared)
        _fill_spans(cursor, shared)


def _fill_spans(cursor: CursorWrapper, shared: dict[str, Any]) -> None:
    cursor.execute("SELECT run_id FROM traces_run WHERE tenant_id = %s ORDER BY day, run_id", [shared["tenant"]])
    ids = [row[0] for row in cursor.fetchall()]
    for place in range(0, len(ids), SLICE_RUNS):
        cursor.execute(_SPANS, {**shared, "runs": ids[place : place + SLICE_RUNS]})
