"""Finished runs as facts need them: whose facts are missing or old, and what their spans say. One tenant, many runs at once."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import orjson
from django.db import connection

from agentops.catalog import queries as catalog
from agentops.catalog.types import Effect
from agentops.common.ids import span_hex
from agentops.runtime.types import RunStatus as GuardedStatus
from agentops.traces.queries import RunStatus
from agentops.traces.types import SpanKind, SpanStatus
from evals.judging import checks, sampling

_COLUMNS = (
    "run_id", "day", "started_at", "ended_at", "received_at", "agent", "agent_version", "user_id", "session_id", "prompt_hash",
    "tool_definitions_hash", "status", "tools", "tool_calls", "llm_calls", "input_tokens", "output_tokens", "cost_nano_usd",
    "root_span_id", "basis", "model_names",
)  # fmt: skip
_NAMES = ", ".join(f"r.{name}" for name in _COLUMNS)
_SETTLED = "GREATEST(r.finalised_at, r.received_at)"
# The first part is the index run_settled. A run that the guard aborted after its last span is looked at once more.
_DUE = f"""
SELECT {_NAMES}, {_SETTLED} AS settled_at FROM traces_run r
LEFT JOIN evals_runfact f ON f.tenant_id = %(tenant)s AND f.run_id = r.run_id
WHERE r.tenant_id = %(tenant)s AND r.finalised_at IS NOT NULL AND {_SETTLED} >= %(since)s AND {_SETTLED} <= %(until)s
    AND (f.run_id IS NULL OR f.received_at <> r.received_at)
ORDER BY {_SETTLED} LIMIT %(limit)s
"""  # noqa: S608  every name is ours
_ABORTED_SINCE = f"""
SELECT {_NAMES}, {_SETTLED} AS settled_at FROM runtime_guardedrun g
JOIN evals_runfact f ON f.tenant_id = %(tenant)s AND f.run_id = g.run_id AND NOT f.is_aborted
JOIN traces_run r ON r.tenant_id = %(tenant)s AND r.run_id = g.run_id AND r.finalised_at IS NOT NULL
WHERE g.tenant_id = %(tenant)s AND g.ended_at >= %(since)s AND g.status = ANY(%(aborted)s) LIMIT %(limit)s
"""  # noqa: S608
# One look at two indexes for each organisation, in one statement: most have had nothing since they were asked last.
_TENANTS = f"""
SELECT t.id FROM unnest(%(tenants)s::uuid[]) AS t (id)
LEFT JOIN evals_factmark m ON m.tenant_id = t.id
CROSS JOIN LATERAL (SELECT coalesce(m.until, 'epoch'::timestamptz) - make_interval(secs => %(overlap)s) AS since) AS s
WHERE EXISTS (
    SELECT 1 FROM traces_run r
    WHERE r.tenant_id = t.id AND r.finalised_at IS NOT NULL AND {_SETTLED} >= s.since LIMIT 1
) OR EXISTS (
    SELECT 1 FROM runtime_guardedrun g WHERE g.tenant_id = t.id AND g.ended_at >= s.since LIMIT 1
)
"""  # noqa: S608
_ABORTED = [int(GuardedStatus.ABORTED), int(GuardedStatus.KILLED), int(GuardedStatus.EXPIRED)]
_RISKY = frozenset(Effect) - {Effect.READ}


@dataclass(slots=True)
class FinishedRun:
    """A run's row, and what was read of its spans."""

    row: dict[str, Any]
    settled_at: datetime
    model: str = ""
    calls: list[checks.ToolCall] = field(default_factory=list)
    root: dict[str, Any] = field(default_factory=dict)  # details of the root span
    asked: Any = None
    output: Any = None
    answer_span: str = ""
    finish_reasons: Sequence[str] = ()
    is_guarded: bool = False
    is_aborted: bool = False
    has_confirmation: bool = False
    is_new_user: bool | None = None

    @property
    def run_id(self) -> uuid.UUID:
        found: uuid.UUID = self.row["run_id"]
        return found

    @property
    def is_error(self) -> bool:
        return bool(self.row["status"] == RunStatus.ERROR)

    def cohort(self, name: str) -> str:
        """A text that the root span says of its user; empty for anything else."""
        value = (self.root.get("attributes") or {}).get(f"agentops.cohort.{name}")
        return value.replace("\x00", "").strip()[:60] if isinstance(value, str) else ""


def finished_runs(*, tenant: uuid.UUID, since: datetime, until: datetime, limit: int) -> list[FinishedRun]:
    """Finished runs that changed in this time and whose facts are missing or old, in the order in which they changed."""
    params: dict[str, Any] = {"tenant": tenant, "since": since, "until": until, "limit": limit, "aborted": _ABORTED}
    with connection.cursor() as cursor:
        cursor.execute(_DUE, params)
        rows = cursor.fetchall()
        if len(rows) < limit:
            cursor.execute(_ABORTED_SINCE, params | {"limit": limit - len(rows)})
            seen = {row[0] for row in rows}
            rows += [row for row in cursor.fetchall() if row[0] not in seen]
    found = [FinishedRun(dict(zip(_COLUMNS, row, strict=False)), row[-1]) for row in rows]
    if found:
        _read_spans(tenant, found)
        _read_guard(tenant, found)
        _read_users(tenant, found)
    return found


def due_tenants(*, tenants: Sequence[uuid.UUID], overlap: timedelta) -> list[uuid.UUID]:
    """Those of which a run has finished, or changed after, since their facts were written last. In staff's scope."""
    with connection.cursor() as cursor:
        cursor.execute(_TENANTS, {"tenants": list(tenants), "overlap": overlap.total_seconds()})
        return [row[0] for row in cursor.fetchall()]


def _read_spans(tenant: uuid.UUID, runs: Sequence[FinishedRun]) -> None:
    agents = sorted({run.row["agent"] for run in runs})
    effects = catalog.effects(tenant=tenant, agents=agents)
    by_day: dict[date, list[FinishedRun]] = defaultdict(list)
    for run in runs:
        by_day[run.row["day"]].append(run)
    for day, of_day in by_day.items():
        by_id = {run.run_id: run for run in of_day}
        _read_calls(tenant, day, by_id, effects)
        _read_content(tenant, day, by_id)


def _read_calls(tenant: uuid.UUID, day: date, runs: dict[uuid.UUID, FinishedRun], effects: catalog.Effects) -> None:
    """Which model answered most, and each call of a tool. Of risky calls, the result is read, too: it may say that it failed."""
    risky_names = sorted({name for name, effect in effects.newest.items() if effect in _RISKY})
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT run_id, span_id, kind, status, tool, model, CASE WHEN kind = %s OR (kind = %s AND tool = ANY(%s)) "
            "THEN details END FROM traces_span WHERE tenant_id = %s AND day = %s AND run_id = ANY(%s) AND kind = ANY(%s) "
            "AND is_counted ORDER BY run_id, started_at, span_id",
            [
                int(SpanKind.SIDE_EFFECT), int(SpanKind.TOOL), risky_names, tenant, day, list(runs),
                [int(SpanKind.LLM), int(SpanKind.TOOL), int(SpanKind.SIDE_EFFECT)],
            ],
        )  # fmt: skip
        counts: dict[uuid.UUID, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for run_id, span_id, kind, status, tool, model, details in cursor.fetchall():
            run = runs[run_id]
            if kind == SpanKind.LLM:
                counts[run_id][model] += 1
                continue
            effect = effects.of(agent=run.row["agent"], version=run.row["agent_version"], tool=tool)
            is_failed = status == SpanStatus.ERROR or (
                details is not None and checks.is_failed_result(orjson.loads(details).get("result"))
            )
            is_risky = kind == SpanKind.SIDE_EFFECT if effect is None else effect in _RISKY
            run.calls.append(checks.ToolCall(span=span_hex(span_id), tool=tool, is_risky=is_risky, is_failed=is_failed))
    for run_id, models in counts.items():
        runs[run_id].model = max(sorted(models), key=lambda name: models[name] if name else -1)


def _read_content(tenant: uuid.UUID, day: date, runs: dict[uuid.UUID, FinishedRun]) -> None:
    """The root's details, and the spans that the run's input and output were taken from (`basis`, traces/rollup.py)."""
    places: dict[tuple[uuid.UUID, int], list[str]] = defaultdict(list)
    for run_id, run in runs.items():
        basis = orjson.loads(run.row["basis"])
        for use, span_id in (
            ("root", run.row["root_span_id"]),
            ("asked", basis["input"][2] if "input" in basis else None),
            ("output", basis["output"][2] if "output" in basis else None),
        ):
            if span_id is not None:
                places[run_id, span_id].append(use)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.run_id, s.span_id, s.details FROM unnest(%s::uuid[], %s::int8[]) AS n (run_id, span_id) "
            "JOIN traces_span s ON s.tenant_id = %s AND s.day = %s AND s.run_id = n.run_id AND s.span_id = n.span_id",
            [[key[0] for key in places], [key[1] for key in places], tenant, day],
        )
        for run_id, span_id, text in cursor.fetchall():
            details = orjson.loads(text)
            run = runs[run_id]
            for use in places[run_id, span_id]:
                if use == "root":
                    run.root = details
                elif use == "asked":
                    run.asked = details.get("input")
                else:
                    run.output, run.answer_span = details.get("output"), span_hex(span_id)
                    run.finish_reasons = tuple(str(reason) for reason in details.get("finish_reasons", ()))


def _read_guard(tenant: uuid.UUID, runs: Sequence[FinishedRun]) -> None:
    ids = [run.run_id for run in runs]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT run_id, status FROM runtime_guardedrun WHERE tenant_id = %s AND run_id = ANY(%s)", [tenant, ids]
        )
        guarded = dict(cursor.fetchall())
        cursor.execute(
            "SELECT DISTINCT run_id FROM confirmations_confirmation WHERE tenant_id = %s AND run_id = ANY(%s)",
            [tenant, ids],
        )
        confirmed = {row[0] for row in cursor.fetchall()}
    for run in runs:
        run.is_guarded = run.run_id in guarded
        run.is_aborted = guarded.get(run.run_id) in _ABORTED
        run.has_confirmation = run.run_id in confirmed


def _read_users(tenant: uuid.UUID, runs: Sequence[FinishedRun]) -> None:
    """New: first seen less than 30 days before the run. Somebody whom nobody noted yet is seen now for the first time."""
    names = sorted({run.row["user_id"][:200] for run in runs if run.row["user_id"]})
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT external_id, first_seen_at FROM tenants_enduser WHERE tenant_id = %s AND external_id = ANY(%s)",
            [tenant, names],
        )
        first = dict(cursor.fetchall())
    for run in runs:
        if run.row["user_id"]:
            seen = first.get(run.row["user_id"][:200])
            run.is_new_user = seen is None or (run.row["started_at"] - seen).days < 30


def usual_of(*, tenant: uuid.UUID, agents: Sequence[str], since: datetime) -> dict[str, sampling.Usual]:
    """The p99 of each agent's last thousand runs since a time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.agent, p.* FROM unnest(%s::text[]) AS a (agent), LATERAL (SELECT count(*), "
            "percentile_disc(0.99) WITHIN GROUP (ORDER BY cost_nano_usd), percentile_disc(0.99) WITHIN GROUP (ORDER BY tokens), "
            "percentile_disc(0.99) WITHIN GROUP (ORDER BY steps) FROM (SELECT cost_nano_usd, tokens, llm_calls + tool_calls AS steps "
            "FROM evals_runfact f WHERE f.tenant_id = %s AND f.agent = a.agent AND f.started_at >= %s "
            "ORDER BY f.started_at DESC LIMIT 1000) AS recent) AS p",
            [list(agents), tenant, since],
        )
        return {
            row[0]: sampling.Usual(runs=row[1], cost_nano_usd=row[2] or 0, tokens=row[3] or 0, steps=row[4] or 0)
            for row in cursor.fetchall()
        }
