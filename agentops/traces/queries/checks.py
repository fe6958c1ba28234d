"""Totals of runs, and the ledger, compared with the spans they come from. Each check is one statement."""

# ruff: noqa: S608  every name in these statements is ours
from __future__ import annotations

from agentops.budgets.checks import GUARD, TOKENS, Check, compare, sums_of
from agentops.traces.types import SpanKind, SpanStatus

_CALL = f"kind = {int(SpanKind.LLM)} AND is_counted"
# A call that failed before any token was used is counted and not charged (rollup.is_charged).
_CHARGED = f"{_CALL} AND NOT (input_tokens IS NULL AND output_tokens IS NULL AND status = {int(SpanStatus.ERROR)})"
_RUN_SUMS = (
    "span_count", "llm_calls", "tool_calls", "error_count", *TOKENS, "cost_nano_usd", "priced_calls", "unpriced_calls",
    "started_us", "ended_us",
)  # fmt: skip
_LEDGER_SUMS = ("calls", "unpriced_calls", *TOKENS, "amount_nano_usd")


def runs_are_their_spans(*, show: int = 20) -> Check:
    """Every run's totals against its spans, whose day must be the run's, and the guard's charges. Needs staff's scope."""
    rows = (
        "SELECT tenant_id, run_id, day, count(*) AS span_count, "
        f"count(*) FILTER (WHERE {_CALL}) AS llm_calls, "
        f"count(*) FILTER (WHERE kind = {int(SpanKind.TOOL)} AND is_counted) AS tool_calls, "
        f"count(*) FILTER (WHERE status = {int(SpanStatus.ERROR)}) AS error_count, "
        f"{sums_of(TOKENS, where=_CALL)}, "
        f"coalesce(sum(cost_nano_usd) FILTER (WHERE {_CHARGED} AND NOT is_guarded), 0) + coalesce(max(g.cost), 0) AS cost_nano_usd, "
        f"count(*) FILTER (WHERE {_CHARGED} AND (cost_nano_usd IS NOT NULL OR is_guarded)) AS priced_calls, "
        f"count(*) FILTER (WHERE {_CHARGED} AND cost_nano_usd IS NULL AND NOT is_guarded) AS unpriced_calls, "
        f"{_us('min(started_at)')} AS started_us, {_us('max(ended_at)')} AS ended_us "
        "FROM traces_span LEFT JOIN (SELECT tenant_id, run_id, sum(amount_nano_usd) AS cost FROM budgets_ledgerentry "
        f"WHERE {GUARD} GROUP BY tenant_id, run_id) g USING (tenant_id, run_id) GROUP BY tenant_id, run_id, day"
    )
    stored = (
        "SELECT tenant_id, run_id, day, span_count, llm_calls, tool_calls, error_count, "
        f"{', '.join(TOKENS)}, cost_nano_usd, priced_calls, unpriced_calls, "
        f"{_us('started_at')} AS started_us, {_us('ended_at')} AS ended_us FROM traces_run"
    )
    return compare("runs and spans", rows=rows, stored=stored, key=("run_id", "day"), fields=_RUN_SUMS, show=show)


def ledger_is_the_spans(*, show: int = 20) -> Check:
    """The ledger's sum of every run that is kept against its counted model calls; what the guard charged is compared
    elsewhere (budgets/checks.py). Needs staff's scope.

    Runs that retention took are only in the ledger: what was spent was spent.
    """
    sign = "CASE kind WHEN 2 THEN -1 ELSE 1 END"  # a stored answer (4) is compared nowhere: it charges nothing
    rows = (
        f"SELECT tenant_id, run_id, count(*) AS calls, count(*) FILTER (WHERE cost_nano_usd IS NULL) AS unpriced_calls, "
        f"{sums_of(TOKENS)}, coalesce(sum(cost_nano_usd), 0) AS amount_nano_usd "
        f"FROM traces_span WHERE {_CHARGED} AND NOT is_guarded GROUP BY tenant_id, run_id"
    )
    stored = (
        f"SELECT tenant_id, run_id, sum({sign}) AS calls, "
        f"coalesce(sum({sign}) FILTER (WHERE NOT is_priced), 0) AS unpriced_calls, "
        f"{sums_of((*TOKENS, 'amount_nano_usd'))} FROM budgets_ledgerentry e WHERE NOT {GUARD} AND kind <> 4 AND EXISTS "
        "(SELECT 1 FROM traces_run r WHERE r.tenant_id = e.tenant_id AND r.run_id = e.run_id) GROUP BY tenant_id, run_id"
    )
    return compare("ledger and model calls", rows=rows, stored=stored, key=("run_id",), fields=_LEDGER_SUMS, show=show)


def _us(moment: str) -> str:
    return f"(extract(epoch FROM {moment}) * 1000000)::int8"
