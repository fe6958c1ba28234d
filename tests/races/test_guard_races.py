"""Many callers of the guard at once: caps are exact, and what may happen once happens once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.confirmations.models import Confirmation
from tenants import machines
from tests.confirmations.paying import pay, paying
from tests.races.test_ingest_races import at_once
from tests.runtime.guarded import MANIFEST, Caller, Run, answered, apply, manifest
from tests.world import World

pytestmark = pytest.mark.race

THREADS = 8


@pytest.fixture
def acme(world: World) -> Caller:
    machines.forget_cached_keys()
    apply(world.acme, MANIFEST)
    return Caller(world.acme)


def outcomes(work: Callable[[], Any], *, threads: int = THREADS) -> Counter[str]:
    """How the same request ended, asked by so many at once."""
    return Counter(at_once([work] * threads))


def test_tool_calls_are_capped_exactly(acme: Caller) -> None:
    apply(
        acme.organisation, manifest(version="2", caps={"tool_calls": 20}, repetition={"same_tool": 99, "identical": 99})
    )
    run = acme.run(agent_version="2")

    def ask() -> list[str]:
        found = []
        for number in range(6):
            body = {"call_id": f"{id(found)}-{number}", "tool": "search_help", "arguments": {"text": "x"}}
            response = acme.call("POST", f"/api/v1/guard/runs/{run.id}/tool-calls", body)
            found.append(response.json().get("decision") or response.json()["code"])
        return found

    counted = Counter(each for found in at_once([ask] * THREADS) for each in found)
    assert counted["allow"] == 20
    assert counted["abort"] == 1
    assert counted == {"allow": 20, "abort": 1, "run_finished": THREADS * 6 - 21}


def test_one_call_id_is_one_decision(acme: Caller) -> None:
    run = acme.run()
    counted = outcomes(lambda: acme_json(run, "tool-calls", _search("same")))
    assert len(counted) == 1
    assert run.decisions() == [("allow", ""), ("allow", "")]
    assert run.finish()["tool_calls"] == 1


def _search(call_id: str) -> dict[str, Any]:
    return {"call_id": call_id, "tool": "search_help", "arguments": {"text": "x"}}


def acme_json(run: Run, path: str, body: dict[str, Any]) -> str:
    return str(sorted(run.caller.call("POST", f"/api/v1/guard/runs/{run.id}/{path}", body).json().items()))


def test_slots_are_given_exactly(acme: Caller) -> None:
    apply(acme.organisation, manifest(version="2", caps={"runs_per_user": 5}))

    def begin() -> int:
        body = {
            "call_id": f"s-{id(object())}-{clock.now_ns()}",
            "agent": "refund-desk",
            "agent_version": "2",
            "user": "u-1",
        }
        return int(acme.call("POST", "/api/v1/guard/runs", body).status_code)

    assert outcomes(begin, threads=12) == {201: 5, 429: 7}


def test_a_start_that_is_sent_by_many_is_one_run(acme: Caller) -> None:
    body = {"call_id": "s", "agent": "refund-desk", "agent_version": "1", "user": "u-1"}
    counted = outcomes(lambda: acme.call("POST", "/api/v1/guard/runs", body).json()["run_id"])
    assert list(counted.values()) == [THREADS]


def test_an_approval_is_redeemed_once_and_its_permit_consumed_once(acme: Caller) -> None:
    """One jti, one consumption. Whoever lost the answer to the redemption must be able to ask again, and threads that
    share a key cannot be told from one that does: so all of them get an answer, and all the same permit."""
    run = acme.run()
    call = run.refund()
    with tenant_scope(acme.organisation.id):
        Confirmation.objects.filter(tenant_id=acme.organisation.id).update(state="approved", decided_at=clock.now())
    path = f"/api/v1/guard/runs/{run.id}/tool-calls/{call['call_id']}/redemption"
    permits = outcomes(lambda: answered(acme.call("POST", path), 200)["permit"])
    assert list(permits.values()) == [THREADS]
    assert acme.organisation.actions().count("tool_call.redeemed") == 1
    with tenant_scope(acme.organisation.id), connection.cursor() as cursor:
        cursor.execute("SELECT step FROM runtime_guardcall WHERE call_id = %s", [call["call_id"]])
        jti = f"{run.id}-{cursor.fetchone()[0]}"
    assert outcomes(lambda: acme.call("POST", f"/api/v1/permits/{jti}/consumption").status_code) == {
        200: 1,
        409: THREADS - 1,
    }


def test_a_call_settled_by_many_is_charged_once(acme: Caller) -> None:
    run = acme.run()
    call = run.model_call()
    body = {"outcome": "ok", "usage": {"input_tokens": 900, "output_tokens": 100}}
    counted = outcomes(lambda: acme_json(run, f"model-calls/{call['call_id']}/settlement", body))
    assert list(counted.values()) == [THREADS]
    assert run.finish()["cost_usd"] == "0.000195"
    with tenant_scope(acme.organisation.id), connection.cursor() as cursor:
        cursor.execute("SELECT count(*), sum(amount_nano_usd) FROM budgets_ledgerentry WHERE run_id = %s", [run.uuid])
        assert cursor.fetchone() == (1, 195_000)


def test_after_a_kill_switch_is_committed_no_step_is_admitted(acme: Caller) -> None:
    apply(acme.organisation, manifest(version="2", repetition={"same_tool": 999, "identical": 999}))
    runs = [acme.run(agent_version="2", user=f"u-{number}") for number in range(THREADS)]

    def work(run: Run) -> str:
        for number in range(60):
            answer = acme.call("POST", f"/api/v1/guard/runs/{run.id}/tool-calls", _search(f"{number}")).json()
            if answer.get("decision") != "allow":
                return str(answer["code"])
        return "went on"

    def press() -> str:
        connection.ensure_connection()
        body = {"scope": "tenant", "mode": "stop_next_step", "reason": "race"}
        return str(acme.call("POST", "/api/v1/kill-switches", body, scope="admin").json()["id"])

    found = at_once([*[lambda run=run: work(run) for run in runs], press])
    switch = found.pop()
    assert set(found) == {"killed"}
    proof = acme.call("GET", f"/api/v1/kill-switches/{switch}", scope="admin").json()["proof"]
    assert (proof["runs_stopped"], proof["runs_in_progress"]) == (THREADS, 0)
    assert proof["refused_since"] == THREADS


def test_small_payments_at_once_are_added_up_exactly(acme: Caller) -> None:
    """Runs of one user, each below the threshold: as many as fit below it are asked for at the tool's own tier."""
    apply(acme.organisation, paying())
    runs = [acme.run() for _ in range(4)]
    works = [partial(pay, run, f"shop {n}", 20_000) for n, run in enumerate(runs)]
    tiers = Counter(at_once([lambda work=work: work()["confirmation"]["tier"] for work in works]))
    assert tiers == {2: 2, 3: 2}
