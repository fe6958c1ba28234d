"""Runs that the guard ended, and runs beside what is usual for their agent. In staff's scope."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from agentops.common.ids import span_hex
from incidents.detecting.runs import HARMFUL_TIER, WINDOW, EndedRun, LongRun

USUAL_DAYS = timedelta(days=7)
_CODES = ["step_cap_reached", "tool_cap_reached", "repetition", "token_budget_exceeded", "cost_budget_exceeded", "run_finished"]  # fmt: skip
# Abort ends the run; a refusal "The run may ..." is that of a cap of the run, and not of a budget. A run that is past its
# deadline is one that asked for another step: one whose client died asks for none.
_ENDED = """
SELECT t.id, d.run_id, d.agent, d.agent_version, d.decided_at, d.code, d.tool, root.steps, root.nano_used, harm.calls
FROM unnest(%(tenants)s::uuid[]) AS t (id)
JOIN LATERAL (
    SELECT DISTINCT ON (d.run_id) d.run_id, d.agent, d.agent_version, d.decided_at, d.code, d.tool
    FROM runtime_decision d
    WHERE d.tenant_id = t.id AND d.code = ANY(%(codes)s) AND d.decided_at >= %(since)s AND d.decided_at <= %(until)s
        AND d.verb IN (2, 4, 5) AND (d.decision = 'abort' OR d.detail LIKE 'The run may %%')
    ORDER BY d.run_id, d.decided_at DESC
) d ON true
JOIN runtime_guardedrun r ON r.tenant_id = t.id AND r.run_id = d.run_id
JOIN runtime_guardedrun root ON root.tenant_id = t.id AND root.run_id = r.root_id
LEFT JOIN LATERAL (
    SELECT count(*) AS calls FROM runtime_decision h
    WHERE h.tenant_id = t.id AND h.run_id = d.run_id AND h.decided_at >= r.started_at AND h.verb IN (4, 5)
        AND h.decision = 'allow' AND h.tier >= %(tier)s
) harm ON true
ORDER BY d.decided_at DESC, d.run_id
LIMIT 5000
"""
# Open runs that said something lately, and were not held by the guard, with more steps than any rule could call few; the
# longest of each organisation.
_LONG = """
SELECT tenant_id, run_id, agent, agent_version, received_at, steps, root_span_id
FROM (
    SELECT r.tenant_id, r.run_id, r.agent, r.agent_version, r.received_at, r.llm_calls + r.tool_calls AS steps,
        r.root_span_id, row_number() OVER (PARTITION BY r.tenant_id ORDER BY r.llm_calls + r.tool_calls DESC) AS place
    FROM traces_run r
    WHERE r.finalised_at IS NULL AND r.received_at >= %(since)s AND r.received_at <= %(until)s
        AND r.tenant_id = ANY(%(tenants)s) AND r.llm_calls + r.tool_calls > %(least)s
        AND NOT EXISTS (SELECT 1 FROM runtime_guardedrun g WHERE g.tenant_id = r.tenant_id AND g.run_id = r.run_id)
) longest
WHERE place <= 100 ORDER BY steps DESC, run_id
"""
# The newest of both, where there are too many: what one organisation does must not hide what is new of another.
_FINISHED = """
SELECT t.id, r.run_id, r.agent, r.agent_version, r.settled, r.tokens, r.root_span_id
FROM unnest(%(tenants)s::uuid[]) AS t (id)
JOIN LATERAL (
    SELECT r.run_id, r.agent, r.agent_version, r.root_span_id, r.input_tokens + r.output_tokens AS tokens,
        greatest(r.finalised_at, r.received_at) AS settled
    FROM traces_run r
    WHERE r.tenant_id = t.id AND r.finalised_at IS NOT NULL
        AND greatest(r.finalised_at, r.received_at) >= %(since)s AND greatest(r.finalised_at, r.received_at) <= %(until)s
        AND r.input_tokens + r.output_tokens >= %(least)s
) r ON true
ORDER BY r.settled DESC, r.run_id LIMIT 5000
"""
_USUAL = """
SELECT agent, count(*), percentile_disc(0.99) WITHIN GROUP (ORDER BY llm_calls + tool_calls),
    percentile_disc(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY tokens)
FROM evals_runfact
WHERE tenant_id = %(tenant)s AND day >= %(since)s::date AND started_at >= %(since)s
GROUP BY agent
"""
LEAST_STEPS, LEAST_TOKENS = 5, 100  # below these no rule may look (detecting/defaults.py)
Usual = dict[tuple[uuid.UUID, str], tuple[int, float, float, float]]  # runs; p99 of steps; p99 and median of tokens


def ended_by_the_guard(*, tenants: Sequence[uuid.UUID], at: datetime) -> list[EndedRun]:
    """Of the last ten minutes: a look finds again what the one before it saw, and what had not committed then."""
    params: dict[str, Any] = {
        "tenants": list(tenants), "codes": _CODES, "since": at - WINDOW, "until": at, "tier": HARMFUL_TIER,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_ENDED, params)
        return [
            EndedRun(
                tenant=row[0], run=row[1], agent=row[2], version=row[3], ended_at=row[4], code=row[5], tool=row[6],
                steps=row[7], nano_usd=row[8], harmful=row[9],
            )
            for row in cursor.fetchall()
        ]  # fmt: skip


def long_open_runs(*, tenants: Sequence[uuid.UUID], usual: Usual, least: float, at: datetime) -> list[LongRun]:
    """Observed runs in progress of more than so many steps that said something in the last ten minutes."""
    params: dict[str, Any] = {"tenants": list(tenants), "since": at - WINDOW, "until": at, "least": least}
    with connection.cursor() as cursor:
        cursor.execute(_LONG, params)
        return [_long(row, usual, 1) for row in cursor.fetchall()]


def finished_runs(*, tenants: Sequence[uuid.UUID], usual: Usual, least: float, at: datetime) -> list[LongRun]:
    """Runs that were finished in the last ten minutes, of at least so many tokens."""
    params: dict[str, Any] = {"tenants": list(tenants), "since": at - WINDOW, "until": at, "least": least}
    with connection.cursor() as cursor:
        cursor.execute(_FINISHED, params)
        return [_long(row, usual, 2) for row in cursor.fetchall()]


def usual_of(*, tenant: uuid.UUID, at: datetime) -> Usual:
    """By agent of an organisation: runs of the last days, and what is usual for them."""
    with connection.cursor() as cursor:
        cursor.execute(_USUAL, {"tenant": tenant, "since": at - USUAL_DAYS})
        return {
            (tenant, agent): (runs, float(steps), float(tokens[1]), float(tokens[0]))
            for agent, runs, steps, tokens in cursor.fetchall()
        }


def _long(row: Sequence[Any], usual: Usual, which: int) -> LongRun:
    tenant, run, agent, version, at, amount, root = row
    known = usual.get((tenant, agent))
    return LongRun(
        tenant=tenant, run=run, agent=agent, version=version, at=at, amount=amount,
        usual=known[which] if known else None, usual_runs=known[0] if known else 0, median=known[3] if known else 0.0,
        step=span_hex(root) if root is not None else "",
    )  # fmt: skip
