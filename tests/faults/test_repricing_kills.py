"""`kill -9` of the process that prices calls anew, again and again: at the end each call is priced anew once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
import uuid
from datetime import timedelta
from decimal import Decimal

import pytest

from agentops.budgets import queries, services
from agentops.common import clock
from agentops.common.scope import tenant_scope
from tests import engines
from tests.budgets.money import MODEL, TOKEN, Purse
from tests.ingest.test_ledger_check import check
from tests.ingest.wire import Sender, native, new_trace
from tests.world import OPERATOR, World

pytestmark = pytest.mark.fault

ROUNDS, RUNS, CALLS = 8, 40, 25  # calls of each run
TOKENS = 100

# The worker, with small slices, so that there are many places to be killed at.
_WORK = """
import django
django.setup()
from agentops.traces import tasks
from agentops.traces.services import repricing
repricing.SLICE = 7
tasks.reprice()
"""


def test_a_repricing_whose_worker_is_killed_again_and_again_changes_every_call_once(
    world: World, django_db_setup: str
) -> None:
    purse, chance = Purse(world.acme.id).priced(), random.Random(7)
    acme = Sender(world.acme.keys["ingest"], read_key=world.acme.keys["read"])
    for _ in range(RUNS):
        trace = new_trace()
        acme.native(*(_call(trace) for _ in range(CALLS)))
    plan = _plan(purse)
    killed, seen = 0, [0]
    while killed < ROUNDS:
        worker = _worker(django_db_setup)
        _until_it_has_come(purse, plan, further_than=seen[-1])
        time.sleep(chance.uniform(0, 0.05))
        worker.kill()
        killed += worker.wait(60) == -signal.SIGKILL
        seen.append(_seen(purse, plan))
        assert check()["equal"], "at every commit"
    assert seen == sorted(seen), "what was done stays done"
    assert seen[-1] < RUNS * CALLS, "no kill met it in the middle: the test shows nothing"
    while _worker(django_db_setup).wait(120) == 0 and _state(purse, plan) != "done":
        pass

    with tenant_scope(purse.tenant):
        found = queries.repricing(tenant=purse.tenant, repricing_id=plan)
    assert (found.calls_seen, found.calls_changed) == (RUNS * CALLS, RUNS * CALLS)
    assert found.amount_nano_usd == RUNS * CALLS * TOKENS * 2 * TOKEN
    once = purse.rows("SELECT run_id, span_id FROM budgets_ledgerentry GROUP BY run_id, span_id HAVING count(*) <> 3")
    assert once == [], "charged, taken back, charged anew"
    assert purse.charged() == RUNS * CALLS * TOKENS * 3
    assert check()["equal"]


def _call(trace: str) -> dict[str, object]:
    call = {"kind": "llm", "model": MODEL, "provider": "house", "input_tokens": TOKENS, "output_tokens": 0}
    return native("call", trace_id=trace, at=clock.to_ns(clock.now() - timedelta(minutes=5)), **call)


def _plan(purse: Purse) -> uuid.UUID:
    """Asked for long enough ago to begin at once."""
    at = clock.now() - services.BEGINS_AFTER
    rates = {"input": Decimal(3), "output": Decimal(3)}
    with tenant_scope(purse.tenant):
        services.set_price(
            tenant=purse.tenant, provider="", model=MODEL, rates=rates, by=OPERATOR, at=at,
            valid_from=at - timedelta(hours=2),
        )  # fmt: skip
        found = services.plan_repricing(
            tenant=purse.tenant, since=at - timedelta(hours=1), until=at, reason="a test", by=OPERATOR, at=at
        )
    return uuid.UUID(str(found.id))


def _worker(database: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _WORK],
        env={**engines.environment(database), "DJANGO_SETTINGS_MODULE": "tests.settings"},
    )


def _until_it_has_come(purse: Purse, plan: uuid.UUID, *, further_than: int) -> None:
    until = time.monotonic() + 60
    while _seen(purse, plan) <= further_than:
        assert time.monotonic() < until, "it came no further"
        time.sleep(0.005)


def _seen(purse: Purse, plan: uuid.UUID) -> int:
    return purse.sum("SELECT calls_seen FROM budgets_repricing WHERE id = %s", plan)


def _state(purse: Purse, plan: uuid.UUID) -> str:
    return str(purse.rows("SELECT state FROM budgets_repricing WHERE id = %s", plan)[0][0])
