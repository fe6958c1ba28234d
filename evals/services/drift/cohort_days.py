"""Days by cohort, added up from facts, judgements, feedback and suites; anew whenever something of a day came late.

A day is replaced whole, in one transaction, by one worker at a time. What counts of a run's judges is the mean of their
scores, with one over the probability of being judged as its weight. Runs that a person asked to have judged are no
sample, and do not count.
"""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import connection

from agentops.common import scope
from evals.models import CohortSweep
from evals.services.keeping.retention import forgotten_until
from evals.types import Dimension

MOST_VALUES, OTHER = 30, "other"  # of one dimension, by runs; the rest of them together
LATE_DAYS = 35  # what comes later than this changes no day any more
_OVERLAP = timedelta(minutes=10)  # rows of transactions that were open at the last look
_PART = "all"

_VALUES = tuple(dimension.value for dimension in Dimension if dimension != Dimension.ALL)
_SUMS = (
    "runs", "errors", "refusals", "tokens_sum", "tokens_logs", "tokens_log_squares", "cost_nano_usd", "cost_logs",
    "cost_log_squares", "judged", "weight", "weight_squares", "score_sum", "score_squares", "ups", "downs",
    "passed_cases", "cases",
)  # fmt: skip
_COMBINATION = ", ".join(("agent", *_VALUES))
_CUT = ", ".join(f"left({name}, 200) AS {name}" for name in ("agent", *_VALUES))  # they become keys
_EXPLODED = (
    "CROSS JOIN LATERAL (VALUES ('all', ''), "
    + ", ".join(f"('{name}', c.{name})" for name in _VALUES)
    + ") AS v(dimension, value) WHERE v.dimension = 'all' OR v.value <> ''"
)
_SUITE_VALUES = ", ".join(
    f"left({name}, 200)" if name in ("agent_version", "prompt_hash", "model", "tool_definitions_hash") else "''"
    for name in _VALUES
)
_SUITE_SUMS = ", ".join(name if name in ("passed", "cases") else "0" for name in (*_SUMS[:-2], "passed", "cases"))

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('evals cohort days ' || %s, 0))"
_FORGET = "DELETE FROM evals_cohortday WHERE tenant_id = %(tenant)s AND day = %(day)s"
# Runs that share all values are added up first: of such combinations there are few, however many runs there are.
_DAY = f"""
WITH facts AS MATERIALIZED (
    SELECT run_id, {_CUT}, is_error, is_refused, tokens, cost_nano_usd, tools,
        ln(1 + greatest(tokens, 0)::float8) AS token_log, ln(1 + greatest(cost_nano_usd, 0)::float8 / 1000) AS cost_log
    FROM evals_runfact WHERE tenant_id = %(tenant)s AND day = %(day)s
), scores AS (
    SELECT j.subject_id AS run_id, avg(j.score) AS score, 1 / max(j.probability) AS weight
    FROM evals_judgement j JOIN facts f ON f.run_id = j.subject_id
    WHERE j.tenant_id = %(tenant)s AND j.subject = 'run' AND j.state = 'scored' AND j.sampled IN ('sample', 'kept')
    GROUP BY 1
), votes AS (
    SELECT b.run_id, count(*) FILTER (WHERE b.is_up) AS ups, count(*) FILTER (WHERE NOT b.is_up) AS downs
    FROM evals_feedback b JOIN facts f USING (run_id) WHERE b.tenant_id = %(tenant)s GROUP BY 1
), combinations ({_COMBINATION}, {", ".join(_SUMS)}) AS (
    SELECT {_COMBINATION},
        count(*), count(*) FILTER (WHERE is_error), count(*) FILTER (WHERE is_refused),
        sum(tokens), sum(token_log), sum(token_log * token_log),
        sum(cost_nano_usd), sum(cost_log), sum(cost_log * cost_log),
        count(score), coalesce(sum(weight), 0), coalesce(sum(weight * weight), 0),
        coalesce(sum(weight * score), 0), coalesce(sum(weight * score * score), 0),
        coalesce(sum(ups), 0), coalesce(sum(downs), 0), 0, 0
    FROM facts LEFT JOIN scores USING (run_id) LEFT JOIN votes USING (run_id) GROUP BY {_COMBINATION}
    UNION ALL
    SELECT left(agent, 200), {_SUITE_VALUES}, {_SUITE_SUMS}
    FROM evals_suiterun WHERE tenant_id = %(tenant)s AND state = 'done' AND mode = 'plain' AND cases > 0
        AND ended_at >= %(start)s AND ended_at < %(end)s
), cohorts AS (
    SELECT c.*, v.dimension, v.value FROM combinations c {_EXPLODED}
), named AS (
    SELECT agent, dimension, value, CASE WHEN row_number() OVER (
            PARTITION BY agent, dimension ORDER BY sum(runs) DESC, value) <= %(most)s THEN value ELSE %(other)s END AS name
    FROM cohorts GROUP BY agent, dimension, value
), used AS (
    SELECT c.agent, v.dimension, v.value, c.tool, sum(c.calls) AS calls
    FROM (SELECT {_COMBINATION}, left(tool, 200) AS tool, count(*) AS calls
        FROM facts, unnest(tools) AS tool GROUP BY {_COMBINATION}, left(tool, 200)) c {_EXPLODED}
    GROUP BY 1, 2, 3, 4
), tools AS (
    SELECT agent, dimension, name, jsonb_object_agg(tool, calls) AS tools
    FROM (SELECT agent, dimension, name, tool, sum(calls) AS calls FROM used JOIN named USING (agent, dimension, value)
        GROUP BY 1, 2, 3, 4) one
    GROUP BY 1, 2, 3
)
INSERT INTO evals_cohortday (tenant_id, agent, dimension, value, day, {", ".join(_SUMS)}, tools, computed_at)
SELECT %(tenant)s, agent, dimension, name, %(day)s, {", ".join(f"sum({name})" for name in _SUMS)},
    coalesce((SELECT t.tools FROM tools t WHERE (t.agent, t.dimension, t.name) = (n.agent, n.dimension, n.name)), '{{}}'),
    %(at)s
FROM cohorts JOIN named n USING (agent, dimension, value) GROUP BY agent, dimension, n.agent, n.dimension, name
"""  # noqa: S608  our own names
_STALE = """
SELECT DISTINCT day FROM (
    SELECT day FROM evals_runfact WHERE tenant_id = %(tenant)s AND day >= %(first)s AND computed_at >= %(since)s
    UNION ALL
    SELECT day FROM evals_judgement
    WHERE tenant_id = %(tenant)s AND subject = 'run' AND day >= %(first)s AND ended_at >= %(since)s
    UNION ALL
    SELECT f.day FROM evals_feedback b JOIN evals_runfact f ON f.tenant_id = b.tenant_id AND f.run_id = b.run_id
    WHERE b.tenant_id = %(tenant)s AND b.received_at >= %(since)s AND f.day >= %(first)s
    UNION ALL
    SELECT (ended_at AT TIME ZONE 'UTC')::date FROM evals_suiterun
    WHERE tenant_id = %(tenant)s AND state = 'done' AND ended_at >= %(since)s AND ended_at >= %(first)s
) one ORDER BY day
"""


def recompute_day(*, tenant: uuid.UUID, day: date, at: datetime) -> None:
    """Put what is known now of a day (UTC) in the place of what was known, in the caller's transaction."""
    scope.require_tenant(tenant)
    start = datetime.combine(day, time(), tzinfo=UTC)
    params: dict[str, Any] = {
        "tenant": tenant,
        "day": day,
        "start": start,
        "end": start + timedelta(days=1),
        "most": MOST_VALUES,
        "other": OTHER,
        "at": at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [str(tenant)])
        cursor.execute(_FORGET, params)
        cursor.execute(_DAY, params)


def stale_days(*, tenant: uuid.UUID, at: datetime) -> list[date]:
    """Days of which something changed since the last sweep; all of them before the first. Oldest first."""
    scope.require_tenant(tenant)
    swept = CohortSweep.objects.filter(tenant_id=tenant, part=_PART).values_list("swept_at", flat=True).first()
    since = swept - _OVERLAP if swept else datetime.min.replace(tzinfo=UTC)
    first = at.astimezone(UTC).date() - timedelta(days=LATE_DAYS if swept else 400)
    forgotten = forgotten_until(tenant=tenant)  # what is left of such a day is not the day
    if forgotten is not None:
        first = max(first, forgotten + timedelta(days=1))
    with connection.cursor() as cursor:
        cursor.execute(_STALE, {"tenant": tenant, "since": since, "first": first})
        return [day for (day,) in cursor.fetchall()]


def note_sweep(*, tenant: uuid.UUID, at: datetime) -> None:
    """All that was known at this moment is added up."""
    scope.require_tenant(tenant)
    CohortSweep.objects.update_or_create(tenant_id=tenant, part=_PART, defaults={"swept_at": at})
