"""Pricing the calls of a period anew, some at a time: spans, totals of runs, reservations, ledger, its sums and budgets.

Each slice is one transaction that begins where the last one ended, so whoever is killed in the middle has done nothing, and
no call is gone through twice. At every commit all totals are what their rows say. Locks are ingest's, in its order: the
plan's row, the money of guarded runs, runs, spans, and then what `budgets` locks.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db import connection

from agentops.budgets import queries as money
from agentops.budgets import services as budgets
from agentops.budgets.types import GUARD_SPAN, CallKey, NewPrice
from agentops.common import scope
from agentops.common.ids import is_minted
from agentops.traces import anew

SLICE = 200  # calls of one transaction: their runs cannot take spans in meanwhile
_RUNS = """
UPDATE traces_run r SET cost_nano_usd = r.cost_nano_usd + n.cost, priced_calls = r.priced_calls + n.priced,
    unpriced_calls = r.unpriced_calls - n.priced
FROM unnest(%s::uuid[], %s::int8[], %s::int4[]) AS n (run_id, cost, priced) WHERE r.tenant_id = %s AND r.run_id = n.run_id
"""
_SPANS = """
UPDATE traces_span s SET cost_nano_usd = n.cost, price_version = n.version
FROM unnest(%s::uuid[], %s::int8[], %s::int8[], %s::text[]) AS n (run_id, span_id, cost, version)
WHERE s.tenant_id = %s AND s.day = %s AND s.run_id = n.run_id AND s.span_id = n.span_id
"""


def reprice_some(*, tenant: uuid.UUID, repricing_id: uuid.UUID, at: datetime) -> bool:
    """Price the next SLICE calls anew, inside the caller's transaction; answers whether it is worth coming again."""
    scope.require_tenant(tenant)
    plan = budgets.claim_repricing(tenant=tenant, repricing_id=repricing_id, at=at)
    if plan is None:
        return False
    keys = money.next_calls(tenant=tenant, since=plan.since, until=plan.until, after=money.came_to(plan), most=SLICE)
    changed: list[NewPrice] = []
    if keys:
        days = _lock(tenant, keys)
        calls = money.charged_calls(tenant=tenant, keys=keys)
        book = money.overrides(tenant=tenant, since=plan.since)
        changed = anew.changes(tenant=tenant, calls=calls, days=days, book=book)
        _write_runs(tenant, changed)
        _write_spans(tenant, changed, days)
    budgets.advance_repricing(tenant=tenant, repricing=plan, seen=keys, changes=changed, at=at)
    return bool(keys)


def _lock(tenant: uuid.UUID, keys: Sequence[CallKey]) -> dict[uuid.UUID, date]:
    """Lock the runs of calls, as ingest does; answers the days of those that are kept."""
    runs = sorted({key.run_id for key in keys})
    guarded = {key.run_id for key in keys if key.span_id == GUARD_SPAN} | {run for run in runs if is_minted(run)}
    if guarded:
        budgets.guarded_calls(tenant=tenant, runs=sorted(guarded))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT run_id, day FROM traces_run WHERE tenant_id = %s AND run_id = ANY(%s) ORDER BY run_id FOR UPDATE",
            [tenant, runs],
        )
        return dict(cursor.fetchall())


def _write_runs(tenant: uuid.UUID, changed: Sequence[NewPrice]) -> None:
    sums: dict[uuid.UUID, list[int]] = defaultdict(lambda: [0, 0])
    for one in changed:
        total = sums[one.call.key.run_id]
        total[0] += one.dearer_nano_usd
        total[1] += (one.amount_nano_usd is not None) - (one.call.amount_nano_usd is not None)
    if sums:
        with connection.cursor() as cursor:
            columns = [[total[place] for total in sums.values()] for place in (0, 1)]
            cursor.execute(_RUNS, [list(sums), *columns, tenant])


def _write_spans(tenant: uuid.UUID, changed: Sequence[NewPrice], days: dict[uuid.UUID, date]) -> None:
    by_day: dict[date, list[NewPrice]] = defaultdict(list)
    for one in changed:
        if not one.call.is_guarded and one.call.key.run_id in days:
            by_day[days[one.call.key.run_id]].append(one)
    with connection.cursor() as cursor:
        for day, found in by_day.items():
            columns: list[list[Any]] = [
                [one.call.key.run_id for one in found],
                [one.call.key.span_id for one in found],
                [one.amount_nano_usd for one in found],
                [one.price_version for one in found],
            ]
            cursor.execute(_SPANS, [*columns, tenant, day])
