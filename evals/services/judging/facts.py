"""One fact row a finished run, and in the same transaction the plan of who judges it. A sweep; safe to run twice at once.

It goes through finished runs in the order in which they changed last, from where it was (FactMark). Some minutes before the
mark are looked at again: a transaction may commit later than the time it wrote. A run that has its fact already is passed by;
one of which spans came later is computed anew, and what was drawn for it stays drawn.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.db import connection

from agentops.catalog.checks import SchemaCheck
from agentops.common import clock, scope
from agentops.common.ids import new_id
from evals.judging import checks, sampling, texts
from evals.models import CheckRules, FactMark
from evals.services.judging import planning
from evals.services.judging.reading import FinishedRun, finished_runs, usual_of

BATCH = 500
OVERLAP = timedelta(minutes=2)  # longer than any transaction of ingest lasts
USUAL_OVER = timedelta(days=14)
_BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
_COLUMNS = (
    "tenant_id", "run_id", "day", "started_at", "ended_at", "received_at", "computed_at", "agent", "agent_version", "user_id",
    "session_id", "prompt_hash", "tool_definitions_hash", "model", "plan", "language", "region", "user_age", "is_error",
    "is_guarded", "is_aborted", "is_refused", "failed_checks", "check_notes", "kept_because", "draws", "tools", "tool_calls",
    "llm_calls", "tokens", "cost_nano_usd", "duration_ms", "input_digest",
)  # fmt: skip
_STORE = (
    f"INSERT INTO evals_runfact ({', '.join(_COLUMNS)}) SELECT {', '.join(_COLUMNS)} "  # noqa: S608  names are ours
    "FROM jsonb_populate_recordset(null::evals_runfact, %s::jsonb) ON CONFLICT (tenant_id, run_id) DO UPDATE SET "
    + ", ".join(
        # Of a person who was forgotten (services/keeping/erasing.py) nothing comes back with spans that are late.
        f"{name} = CASE WHEN evals_runfact.user_id LIKE '(erased)%%' THEN evals_runfact.{name} ELSE excluded.{name} END"
        if name in ("user_id", "session_id", "input_digest", "check_notes")
        else f"{name} = excluded.{name}"
        for name in _COLUMNS
        if name not in ("tenant_id", "run_id")
    )
)


def write_facts(*, tenant: uuid.UUID, at: datetime, since: datetime | None = None, limit: int = BATCH) -> int:
    """Write the facts of up to `limit` runs and plan who judges them; answers how many. Fewer than `limit`: that was all.

    `since` looks back further than the mark, for what was missed, and leaves the mark alone.
    """
    scope.require_tenant(tenant)
    mark = _locked_mark(tenant, at)
    if mark is None:
        return 0  # another sweep is at it
    begin = since or max(mark.until - OVERLAP, _BEGINNING)
    runs = finished_runs(tenant=tenant, since=begin, until=at, limit=limit)
    if runs:
        _write(tenant, runs, at)
    if since is None:
        is_all = len(runs) < limit
        mark.until = max(mark.until, at if is_all else max(run.settled_at for run in runs))
        mark.save(update_fields=["until"])
    return len(runs)


def _locked_mark(tenant: uuid.UUID, at: datetime) -> FactMark | None:
    FactMark.objects.bulk_create([FactMark(id=new_id(), tenant_id=tenant, until=_BEGINNING)], ignore_conflicts=True)
    return FactMark.objects.select_for_update(skip_locked=True).filter(tenant_id=tenant).first()


def _write(tenant: uuid.UUID, runs: Sequence[FinishedRun], at: datetime) -> None:
    rules = _rules(tenant)
    usual = usual_of(tenant=tenant, agents=sorted({run.row["agent"] for run in runs}), since=at - USUAL_OVER)
    rows = [_fact(tenant, run, _rules_of(rules, run.row["agent"]), usual.get(run.row["agent"]), at) for run in runs]
    plan = planning.plan_runs(tenant=tenant, facts=rows, at=at)
    for row in rows:
        row["draws"] = plan.draws[row["run_id"]]
    with connection.cursor() as cursor:
        cursor.execute(_STORE, [orjson.dumps(rows, option=orjson.OPT_NON_STR_KEYS).decode()])
    planning.store(plan)


def _fact(
    tenant: uuid.UUID, run: FinishedRun, rules: checks.Rules, usual: sampling.Usual | None, at: datetime
) -> dict[str, Any]:
    """The row, by column."""
    row = run.row
    looked = checks.Looked(
        output=run.output,
        answer_span=run.answer_span,
        finish_reasons=run.finish_reasons,
        is_error=run.is_error,
        calls=run.calls,
    )
    findings = checks.look(looked, rules)
    failed = checks.codes(findings)
    is_refused = any(finding.code == checks.REFUSAL for finding in findings)
    tokens, steps = row["input_tokens"] + row["output_tokens"], row["llm_calls"] + row["tool_calls"]
    is_outlier = sampling.is_outlier(usual, cost_nano_usd=row["cost_nano_usd"], tokens=tokens, steps=steps)
    kept = {
        sampling.ERROR: run.is_error,
        sampling.REFUSAL: is_refused,
        sampling.ABORTED: run.is_aborted,
        sampling.CONFIRMATION: run.has_confirmation,
        sampling.OUTLIER: is_outlier,
        sampling.CHECK: bool(failed),
    }
    digest = texts.asked_digest(run.asked)
    same = (
        "run_id", "day", "started_at", "ended_at", "received_at", "agent", "agent_version", "user_id", "session_id",
        "prompt_hash", "tool_definitions_hash", "tools", "tool_calls", "llm_calls", "cost_nano_usd",
    )  # fmt: skip
    return {
        "tenant_id": tenant,
        **{name: row[name] for name in same},
        "computed_at": at,
        "model": run.model,
        "plan": run.cohort("plan"),
        "language": run.cohort("language"),
        "region": run.cohort("region"),
        "user_age": {True: "new", False: "existing", None: ""}[run.is_new_user],
        "is_error": run.is_error,
        "is_guarded": run.is_guarded,
        "is_aborted": run.is_aborted,
        "is_refused": is_refused,
        "failed_checks": failed,
        "check_notes": {finding.code: finding.as_json() for finding in findings},
        "kept_because": [name for name, holds in kept.items() if holds],
        "tokens": tokens,
        "duration_ms": (clock.to_ns(row["ended_at"]) - clock.to_ns(row["started_at"])) // 1_000_000,
        "input_digest": f"\\x{digest.hex()}" if digest else None,
    }


def _rules(tenant: uuid.UUID) -> dict[str, checks.Rules]:
    """By agent; "" is for those without a line of their own."""
    return {
        row.agent: checks.Rules(
            words=tuple(row.words),
            schema=SchemaCheck(orjson.loads(row.output_schema)) if row.output_schema else None,
        )
        for row in CheckRules.objects.filter(tenant_id=tenant)
    }


def _rules_of(rules: dict[str, checks.Rules], agent: str) -> checks.Rules:
    return rules.get(agent) or rules.get("") or checks.Rules()
