"""The worker that asks judges is killed, again and again, in the middle of a plan: every planned run is judged exactly once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta

from django.db import connection

from agentops.budgets.models import Reservation
from agentops.common.scope import tenant_scope
from agentops.runtime import services as runtime
from evals.models import Judgement, Score
from evals.types import JudgementState
from tests import engines
from tests.evals import rowsof
from tests.evals.judgeserver import JudgeServer, Reply, judge_server, verdict
from tests.runtime.guarded import shift
from tests.world import Organisation, World

RUNS = 60
_WORK = "import django; django.setup(); from evals.services import judging; judging.ask_due(seconds=60)"


def worker() -> subprocess.Popen[bytes]:
    """A process that asks, on this test's database."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        engines.DATABASE: str(connection.settings_dict["NAME"]),
        "AGENTOPS_WEBHOOK_ALLOWED_HOSTS": "127.0.0.1",
    }
    return subprocess.Popen([sys.executable, "-c", _WORK], env=environment)


def scored(organisation: Organisation) -> int:
    with tenant_scope(organisation.id):
        return Judgement.objects.filter(tenant_id=organisation.id, state=JudgementState.SCORED).count()


def kill_after(organisation: Organisation, server: JudgeServer, count: int) -> None:
    """Start a worker, and kill it while it asks, once so many more are scored."""
    enough, process = scored(organisation) + count, worker()
    try:
        until = time.monotonic() + 60
        while scored(organisation) < enough or not server.in_flight:
            assert process.poll() is None and time.monotonic() < until, "it was to be killed while it works"
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_every_planned_run_is_judged_exactly_once(world: World, settings: object) -> None:
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]  # type: ignore[attr-defined]
    with judge_server(lambda number, body: Reply(verdict(), seconds=0.3)) as server:
        rowsof.judge(world.acme, url=server.url, max_in_flight=8)
        rowsof.planned(world.acme, RUNS)
        for _ in range(3):
            kill_after(world.acme, server, 8)
            with tenant_scope(world.acme.id):
                left = Judgement.objects.filter(tenant_id=world.acme.id, state=JudgementState.RUNNING).count()
            assert left, "it was killed in the middle of asks"
            for column in ("claimed_until", "next_at"):  # the claims' time passes
                shift(world.acme, "evals_judgement", column, -timedelta(minutes=10))
        last = worker()
        assert last.wait(timeout=120) == 0
    with tenant_scope(world.acme.id):
        rows = list(Judgement.objects.filter(tenant_id=world.acme.id))
        scores = Counter(Score.objects.filter(tenant_id=world.acme.id).values_list("judgement_id", flat=True))
    assert Counter(row.state for row in rows) == {JudgementState.SCORED: RUNS}
    assert len({row.subject_id for row in rows}) == RUNS
    assert set(scores.values()) == {1} and len(scores) == RUNS
    assert len(server.requests) > RUNS, "what was in flight was asked again, or nothing was killed"
    _what_was_lost_is_charged_and_holds_nothing(world.acme)


def _what_was_lost_is_charged_and_holds_nothing(organisation: Organisation) -> None:
    """The holds of asks whose worker died end by the guard's sweep, at their worst case."""
    shift(organisation, "budgets_reservation", "expires_at", -timedelta(hours=1), "state = 'held'")
    runtime.sweep(tenant=organisation.id)
    with tenant_scope(organisation.id):
        states = Counter(Reservation.objects.filter(tenant_id=organisation.id).values_list("state", flat=True))
    assert states["settled"] >= RUNS and states["unknown"] > 0 and "held" not in states
