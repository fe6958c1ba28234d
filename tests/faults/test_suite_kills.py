"""The worker that runs a suite at an agent's address is killed in the middle of a plan: every case has exactly one result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from typing import Any

from django.db import connection

from agentops.common import clock
from agentops.common.scope import tenant_scope
from evals import services
from evals.models import CaseRun, SuiteRun
from evals.services.suites.claims import ATTEMPTS_MOST
from evals.types import CaseState, Runner, SuiteState
from tests import engines
from tests.evals.judgeserver import JudgeServer, Reply, judge_server
from tests.evals.sets import made
from tests.runtime.guarded import shift
from tests.world import OPERATOR, Organisation, World

CASES, AT_ONCE = 30, 6
_WORK = "import django; django.setup(); import agentops.celery; from evals.tasks import sets; sets.run_due()"


def answered(number: int, body: dict[str, Any]) -> Reply:
    """Every third case goes wrong; what an agent did is told by the case alone."""
    output = "done" if int(body["key"].removeprefix("case-")) % 3 else "refunded"
    return Reply(raw=json.dumps({"output": output, "steps": []}).encode(), seconds=0.15)


def worker() -> subprocess.Popen[bytes]:
    """A process that goes on with what is due, on this test's database."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        engines.DATABASE: str(connection.settings_dict["NAME"]),
        "AGENTOPS_WEBHOOK_ALLOWED_HOSTS": "127.0.0.1",
    }
    return subprocess.Popen([sys.executable, "-c", _WORK], env=environment)


def states(organisation: Organisation) -> Counter[str]:
    with tenant_scope(organisation.id):
        return Counter(CaseRun.objects.filter(tenant_id=organisation.id).values_list("state", flat=True))


def kill_after(organisation: Organisation, server: JudgeServer, count: int) -> None:
    """Start a worker, and kill it while the agent is asked, once so many more cases have ended."""
    process, until = worker(), time.monotonic() + 60
    enough = _ended(states(organisation)) + count
    try:
        while _ended(states(organisation)) < enough or not server.in_flight:
            assert process.poll() is None and time.monotonic() < until, "it was to be killed while it works"
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _ended(found: Counter[str]) -> int:
    return found[CaseState.PASSED] + found[CaseState.FAILED]


def test_every_case_of_a_plan_has_exactly_one_result(world: World, settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    acme = world.acme
    expect = [{"kind": "contains", "all": ["refunded"]}]
    made.make_set(acme, "refunds", **{f"case-{n}": made.case(title=f"Case {n}", expect=expect) for n in range(CASES)})
    with judge_server(answered) as server:
        with tenant_scope(acme.id):
            common: dict[str, Any] = {"tenant": acme.id, "by": OPERATOR, "at": clock.now()}
            services.set_agent_endpoint(
                agent="desk", url=server.url, timeout_seconds=20, max_in_flight=AT_ONCE, **common
            )
            asked = services.Asked(agent="desk", agent_version="1", eval_set="refunds")
            run = services.begin_suite_run(asked=asked, runner=Runner.ENDPOINT, trigger="api", **common)
        for _ in range(ATTEMPTS_MOST - 1):
            kill_after(acme, server, AT_ONCE)
            assert 0 < states(acme)[CaseState.CLAIMED] <= AT_ONCE, "it was killed in the middle of asks"
            shift(acme, "evals_caserun", "claimed_until", -timedelta(minutes=10))  # the claims' time passes
        last = worker()
        assert last.wait(timeout=60) == 0
        keys = Counter(body["key"] for body in server.requests)
    with tenant_scope(acme.id):
        rows = list(CaseRun.objects.filter(tenant_id=acme.id))
        suite = SuiteRun.objects.get(tenant_id=acme.id, id=run.id)
    assert sorted(row.key for row in rows) == sorted(f"case-{n}" for n in range(CASES)), "none is lost, none is doubled"
    for row in rows:
        is_good = int(row.key.removeprefix("case-")) % 3 == 0
        assert (row.state, row.output) == (("passed", "refunded") if is_good else ("failed", "done")), row.key
        assert row.ended_at and 1 <= keys[row.key] <= row.attempts <= ATTEMPTS_MOST, (
            "some were taken, and not yet asked for"
        )
    assert sum(keys.values()) > CASES, "what was in flight was asked again"
    assert (suite.state, suite.cases, suite.passed, suite.failed) == (SuiteState.DONE, CASES, 10, 20)
