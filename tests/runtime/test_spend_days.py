"""What a day's spend was for: by what became of the runs, and by their tools, and it adds up to the ledger."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connections

from agentops.budgets import services as budgets
from agentops.budgets.models import SpendDay
from agentops.common import clock
from agentops.common.ids import first_id_of
from agentops.common.money import NANO
from agentops.common.scope import tenant_scope
from agentops.runtime import services
from agentops.traces import policy, writing
from agentops.traces import services as traces
from agentops.traces.models import Run as TraceRun
from tenants import machines
from tenants.models import TenantSettings
from tests.budgets.money import TOKEN, Purse
from tests.budgets.test_minutes import spent
from tests.ingest.wire import Sender, native, new_span, new_trace
from tests.runtime.guarded import Caller, Run
from tests.world import OPERATOR, World

LLM = {
    "kind": "llm",
    "model": "gpt-4o-mini-2024-07-18",
    "provider": "openai",
    "input_tokens": 1_000,
    "output_tokens": 101,
}


@pytest.fixture
def sender(world: World, key_for: Callable[..., str]) -> Sender:
    policy.forget_cached_policies()
    machines.forget_cached_keys()
    return Sender(key_for(world.acme, "ingest"), read_key=key_for(world.acme, "read"))


def rows(world: World) -> dict[tuple[str, str, str], tuple[int, int]]:
    services.add_up_days(tenant=world.acme.id, at=clock.now())
    with tenant_scope(world.acme.id):
        found = SpendDay.objects.filter(tenant_id=world.acme.id)
        rows: dict[tuple[str, str, str], tuple[int, int]] = {}
        for row in found:
            runs, amount = rows.get((row.agent, row.outcome, row.tool), (0, 0))
            rows[row.agent, row.outcome, row.tool] = (runs + row.runs, amount + row.amount_nano_usd)
        return rows


def ledger(world: World) -> int:
    from django.db import connection

    with tenant_scope(world.acme.id), connection.cursor() as cursor:
        cursor.execute("SELECT sum(amount_nano_usd) FROM budgets_ledgerentry")
        return int(cursor.fetchone()[0])


def observed(sender: Sender, *tools: str, status: str = "ok") -> None:
    trace, root = new_trace(), new_span()
    more = {"trace_id": trace, "agent": "seen", "parent_span_id": root}
    sender.native(
        native("run", trace_id=trace, span_id=root, kind="run", agent="seen", status=status),
        native("ask", **{**LLM, **more}),
        *(native(tool, kind="tool", tool=tool, **more) for tool in tools),
    )


def test_a_runs_spend_is_divided_over_its_tools_to_the_nano_dollar(sender: Sender, world: World) -> None:
    observed(sender, "a", "b", "c")
    observed(sender)
    observed(sender, "b", status="error")
    found, cost = rows(world), 150_000 + 60_600
    third = cost // 3
    assert found == {
        ("seen", "ok", "a"): (1, third + cost % 3),
        ("seen", "ok", "b"): (0, third),
        ("seen", "ok", "c"): (0, third),
        ("seen", "ok", ""): (1, cost),
        ("seen", "error", "b"): (1, cost),
    }
    assert sum(amount for _, amount in found.values()) == ledger(world) == 3 * cost


def test_the_guard_says_how_its_runs_ended(acme: Caller, world: World) -> None:
    def ended(status: str) -> None:
        run = Run(acme, acme.start()["run_id"])
        run.settle(run.model_call()["call_id"], input_tokens=1_000, output_tokens=100)
        if status != "running":
            run.finish(status)

    for status in ("ok", "ok", "error", "escalated", "running"):
        ended(status)
    found, cost = rows(world), 210_000
    assert found == {
        ("refund-desk", "ok", ""): (2, 2 * cost),
        ("refund-desk", "error", ""): (1, cost),
        ("refund-desk", "refused", ""): (1, cost),
        ("refund-desk", "running", ""): (1, cost),
    }
    assert rows(world) == found, "added up again, it is the same"


def sums(world: World) -> dict[str, tuple[int, int]]:
    """By outcome, after a round of the sweep."""
    found: dict[str, tuple[int, int]] = {}
    for (_, outcome, _), (runs, amount) in rows(world).items():
        before = found.get(outcome, (0, 0))
        found[outcome] = before[0] + runs, before[1] + amount
    return {outcome: both for outcome, both in found.items() if any(both)}


def test_a_run_that_ends_days_later_is_no_running_one_for_ever(acme: Caller, sender: Sender, world: World) -> None:
    then = clock.now() - timedelta(days=4)
    purse = Purse(world.acme.id, at=then).priced()
    guarded, old = acme.run(), uuid.UUID(int=first_id_of(then).int | 7 << 76 | 2 << 62)
    purse.runs["old"] = old
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "UPDATE runtime_guardedrun SET run_id = %s, root_id = %s, started_at = %s, deadline = now() + interval '1 hour' "
            "WHERE run_id = %s", [old, old, then, guarded.uuid],
        )  # fmt: skip
    purse.reserve("old", "c", 10, agent="refund-desk")
    purse.settle("old", "c", 10)
    trace, root, at = new_trace(), new_span(), clock.to_ns(then)
    call = {**LLM, "trace_id": trace, "agent": "seen", "parent_span_id": root}
    sender.native(native("ask", at=at, **call))
    assert sums(world) == {"running": (2, 10 * TOKEN + 210_600)}
    Run(acme, old.hex).finish()
    sender.native(native("run", at=at, trace_id=trace, span_id=root, kind="run", agent="seen", status="error"))
    assert sums(world) == {"ok": (1, 10 * TOKEN), "error": (1, 210_600)}


def test_no_day_is_left_out_when_nobody_swept_or_the_clock_was_changed(sender: Sender, world: World) -> None:
    friday = clock.now() - timedelta(days=3)
    spent(world.acme.id, 1, at=friday)
    services.add_up_days(tenant=world.acme.id, at=friday)
    spent(world.acme.id, 2, at=friday)  # in time, and the last round before a weekend without any
    spent(world.acme.id, 4, at=friday - timedelta(days=20))
    assert sum(amount for _, amount in rows(world).values()) == 3 * NANO
    with tenant_scope(world.acme.id):
        TenantSettings.objects.filter(tenant_id=world.acme.id).update(time_zone="Asia/Kolkata")
        budgets.adopt_calendar(tenant=world.acme.id, time_zone="Asia/Kolkata", at=clock.now())
    assert sum(amount for _, amount in rows(world).values()) == ledger(world) == 7 * NANO


def test_how_runs_ended_is_known_when_they_are_not_kept_any_more(sender: Sender, world: World) -> None:
    at = clock.now() - timedelta(days=5)
    for status in ("ok", "ok", "error"):
        trace, root = new_trace(), new_span()
        sender.native(
            native("run", at=clock.to_ns(at), trace_id=trace, span_id=root, kind="run", agent="seen", status=status),
            native("ask", at=clock.to_ns(at), **{**LLM, "trace_id": trace, "agent": "seen", "parent_span_id": root}),
        )
    before = sums(world)
    assert before == {"ok": (2, 2 * 210_600), "error": (1, 210_600)}
    with tenant_scope(world.acme.id):
        runs = list(TraceRun.objects.filter(tenant_id=world.acme.id).values_list("run_id", flat=True))
        writing.forget(tenant=world.acme.id, run_ids=runs)
    purse = Purse(world.acme.id)
    with tenant_scope(world.acme.id):
        rates = {"input": Decimal(1), "output": Decimal(0)}
        budgets.set_price(
            tenant=purse.tenant,
            provider="",
            model=LLM["model"],
            rates=rates,
            by=OPERATOR,
            at=clock.now(),
            valid_from=at,
        )
        plan = budgets.plan_repricing(
            tenant=purse.tenant,
            since=at - timedelta(days=1),
            until=clock.now(),
            reason="terms",
            by=OPERATOR,
            at=clock.now(),
        )
    for _ in range(2):
        with tenant_scope(world.acme.id):
            traces.reprice_some(tenant=purse.tenant, repricing_id=plan.id, at=clock.now() + budgets.BEGINS_AFTER)
    assert sums(world) == {"ok": (2, 2_000_000), "error": (1, 1_000_000)}
    assert ledger(world) == 3_000_000
