"""What guarded spans cost: the guard's charge, shown once per call, whatever the span itself would have cost."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from agentops.budgets import queries as budgets
from agentops.budgets.types import HoldState
from agentops.common.money import usd_text
from agentops.traces.models import Run, SpanRow
from agentops.traces.types import SpanKind


def show_guard_costs(run: Run, rows: Sequence[SpanRow]) -> None:
    """Put the guard's charges into spans that were read; the others of the same call say where it is."""
    guarded = [row for row in rows if row.is_guarded]
    if not guarded:
        return
    calls = budgets.guarded_calls_of(tenant=run.tenant_id, run=run.run_id)
    bearers = _bearers(run, [row.call_id for row in guarded if row.call_id in calls])
    for row in guarded:
        call = calls.get(row.call_id)
        row.cost_nano_usd = None
        row.price_version = ""
        if call is None or bearers[row.call_id] != row.span_id:
            row.guard_note = "charged with its guarded call"
        elif call.state is HoldState.HELD:
            row.guard_note = f"not settled yet; {usd_text(call.hold_nano_usd)} USD is held"
        else:
            row.cost_nano_usd = call.cost_nano_usd


def _bearers(run: Run, call_ids: Sequence[str]) -> dict[str, int]:
    """The span of each call that shows its charge: a model call that counts, where there is one; the first of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT ON (call_id) call_id, span_id FROM traces_span WHERE tenant_id = %s AND day = %s "
            "AND run_id = %s AND is_guarded AND call_id = ANY(%s) "
            "ORDER BY call_id, kind = %s DESC, is_counted DESC, started_at, span_id",
            [run.tenant_id, run.day, run.run_id, list(set(call_ids)), int(SpanKind.LLM)],
        )
        return dict(cursor.fetchall())
