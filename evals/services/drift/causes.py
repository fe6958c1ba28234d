"""The runs on both sides of a finding, by what they ran with: to say which change made the difference, and which were worst."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection

from evals.drifting.policy import HASHES, Tested
from evals.drifting.sums import Sums
from evals.statistics.moments import Moments
from evals.types import Dimension, Metric

WORST = 10
_FACTORS = tuple(dimension.value for dimension in HASHES)
_COLUMNS = tuple(dimension.value for dimension in Dimension if dimension != Dimension.ALL)
_CUT = ", ".join(f"left(f.{name}, 200)" for name in _FACTORS)
_SIDE = "f.tenant_id = %(tenant)s AND left(f.agent, 200) = %(agent)s AND f.day BETWEEN %(first)s AND %(last)s"
_SCORES = """
LEFT JOIN LATERAL (
    SELECT avg(j.score) AS score, 1 / max(j.probability) AS weight FROM evals_judgement j
    WHERE j.tenant_id = f.tenant_id AND j.subject = 'run' AND j.subject_id = f.run_id AND j.state = 'scored'
        AND j.sampled IN ('sample', 'kept')
) s ON true
"""
_CELLS = f"""
SELECT {_CUT}, count(*), count(*) FILTER (WHERE is_error), count(*) FILTER (WHERE is_refused),
    sum(ln(1 + greatest(tokens, 0)::float8)), sum(ln(1 + greatest(tokens, 0)::float8) ^ 2),
    sum(ln(1 + greatest(cost_nano_usd, 0)::float8 / 1000)), sum(ln(1 + greatest(cost_nano_usd, 0)::float8 / 1000) ^ 2),
    count(score), coalesce(sum(weight), 0), coalesce(sum(weight ^ 2), 0), coalesce(sum(weight * score), 0),
    coalesce(sum(weight * score ^ 2), 0), coalesce(sum(ups), 0)::int8, coalesce(sum(downs), 0)::int8
FROM evals_runfact f {_SCORES}
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE is_up) AS ups, count(*) FILTER (WHERE NOT is_up) AS downs FROM evals_feedback b
    WHERE b.tenant_id = f.tenant_id AND b.run_id = f.run_id
) v ON true
WHERE {_SIDE} {{cohort}} GROUP BY 1, 2, 3
"""  # noqa: S608  our own names
_ORDER = {
    Metric.SCORE: ("s.score IS NOT NULL", "s.score"),
    Metric.REFUSALS: ("f.is_refused", "f.started_at DESC"),
    Metric.ERRORS: ("f.is_error", "f.started_at DESC"),
    Metric.TOKENS: ("true", "f.tokens DESC"),
    Metric.COST: ("true", "f.cost_nano_usd DESC"),
    Metric.FEEDBACK: (
        "EXISTS (SELECT 1 FROM evals_feedback b WHERE b.tenant_id = f.tenant_id AND b.run_id = f.run_id AND NOT b.is_up)",
        "f.started_at DESC",
    ),
    Metric.TOOL_MIX: ("f.tool_calls > 0", "f.started_at DESC"),
}


@dataclass(frozen=True, slots=True)
class Side:
    """Which runs: those of some days, in a cohort where `dimension` is not all."""

    agent: str
    days: tuple[date, date]
    dimension: Dimension = Dimension.ALL
    value: str = ""


def sides_of(test: Tested) -> tuple[Side, Side]:
    old = test.boundary.old if test.boundary else test.value
    return (
        Side(test.agent, test.before_days, test.dimension, old),
        Side(test.agent, test.after_days, test.dimension, test.value),
    )


def cells(tenant: uuid.UUID, side: Side) -> list[tuple[dict[str, str], Sums]]:
    """The side's runs by prompt, model and tool definitions."""
    cohort, params = _where(tenant, side)
    with connection.cursor() as cursor:
        cursor.execute(_CELLS.format(cohort=cohort), params)
        rows = cursor.fetchall()
    found = []
    for *values, runs, errors, refusals, t, tt, c, cc, judged, w, ww, x, xx, ups, downs in rows:
        sums = Sums(
            runs=runs,
            errors=errors,
            refusals=refusals,
            tokens=Moments(runs, runs, runs, t, tt),
            cost=Moments(runs, runs, runs, c, cc),
            score=Moments(judged, w, ww, x, xx),
            ups=ups,
            downs=downs,
        )
        found.append((dict(zip(_FACTORS, values, strict=True)), sums))
    return found


def worst_runs(tenant: uuid.UUID, side: Side, metric: Metric) -> list[uuid.UUID]:
    """The runs to look at first: by the metric, at most ten."""
    if metric not in _ORDER:
        return []
    wanted, order = _ORDER[metric]
    cohort, params = _where(tenant, side)
    statement = (
        f"SELECT f.run_id FROM evals_runfact f {_SCORES if metric == Metric.SCORE else ''} "  # noqa: S608  our own names
        f"WHERE {_SIDE} {cohort} AND {wanted} ORDER BY {order}, f.run_id LIMIT {WORST}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return [run for (run,) in cursor.fetchall()]


def _where(tenant: uuid.UUID, side: Side) -> tuple[str, dict[str, Any]]:
    params = {"tenant": tenant, "agent": side.agent, "first": side.days[0], "last": side.days[1], "value": side.value}
    if side.dimension == Dimension.ALL:
        return "", params
    assert side.dimension.value in _COLUMNS
    return f"AND left(f.{side.dimension.value}, 200) = %(value)s", params
