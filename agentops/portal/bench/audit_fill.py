"""Millions of audit entries by SQL, with their leaves: uneven tenants, thirteen months, as agents and people leave them.

They are sealed by the product's sealer, so the workers of an `up` that runs beside, whose own entries follow, find trees
that are whole. Their leaves are made up: these entries are for being looked for, not for being proven.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connections
from django.db.backends.utils import CursorWrapper

from agentops.common import clock
from agentops.common.ids import new_id
from agentops.common.partitions import Partitioned, make_ahead
from audit import services
from audit.partitions import ENTRY_PARTITIONS
from audit.registry import ACTIONS

SLUG = "bench-audit"
SLICE = 250_000
DAYS = 395
RUN_ENTRIES = 12

# Of a hundred entries: most are an agent's, some are agreements, few are of people who change something.
_SHARES = (
    ("tool_call.decided", 24), ("model_call.decided", 22), ("model_call.settled", 20), ("tool.called", 10),
    ("run.started", 7), ("run.ended", 7), ("approval.requested", 3), ("approval.confirmed", 2), ("approval.refused", 1),
    ("tool_call.redeemed", 1), ("approval.executed", 1), ("staff.read", 1), ("member.role_changed", 0), ("kill_switch.set", 0),
    ("price.set", 0), ("audit.heartbeat", 1),
)  # fmt: skip
_RARE = [name for name, share in _SHARES if not share]  # one entry in ten thousand each

_ENTRIES = """
WITH written AS (
INSERT INTO audit_entry (tenant_id, id, schema_version, recorded_at, occurred_at, category, action, outcome, actor_type,
    actor_id, actor_label, on_behalf_of_id, run_id, target_type, target_id, reason, src_ip, user_agent, auth_method, data,
    commitments, private, nonce)
SELECT %(tenant)s,
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(g::text || %(seed)s), 1, 3) || '8'
        || substr(md5(%(seed)s || g), 1, 15))::uuid,
    2, at, at, category, action,
    CASE WHEN h %% 33 = 0 THEN 2 WHEN action = 'approval.refused' OR h %% 50 = 1 THEN 3 WHEN action = 'approval.requested' THEN 4 ELSE 1 END,
    CASE WHEN is_agent THEN 'agent' ELSE 'user' END,
    CASE WHEN is_agent THEN 'agent:agent-' || agent ELSE 'user:' || member END,
    CASE WHEN is_agent THEN 'agent-' || agent ELSE 'member-' || member || '@bench.invalid' END,
    CASE WHEN is_agent THEN 'user-' || (h / 7 %% %(people)s) ELSE '' END,
    CASE WHEN is_agent THEN md5(%(seed)s || 'run' || g / %(of_run)s)::uuid END,
    CASE WHEN category = 2 THEN 'confirmation' WHEN category = 1 AND action LIKE 'model%%' THEN 'model' ELSE 'tool' END,
    CASE WHEN category = 2 THEN md5(%(seed)s || 'asked' || g / 40)::uuid::text WHEN action LIKE 'model%%' THEN 'model-' || (h / 19 %% 6)
        ELSE 'tool-' || (h / 5 %% 25) END,
    '', CASE WHEN is_agent THEN '' ELSE '10.0.0.' || (h %% 250) END, '', CASE WHEN is_agent THEN 'api_key' ELSE 'session' END,
    '{"call":"t' || (g %% 12) || '","code":"","decision":"allow","policy_version":"12","tier":2,"tool":"tool-' || (h / 5 %% 25)
        || '","tool_version":"3","arguments":"sha256:' || md5(g::text) || md5(h::text) || '"}',
    CASE WHEN is_agent THEN '{"on_behalf_of_id":"' || md5(g::text || 'c') || md5(h::text || 'c') || '"}' ELSE '{}' END,
    CASE WHEN is_agent THEN '{"on_behalf_of_id":"' || md5(g::text || 's') || '"}' ELSE '{}' END,
    decode(md5(g::text || 'n' || %(seed)s), 'hex')
FROM (
    SELECT n.*, a.action, a.category, a.is_agent, h / 3 %% 12 AS agent, h / 3 %% 20 AS member
    FROM (
        SELECT g, abs(hashint8(g::bigint * 7919 + %(salt)s))::bigint AS h,
            %(from)s::timestamptz + (%(to)s::timestamptz - %(from)s::timestamptz) * (g::float8 / %(count)s) AS at
        FROM generate_series(%(low)s, %(high)s) AS g
    ) AS n
    JOIN unnest(%(actions)s::text[], %(categories)s::int[], %(agents)s::bool[], %(places)s::int[])
        AS a(action, category, is_agent, place)
        ON a.place = CASE WHEN n.h %% 10000 < %(rare)s THEN 100 + n.h %% 10000 ELSE n.h / 100 %% 100 END
) AS made
RETURNING tenant_id, recorded_at, id, nonce
)
INSERT INTO audit_pending (tenant_id, recorded_at, entry_id, leaf_hash)
SELECT tenant_id, recorded_at, id, sha256(nonce) FROM written
"""
# Their runs are made up, too, and the workers beside would write a manifest for each.
_NO_MANIFESTS = """
INSERT INTO audit_manifestcursor (tenant_id, next_leaf) SELECT tenant_id, tree_size FROM audit_head WHERE tenant_id = %s
ON CONFLICT (tenant_id) DO UPDATE SET next_leaf = excluded.next_leaf
"""


def filled_tenants() -> list[tuple[uuid.UUID, str]]:
    """The tenants of an earlier fill, the largest first."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT id, slug FROM tenants_tenant WHERE slug LIKE %s ORDER BY slug", [f"{SLUG}-%"])
        return [(row[0], row[1]) for row in cursor.fetchall()]


def fill(*, entries: int, tenants: int, say: Callable[[str], object]) -> list[tuple[uuid.UUID, str]]:
    """Make the tenants (sizes by Zipf's law) and their entries; answers them, the largest first."""
    weights = [1 / (place + 1) for place in range(tenants)]
    made = []
    with connections["owner"].cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        _make_partitions(cursor)
        for place, weight in enumerate(weights):
            tenant, slug = new_id(), f"{SLUG}-{place:03d}"
            count = max(100, round(entries * weight / sum(weights)))
            _make_tenant(cursor, tenant, slug)
            _fill_tenant(cursor, tenant, slug, count)
            made.append((tenant, slug))
            if place < 10 or place % 50 == 49:
                say(f"  {slug}: {count} entries")
        cursor.execute("RESET synchronous_commit")
        for table in ("audit_entry", "audit_leaf"):
            say(f"  analysing {table}")
            cursor.execute(f"VACUUM ANALYZE {table}")
    return made


def _make_partitions(cursor: CursorWrapper) -> None:
    back = Partitioned(
        ENTRY_PARTITIONS.table, ENTRY_PARTITIONS.every, ahead=ENTRY_PARTITIONS.ahead, back=DAYS // 28 + 1
    )
    make_ahead(cursor, back, today=clock.now().date())


def _make_tenant(cursor: CursorWrapper, tenant: uuid.UUID, slug: str) -> None:
    cursor.execute(
        "INSERT INTO tenants_tenant (id, slug, name, plan, is_active, created_at) VALUES (%s, %s, %s, 'enterprise', true, %s)",
        [tenant, slug, slug, clock.now()],
    )
    cursor.execute(
        "INSERT INTO tenants_tenantsettings (tenant_id, time_zone, masking, masking_salt, pseudonymise_users, idle_minutes) "
        "VALUES (%s, 'UTC', 'mask', %s, false, 15)",
        [tenant, b"bench" * 4],
    )


def _fill_tenant(cursor: CursorWrapper, tenant: uuid.UUID, slug: str, count: int) -> None:
    names, places = _places()
    now = clock.now()
    shared: dict[str, Any] = {
        "tenant": tenant,
        "seed": slug,
        "salt": int(slug.rpartition("-")[2]) * 104_729,
        "from": now - timedelta(days=DAYS),
        "to": now - timedelta(minutes=1),
        "count": count,
        "people": max(5, count // 400),
        "of_run": RUN_ENTRIES,
        "actions": names,
        "categories": [int(ACTIONS[name].category) for name in names],
        "agents": [
            ACTIONS[name].category in (1, 2) and name not in ("approval.confirmed", "approval.refused")
            for name in names
        ],
        "places": places,
        "rare": len(_RARE),
    }
    for low in range(1, count + 1, SLICE):
        cursor.execute(_ENTRIES, {**shared, "low": low, "high": min(count, low + SLICE - 1)})
        services.seal_all(tenant=tenant, at=now)
    cursor.execute(_NO_MANIFESTS, [tenant])


def _places() -> tuple[list[str], list[int]]:
    """A hundred places for the actions by their shares, and one beyond for each rare one."""
    names = [name for name, share in _SHARES for _ in range(share)]
    return [*names, *_RARE], [*range(len(names)), *range(100, 100 + len(_RARE))]
