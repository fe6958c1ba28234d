"""A year of hourly sums by SQL, with the days that the sweeps would have made of them: for the bench of the pages.

There is no ledger behind these sums, and `ledger check` says so.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.db import connections, transaction

from agentops.budgets.types import SUMS
from agentops.common import clock
from agentops.common.ids import new_id

SLUG = "bench-spend"
DAYS = 365
AGENTS, MODELS, USERS = 4, 3, 40

_HOURS = f"""
INSERT INTO budgets_usagehour (tenant_id, hour, agent, user_id, provider, model, {", ".join(SUMS)})
SELECT %(tenant)s, hour, 'agent-' || (h %% {AGENTS}), 'user-' || (h / 7 %% {USERS}), 'openai',
    'model-' || (h / 3 %% {MODELS}), 9, 0, 40000, 4000, 12000, 0, 500, 1000000 + h %% 90000000, h %% 3000000, h %% 800000, 0
FROM (
    SELECT hour, abs(hashint8(extract(epoch FROM hour)::int8 * 131 + row * 7919 + %(salt)s))::bigint AS h
    FROM generate_series(date_trunc('hour', %(now)s::timestamptz) - interval '{DAYS} days',
        date_trunc('hour', %(now)s::timestamptz), interval '1 hour') AS hour,
        generate_series(1, %(rows)s) AS row
) n ON CONFLICT DO NOTHING
"""  # noqa: S608  our own names
_ADDED = ", ".join(f"sum({name})" for name in SUMS)
_DAYS = f"""
INSERT INTO budgets_usageday (tenant_id, day, agent, user_id, provider, model, {", ".join(SUMS)})
SELECT tenant_id, (hour AT TIME ZONE 'UTC')::date, agent, user_id, provider, model, {_ADDED}
FROM budgets_usagehour WHERE tenant_id = %(tenant)s AND hour < date_trunc('day', %(now)s::timestamptz, 'UTC') - interval '1 day'
GROUP BY 1, 2, 3, 4, 5, 6
"""  # noqa: S608
_AGENT_DAYS = f"""
INSERT INTO budgets_agentday (tenant_id, day, agent, provider, model, {", ".join(SUMS)})
SELECT tenant_id, day, agent, provider, model, {_ADDED} FROM budgets_usageday WHERE tenant_id = %(tenant)s
GROUP BY 1, 2, 3, 4, 5
"""  # noqa: S608
_DONE = f"""
INSERT INTO budgets_agentdaydone (tenant_id, day, {", ".join(SUMS)})
SELECT tenant_id, day, {_ADDED} FROM budgets_agentday WHERE tenant_id = %(tenant)s GROUP BY 1, 2
"""  # noqa: S608
_MONTHS = f"""
INSERT INTO budgets_agentmonth (tenant_id, month, agent, provider, model, {", ".join(SUMS)})
SELECT tenant_id, date_trunc('month', day::timestamp)::date, agent, provider, model, {_ADDED} FROM budgets_agentday
WHERE tenant_id = %(tenant)s GROUP BY 1, 2, 3, 4, 5
"""  # noqa: S608
_MONTHS_DONE = f"""
INSERT INTO budgets_agentmonthdone (tenant_id, month, days, {", ".join(SUMS)})
SELECT tenant_id, date_trunc('month', day::timestamp)::date, count(*), {_ADDED} FROM budgets_agentdaydone
WHERE tenant_id = %(tenant)s GROUP BY 1, 2
"""  # noqa: S608
_FOLDED = """
INSERT INTO budgets_foldedday (tenant_id, day) SELECT DISTINCT tenant_id, day FROM budgets_usageday WHERE tenant_id = %(tenant)s
"""
_OUTCOMES = """
INSERT INTO budgets_spendday (tenant_id, day, agent, outcome, tool, runs, amount_nano_usd)
SELECT tenant_id, day, agent, outcome, tool, 3, sum(amount_nano_usd) / 9 FROM budgets_agentday,
    unnest(ARRAY['ok', 'error', 'aborted']) AS outcome, unnest(ARRAY['', 'refund', 'look_up']) AS tool
WHERE tenant_id = %(tenant)s GROUP BY 1, 2, 3, 4, 5
"""
_WITHOUT_TOOLS = """
INSERT INTO budgets_outcomeday (tenant_id, day, agent, outcome, runs, amount_nano_usd)
SELECT tenant_id, day, agent, outcome, sum(runs), sum(amount_nano_usd) FROM budgets_spendday
WHERE tenant_id = %(tenant)s GROUP BY 1, 2, 3, 4
"""
_OUTCOME_MONTHS = """
INSERT INTO budgets_outcomemonth (tenant_id, month, agent, outcome, runs, amount_nano_usd)
SELECT tenant_id, date_trunc('month', day::timestamp)::date, agent, outcome, sum(runs), sum(amount_nano_usd)
FROM budgets_outcomeday WHERE tenant_id = %(tenant)s GROUP BY 1, 2, 3, 4
"""
_REVENUE = """
INSERT INTO budgets_revenue (tenant_id, id, month, source, amount_nano_usd, set_at, set_by)
SELECT %(tenant)s, gen_random_uuid(), m::date, 'bench', 400000000000, %(now)s, 'bench'
FROM generate_series(date_trunc('month', %(now)s::timestamptz - interval '11 months'), %(now)s::timestamptz, interval '1 month') AS m
"""
_TABLES = (
    "budgets_usagehour", "budgets_usageday", "budgets_foldedday", "budgets_agentday", "budgets_agentdaydone",
    "budgets_agentmonth", "budgets_agentmonthdone", "budgets_spendday", "budgets_outcomeday", "budgets_outcomemonth", "budgets_revenue",
)  # fmt: skip


def filled_tenants() -> list[tuple[uuid.UUID, str]]:
    """The tenants of an earlier fill."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT id, slug FROM tenants_tenant WHERE slug LIKE %s ORDER BY slug", [f"{SLUG}-%"])
        return [(row[0], row[1]) for row in cursor.fetchall()]


def fill(*, tenants: int, rows: int, say: Callable[[str], object]) -> list[tuple[uuid.UUID, str]]:
    """Make the tenants that an earlier fill has not made, each with so many rows in every hour of a year; answers all."""
    made = filled_tenants()
    for place in range(len(made), tenants):
        tenant, slug = new_id(), f"{SLUG}-{place:03d}"
        with transaction.atomic(using="owner"):
            _fill_tenant(tenant, slug, rows)
        made.append((tenant, slug))
        if place % 50 == 49:
            say(f"  {place + 1} tenants")
    with connections["owner"].cursor() as cursor:
        for table in _TABLES:
            cursor.execute(f"VACUUM ANALYZE {table}")
    return made


def _fill_tenant(tenant: uuid.UUID, slug: str, rows: int) -> None:
    at = clock.now()
    params: dict[str, Any] = {"tenant": tenant, "salt": hash(slug) % 1_000_003, "now": at, "rows": rows}
    statements = [_HOURS, _DAYS, _AGENT_DAYS, _DONE, _MONTHS, _MONTHS_DONE, _FOLDED]
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
        for statement in [*statements, _OUTCOMES, _WITHOUT_TOOLS, _OUTCOME_MONTHS, _REVENUE]:
            cursor.execute(statement, params)
