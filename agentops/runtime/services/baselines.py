"""What is usual for an agent, computed from what its users' runs did."""

from __future__ import annotations

import uuid

from django.db import connection

from agentops.common import clock, scope
from agentops.runtime.services.answers import purge_answers
from tenants import queries as tenants
from tenants.roles import PLAN_RETENTION_DAYS

_COMPUTE = """
INSERT INTO runtime_baseline AS b (tenant_id, agent, runs, model_calls_p99, computed_at)
SELECT tenant_id, agent, sum(runs),
    coalesce(percentile_disc(0.99) WITHIN GROUP (ORDER BY model_calls) FILTER (WHERE model_calls > 0), 0), clock_timestamp()
FROM runtime_userminute
WHERE tenant_id = %s AND minute >= clock_timestamp() - interval '28 days'
    AND minute < date_trunc('minute', clock_timestamp())
GROUP BY tenant_id, agent
ON CONFLICT (tenant_id, agent) DO UPDATE
SET runs = excluded.runs, model_calls_p99 = excluded.model_calls_p99, computed_at = excluded.computed_at
"""


def compute(*, tenant: uuid.UUID) -> int:
    """Compute the baseline of every agent from the last 28 days; answers how many agents.

    Forgets counters that are older, and the runs that the plan does not keep: their decisions stay."""
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        cursor.execute(_COMPUTE, [tenant])
        count = int(cursor.rowcount)
        cursor.execute(
            "DELETE FROM runtime_userminute WHERE tenant_id = %s AND minute < clock_timestamp() - interval '29 days'",
            [tenant],
        )
        cursor.execute(
            "DELETE FROM runtime_runstart WHERE tenant_id = %s AND at < clock_timestamp() - interval '2 days'", [tenant]
        )
        cursor.execute(
            "DELETE FROM runtime_modeloutcome WHERE tenant_id = %s AND hour < clock_timestamp() - interval '29 days'",
            [tenant],
        )
        cursor.execute(
            "DELETE FROM runtime_guardedrun WHERE tenant_id = %s AND ended_at < clock_timestamp() - make_interval(days => %s)",
            [tenant, PLAN_RETENTION_DAYS[tenants.plan_of(tenant)]],
        )
    purge_answers(tenant=tenant, at=clock.now())
    return count
