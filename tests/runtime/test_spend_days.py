"""What a day's spend was for: by what became of the runs, and by their tools, and it adds up to the ledger."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentops.budgets.models import SpendDay
from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.runtime import services
from agentops.traces import policy
from tenants import machines
from tests.ingest.wire import Sender, native, new_span, new_trace
from tests.runtime.guarded import Caller, Run
from tests.world import World

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
    with tenant_scope(world.acme.id):
        services.add_up_days(tenant=world.acme.id, at=clock.now())
        found = SpendDay.objects.filter(tenant_id=world.acme.id)
        return {(row.agent, row.outcome, row.tool): (row.runs, row.amount_nano_usd) for row in found}


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
