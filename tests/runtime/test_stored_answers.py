"""Stored answers: the same asked again is answered without a run; what acted, differs or is old is not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from agentops.budgets import queries as budgets
from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.runtime import services
from tests.ingest.test_ledger_check import check
from tests.runtime.guarded import MODEL, Caller, Run, apply, manifest, shift
from tests.world import World

KEY = {"prompt_hash": "sha256:p", "model": MODEL, "tool_definitions_hash": "sha256:t", "input_digest": "sha256:i"}
ANSWER = {"text": "It left on Monday.", "orders": ["ord_1"]}


@pytest.fixture
def desk(acme: Caller, world: World) -> Caller:
    """The desk keeps answers for an hour, for the user who asked."""
    apply(world.acme, manifest(output_cache={"seconds": 3_600}))
    return acme


def ask(desk: Caller, *, key: dict[str, str] | None = KEY, **said: Any) -> dict[str, Any]:
    return desk.start(answer_key=key, **said) if key else desk.start(**said)


def answer(desk: Caller, *, do: Any = None, output: Any = ANSWER, **said: Any) -> Run:
    """A whole run: a model call, perhaps more, and an answer."""
    run = Run(desk, ask(desk, **said)["run_id"])
    call = run.model_call()["call_id"]
    run.settle(call, input_tokens=1_000, output_tokens=100)
    if do is not None:
        do(run)
    run.post("finish", {"status": "ok", "output": output})
    return run


def ledger(desk: Caller) -> list[tuple[int, int, int]]:
    with tenant_scope(desk.organisation.id), connection.cursor() as cursor:
        cursor.execute("SELECT kind, amount_nano_usd, saved_nano_usd FROM budgets_ledgerentry ORDER BY recorded_at, id")
        return list(cursor.fetchall())


def test_the_same_asked_again_is_answered_at_once_and_costs_nothing(desk: Caller, world: World) -> None:
    first = answer(desk)
    second = ask(desk)
    stored = second["stored_answer"]
    assert (stored["output"], stored["run_id"], stored["saved_usd"]) == (ANSWER, first.id, "0.000210")
    cost = 210_000
    assert ledger(desk) == [(3, cost, 0), (4, 0, cost)]
    run = Run(desk, second["run_id"])
    refused = run.model_call(status=409)
    assert refused["code"] == "run_finished"
    assert run.finish()["status"] == "ok"  # told again, it is the same
    now = clock.now()
    with tenant_scope(desk.organisation.id):
        total = budgets.total(
            tenant=desk.organisation.id, since=now - timedelta(hours=2), until=now + timedelta(hours=2)
        )
    assert (total.calls, total.amount_nano_usd, total.saved_nano_usd, total.cached_answers) == (1, cost, cost, 1)
    assert [name for name in world.acme.actions() if name.startswith("answer.")] == ["answer.stored", "answer.served"]
    assert check()["equal"]


def test_a_start_that_is_sent_again_is_the_same_answer_and_is_saved_once(desk: Caller) -> None:
    answer(desk)
    one, two = ask(desk, call_id="again"), ask(desk, call_id="again")
    assert one == two and one["stored_answer"]["output"] == ANSWER
    assert [kind for kind, *_ in ledger(desk)] == [3, 4]


@pytest.mark.parametrize("part", sorted(KEY))
def test_whatever_part_of_the_key_differs_is_another_question(desk: Caller, part: str) -> None:
    answer(desk)
    assert "stored_answer" not in ask(desk, key={**KEY, part: "sha256:other"})


def test_an_answer_serves_only_its_user_unless_the_manifest_says_everybody(desk: Caller, world: World) -> None:
    answer(desk)
    assert "stored_answer" not in ask(desk, user="u-2")
    apply(world.acme, manifest(output_cache={"seconds": 60, "for": "everybody"}))
    answer(desk)
    assert ask(desk, user="u-2")["stored_answer"]["output"] == ANSWER
    other = ask(desk, user="u-2", scope={"user": {"order_ids": ["ord_9"]}})
    assert "stored_answer" not in other, "what is not theirs to look up does not come to them as an answer either"


def test_another_organisation_has_its_own(desk: Caller, globex: Caller, world: World) -> None:
    apply(world.globex, manifest(output_cache={"seconds": 60, "for": "everybody"}))
    answer(desk)
    assert "stored_answer" not in ask(globex)


def test_a_run_that_read_is_stored_and_one_that_acted_is_not(desk: Caller) -> None:
    answer(desk, do=lambda run: run.look_up())
    assert "stored_answer" in ask(desk)
    other = {**KEY, "input_digest": "sha256:refund"}
    answer(desk, key=other, do=lambda run: run.refund())
    assert "stored_answer" not in ask(desk, key=other)


def test_what_failed_was_too_long_or_is_not_opted_in_is_not_stored(acme: Caller, world: World) -> None:
    answer(acme)
    assert "stored_answer" not in ask(acme)
    apply(world.acme, manifest(output_cache={"seconds": 3_600}))
    answer(acme, output="x" * 70_000)
    assert "stored_answer" not in ask(acme)
    run = acme.run(answer_key=KEY)
    run.post("finish", {"status": "error", "output": ANSWER})
    assert "stored_answer" not in ask(acme)
    run = acme.run(answer_key=KEY)
    run.model_call()  # never settled: what it cost is not known
    run.post("finish", {"status": "ok", "output": ANSWER})
    assert "stored_answer" not in ask(acme)


def test_an_old_answer_and_one_of_a_changed_agent_serve_no_more(desk: Caller, world: World) -> None:
    answer(desk)
    shift(world.acme, "runtime_storedanswer", "expires_at", timedelta(hours=-1))
    assert "stored_answer" not in ask(desk)
    with tenant_scope(world.acme.id), connection.cursor() as cursor:
        services.compute_baselines(tenant=world.acme.id)
        cursor.execute("SELECT count(*) FROM runtime_storedanswer")
        assert cursor.fetchone() == (0,)
    answer(desk)
    apply(world.acme, manifest(output_cache={"seconds": 3_600}, caps={"llm_calls": 7}))
    assert "stored_answer" not in ask(desk)


def test_a_key_that_lacks_a_part_is_refused_with_what_is_missing(desk: Caller) -> None:
    body = {"call_id": "c", "agent": "refund-desk", "agent_version": "1", "user": "u"}
    refused = desk.call("POST", "/api/v1/guard/runs", {**body, "answer_key": {**KEY, "model": ""}})
    assert refused.status_code == 400
    assert [problem["pointer"] for problem in refused.json()["errors"]] == ["/answer_key/model"]
    parent = desk.run()
    refused = desk.call("POST", "/api/v1/guard/runs", {**body, "answer_key": KEY, "parent_run_id": parent.id})
    assert refused.status_code == 400 and refused.json()["errors"][0]["pointer"] == "/answer_key"


def test_an_admin_sees_what_is_stored_and_forgets_it(desk: Caller, world: World) -> None:
    client = Client()
    client.force_login(world.ada.user)
    assert "No answer is stored" in client.get(world.acme.url("stored-answers/")).content.decode()
    answer(desk)
    ask(desk)
    page = client.get(world.acme.url("stored-answers/")).content.decode()
    assert "refund-desk" in page and "Monday" not in page
    client.post(world.acme.url("stored-answers/removal/"), {"agent": "refund-desk"})
    assert "No answer is stored" in client.get(world.acme.url("stored-answers/")).content.decode()
    assert "stored_answer" not in ask(desk)
    assert "answer.forgotten" in world.acme.actions()
