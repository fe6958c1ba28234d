"""Suite runs over HTTP: a frozen plan, claims that run out, results once, counters at the end."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from agentops.common import clock
from agentops.common.scope import tenant_scope
from evals import services
from evals.models import CaseRun, EvalSet, Judgement, SuiteRun
from evals.services import judging
from evals.services.suites import results
from evals.tasks import sets as tasks
from evals.types import Runner as Where
from tests.evals import rowsof
from tests.evals.judgeserver import Reply, judge_server, verdict
from tests.evals.sets.made import case, make_set, replace
from tests.evals.sets.runner import Runner
from tests.evals.sets.test_pages import refund_run
from tests.runtime.guarded import shift
from tests.world import OPERATOR, World


@pytest.fixture
def acme(world: World) -> Runner:
    return Runner(world.acme)


@pytest.fixture
def refunds(world: World) -> EvalSet:
    return make_set(world.acme, good=case(), other=case(title="Other", tags=["money"]))


def test_a_suite_is_planned_claimed_told_and_counted(acme: Runner, refunds: EvalSet, world: World) -> None:
    begun = acme.begin(repeats=2)
    assert (begun["state"], begun["cases"], begun["open"], begun["revision"]) == ("running", 2, 4, 1)
    claim, cases = acme.claim(begun["id"])
    assert [(each["key"], each["turn"]) for each in cases] == [("good", 1), ("other", 1), ("good", 2), ("other", 2)]
    assert "expect" not in cases[0] and cases[0]["tools"][0]["result"] == "delivered"
    for each in cases:
        output = "sorry" if (each["key"], each["turn"]) == ("other", 2) else "refunded"
        acme.tell(begun["id"], claim, each, output=output, usage={"input_tokens": 5, "cost_usd": "0.01"})
    found = acme.suite(begun["id"])
    assert (found["state"], found["passed"], found["failed"], found["flaky"], found["open"]) == ("done", 1, 0, 1, 0)
    assert {each["key"]: each["status"] for each in found["results"]} == {"good": "passed", "other": "flaky"}
    assert world.acme.actions()[-1] == "suite.begun"


def test_the_plan_is_frozen_whatever_becomes_of_the_set(acme: Runner, refunds: EvalSet, world: World) -> None:
    begun = acme.begin()
    replace(world.acme, refunds.id, {"new": case(title="New")})
    _, cases = acme.claim(begun["id"])
    assert {each["key"] for each in cases} == {"good", "other"}
    assert {each["key"] for each in acme.claim(acme.begin(revision=1)["id"])[1]} == {"good", "other"}
    assert {each["key"] for each in acme.claim(acme.begin()["id"])[1]} == {"new"}


def test_a_suite_run_begun_again_under_its_id_is_the_one_that_was_begun(
    acme: Runner, refunds: EvalSet, world: World
) -> None:
    id = str(uuid.uuid4())
    first = acme.begin(id=id, tags=["money"], repeats=2)
    assert first["id"] == id
    assert acme.begin(id=id, tags=["money", "money"], repeats=2) == first
    replace(world.acme, refunds.id, {"new": case(title="New", tags=["money"])})
    with tenant_scope(world.acme.id):
        services.archive_set(tenant=world.acme.id, eval_set=refunds.id, is_archived=True, by=OPERATOR, at=clock.now())
    assert acme.begin(id=id.upper(), tags=["money"], repeats=2) == first, "whatever became of the set meanwhile"
    assert acme.begin(id=id, tags=["money"], repeats=2, revision=1) == first
    same = {"agent": "desk", "agent_version": "1", "set": "refunds", "tags": ["money"], "repeats": 2}
    others: list[dict[str, Any]] = [
        {"agent": "other"},
        {"agent_version": "2"},
        {"set": "more"},
        {"revision": 2},
        {"mode": "chaos"},
        {"tags": []},
        {"repeats": 3},
        {"trigger": "ci"},
        {"runner": "endpoint"},
    ]
    for other in others:
        refused = acme.ask("POST", "suite-runs", {"id": id, **same, **other}, status=409)
        assert refused["code"] == "idempotency_mismatch", other
    globex = Runner(world.globex)
    make_set(world.globex, good=case(tags=["money"]))
    refused = globex.ask("POST", "suite-runs", {"id": id, **same}, status=409)
    assert refused["code"] == "idempotency_mismatch"
    assert globex.ask("GET", "suite-runs")["results"] == [] and acme.suite(id)["open"] == 2
    assert world.acme.actions().count("suite.begun") == 1 and "suite.begun" not in world.globex.actions()


def test_a_suite_run_sent_many_times_at_once_begins_once(acme: Runner, refunds: EvalSet, world: World) -> None:
    id, said = str(uuid.uuid4()), []
    start = threading.Barrier(4)

    def send() -> None:
        start.wait()
        try:
            said.append(acme.begin(id=id)["id"])
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == [id] * 4
    with tenant_scope(world.acme.id):
        assert CaseRun.objects.filter(tenant_id=world.acme.id).count() == 2
    assert world.acme.actions().count("suite.begun") == 1


def test_a_replay_opened_again_under_its_id_is_the_one_that_was_opened(acme: Runner, world: World) -> None:
    run, other, id = refund_run(world), refund_run(world), str(uuid.uuid4())
    opened = acme.ask("POST", "replays", {"id": id, "run_id": run, "agent_version": "2"})
    assert opened["id"] == id
    assert acme.ask("POST", "replays", {"id": id, "run_id": run, "agent_version": "2"}) == opened
    for body in ({"run_id": other, "agent_version": "2"}, {"run_id": run, "agent_version": "3"}, {"run_id": run}):
        assert acme.ask("POST", "replays", {"id": id, **body}, status=409)["code"] == "idempotency_mismatch"
    globex = Runner(world.globex)
    theirs = {"id": id, "run_id": refund_run(world, of=world.globex), "agent_version": "2"}
    assert globex.ask("POST", "replays", theirs, status=409)["code"] == "idempotency_mismatch"
    assert acme.ask("POST", "replays", {"id": "mine", "run_id": run}, status=400)["errors"][0]["pointer"] == "/id"
    assert acme.ask("POST", "replays", {"run_id": run})["id"] != id
    assert world.acme.actions().count("replay.asked") == 2


def test_tags_and_the_agents_name_choose_cases(acme: Runner, world: World) -> None:
    make_set(world.acme, a=case(tags=["money"]), b=case(agent="another"), c=case(agent="desk", tags=["x"]))
    assert acme.begin()["cases"] == 2
    assert acme.begin(tags=["money", "y"])["cases"] == 1
    refused = acme.ask(
        "POST", "suite-runs", {"agent": "desk", "agent_version": "1", "set": "refunds", "tags": ["y"]}, status=400
    )
    assert "no case for desk" in refused["errors"][0]["detail"]


def test_in_chaos_each_case_with_calls_meets_each_fault(acme: Runner, world: World) -> None:
    make_set(world.acme, calls=case(), quiet=case(tools=None))
    begun = acme.begin(mode="chaos")
    claim, cases = acme.claim(begun["id"])
    assert sorted(each["fault"] for each in cases) == ["error", "malformed", "timeout"]
    met = [{"kind": "tool", "tool": "look_up", "arguments": {}, "error": {"type": "timeout"}, "fault": "timeout"}]
    assert acme.tell(begun["id"], claim, cases[0], output="I could not do it.", steps=met)["state"] == "passed"
    assert acme.tell(begun["id"], claim, cases[1], output=None, error="KeyError: 1", steps=met)["state"] == "failed"
    untried = acme.tell(begun["id"], claim, cases[2], output="I did not look.")
    assert untried["state"] == "errored" and "nothing could fail" in untried["detail"]


def test_the_same_claim_gets_the_same_cases_and_a_result_told_again_changes_nothing(
    acme: Runner, refunds: EvalSet
) -> None:
    begun = acme.begin()
    claim, first = acme.claim(begun["id"], most=1)
    assert acme.claim(begun["id"], most=1, claim=claim)[1] == first
    assert acme.tell(begun["id"], claim, first[0])["state"] == "passed"
    assert acme.tell(begun["id"], claim, first[0], output="something else")["state"] == "passed"
    assert acme.claim(begun["id"], claim=claim)[1] == []
    assert [each["key"] for each in acme.claim(begun["id"])[1]] == ["other"]


def test_a_claim_that_ran_out_is_given_again_and_the_first_one_is_refused(
    acme: Runner, refunds: EvalSet, world: World
) -> None:
    begun = acme.begin()
    lost, cases = acme.claim(begun["id"])
    assert acme.claim(begun["id"])[1] == []
    run_out(world)
    again, taken = acme.claim(begun["id"])
    assert [each["case_run"] for each in taken] == [each["case_run"] for each in cases]
    assert acme.tell(begun["id"], lost, cases[0], status=409)["code"] == "claim_lost"
    acme.tell(begun["id"], again, taken[0])


def run_out(world: World) -> None:
    with tenant_scope(world.acme.id):
        CaseRun.objects.filter(tenant_id=world.acme.id, claim__isnull=False).update(
            claimed_until=clock.now() - timedelta(seconds=1)
        )


def test_a_case_that_is_taken_three_times_and_never_finished_has_broken(
    acme: Runner, refunds: EvalSet, world: World
) -> None:
    begun = acme.begin()
    for _ in range(3):
        assert len(acme.claim(begun["id"])[1]) == 2
        run_out(world)
    assert acme.claim(begun["id"])[1] == []
    with tenant_scope(world.acme.id):
        assert services.give_up_claims(tenant=world.acme.id, at=clock.now()) == 2
    found = acme.suite(begun["id"])
    assert (found["state"], found["failed"]) == ("done", 2)
    assert found["results"][0]["status"] == "errored"


def test_a_suite_that_nobody_goes_on_with_is_abandoned(acme: Runner, refunds: EvalSet, world: World) -> None:
    begun = acme.begin()
    with tenant_scope(world.acme.id):
        services.give_up_claims(tenant=world.acme.id, at=clock.now() + timedelta(hours=5))
        assert SuiteRun.objects.get(tenant_id=world.acme.id).state == "running"
        services.give_up_claims(tenant=world.acme.id, at=clock.now() + timedelta(hours=7))
    assert acme.suite(begun["id"])["state"] == "abandoned"


def test_two_runners_never_get_the_same_case_and_two_last_results_end_the_suite(acme: Runner, world: World) -> None:
    make_set(world.acme, **{f"c{number}": case(title=str(number)) for number in range(12)})
    begun = acme.begin()
    taken: list[str] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            while True:
                claim, cases = acme.claim(begun["id"], most=1)
                if not cases:
                    return
                taken.append(cases[0]["case_run"])
                acme.tell(begun["id"], claim, cases[0])
        except AssertionError as error:
            if b"has ended" not in str(error).encode():
                failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == [] and len(taken) == len(set(taken)) == 12
    found = acme.suite(begun["id"])
    assert (found["state"], found["passed"]) == ("done", 12)


def test_a_cancelled_suite_takes_no_more_results(acme: Runner, refunds: EvalSet, world: World) -> None:
    begun = acme.begin()
    claim, cases = acme.claim(begun["id"], most=1)
    assert acme.ask("DELETE", f"suite-runs/{begun['id']}")["state"] == "cancelled"
    assert acme.tell(begun["id"], claim, cases[0], status=409)["code"] == "claim_lost"
    body = {"claim": str(uuid.uuid4()), "most": 1}
    assert acme.ask("POST", f"suite-runs/{begun['id']}/claims", body, status=409)["code"] == "already_done"
    assert acme.ask("DELETE", f"suite-runs/{begun['id']}", status=409)
    assert world.acme.actions()[-1] == "suite.cancelled"


def test_another_organisation_finds_nothing_and_other_scopes_may_not(
    acme: Runner, refunds: EvalSet, world: World
) -> None:
    begun = acme.begin()
    claim, cases = acme.claim(begun["id"], most=1)
    stranger = Runner(world.globex)
    for method, path, body in (
        ("GET", f"suite-runs/{begun['id']}", None),
        ("DELETE", f"suite-runs/{begun['id']}", None),
        ("POST", f"suite-runs/{begun['id']}/claims", {"claim": claim, "most": 1}),
        ("POST", f"suite-runs/{begun['id']}/results", {"claim": claim, "case_run": cases[0]["case_run"]}),
    ):
        stranger.ask(method, path, body, status=404)
    assert stranger.ask("GET", "suite-runs")["results"] == []
    for scope in ("ingest", "guard", "read", "admin", "feedback"):
        Runner(world.acme, scope).ask("GET", "suite-runs", status=403)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"steps": [{"kind": "walk"}]}, "/steps/0/kind"),
        ({"steps": [{"kind": "tool", "tool": "a", "error": "x"}]}, "/steps/0/error"),
        ({"steps": [{"kind": "tool", "tool": "a", "colour": 1}]}, "/steps/0/colour"),
        ({"steps": "none"}, "/steps"),
        ({"output": "a\0b"}, "/output"),
        ({"usage": {"input_tokens": -1}}, "/usage/input_tokens"),
        ({"usage": {"cost_usd": "much"}}, "/usage/cost_usd"),
        ({"usage": {"cost_usd": 0.5}}, "/usage/cost_usd"),
        ({"trace_id": "xyz"}, "/trace_id"),
        ({"claim": "mine"}, "/claim"),
        ({"state": "passed"}, "/state"),
    ],
)
def test_a_result_that_is_none_is_refused_where_it_is_wrong(
    acme: Runner, refunds: EvalSet, body: Any, pointer: str
) -> None:
    begun = acme.begin()
    claim, cases = acme.claim(begun["id"], most=1)
    answer = acme.ask(
        "POST",
        f"suite-runs/{begun['id']}/results",
        {"claim": claim, "case_run": cases[0]["case_run"], **body},
        status=400,
    )
    assert pointer in [error["pointer"] for error in answer["errors"]]
    acme.tell(begun["id"], claim, cases[0])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"agent": ""}, "/agent"),
        ({"agent": "a\nb"}, "/agent"),
        ({"repeats": 21}, "/repeats"),
        ({"mode": "wild"}, "/mode"),
        ({"trigger": "person"}, "/trigger"),
        ({"tags": ["A B"]}, "/tags/0"),
        ({"tags": "money"}, "/tags"),
        ({"sets": "x"}, "/sets"),
        ({"id": "mine"}, "/id"),
        ({"id": 1}, "/id"),
    ],
)
def test_a_suite_that_is_none_is_refused_where_it_is_wrong(
    acme: Runner, refunds: EvalSet, body: Any, pointer: str
) -> None:
    answer = acme.ask(
        "POST", "suite-runs", {"agent": "desk", "agent_version": "1", "set": "refunds", **body}, status=400
    )
    assert pointer in [error["pointer"] for error in answer["errors"]]


def test_an_unknown_set_or_revision_names_what_there_is(acme: Runner, refunds: EvalSet) -> None:
    asked = {"agent": "desk", "agent_version": "1", "set": "refund"}
    assert "there are: refunds" in acme.ask("POST", "suite-runs", asked, status=404)["detail"]
    acme.ask("POST", "suite-runs", {**asked, "set": "refunds", "revision": 9}, status=404)
    acme.ask("POST", "suite-runs", {**asked, "set": "refunds", "runner": "endpoint"}, status=409)


def test_lists_go_on_by_cursor(acme: Runner, refunds: EvalSet) -> None:
    begun = [acme.begin()["id"] for _ in range(3)]
    first = acme.ask("GET", "suite-runs?limit=2")
    assert [each["id"] for each in first["results"]] == begun[:0:-1]
    rest = acme.ask("GET", first["next"].split("/api/v1/")[1])
    assert [each["id"] for each in rest["results"]] == begun[:1] and rest["next"] is None
    assert acme.ask("GET", "suite-runs?agent=other")["results"] == []


# -- judges -----------------------------------------------------------------------------------------------------------


def test_a_case_with_a_rubric_waits_for_its_judge_and_a_failed_judgement_is_no_failure(
    acme: Runner, world: World, settings: Any
) -> None:
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]

    def behave(number: int, body: dict[str, Any]) -> Reply:
        said = json.dumps(body["messages"])
        assert "Refund ord_1" in said and "refunded" in said, "the judge reads the case's input and the answer"
        return Reply(status=400) if "it breaks" in said else Reply(verdict(3))

    with judge_server(behave) as server:
        scale = {"kind": "number", "least": 1, "most": 5}
        rubric = {"criteria": [{**rowsof.GOAL, "scale": scale}], "pass_at": 0.4}
        rowsof.judge(world.acme, name="goal", url=server.url, rubric=rubric)
        asked = {"kind": "rubric", "judge": "goal"}
        make_set(
            world.acme,
            good=case(expect=[asked]),
            poor=case(expect=[{**asked, "at_least": 0.9}], title="poor"),
            broke=case(expect=[asked], title="it breaks", input="Refund ord_1, it breaks"),
            clear=case(expect=[asked, {"kind": "contains", "all": ["never"]}], title="clear"),
        )
        begun = acme.begin()
        claim, cases = acme.claim(begun["id"])
        states = {each["key"]: acme.tell(begun["id"], claim, each)["state"] for each in cases}
        assert states == {"broke": "judging", "clear": "failed", "good": "judging", "poor": "judging"}
        assert len(server.requests) == 0, "nobody asks while the result is taken"
        found = acme.suite(begun["id"])
        assert (found["state"], found["open"]) == ("running", 3)
        settle(world)
        assert acme.suite(begun["id"])["open"] == 3, "nobody has spoken yet"
        assert judging.ask_due(seconds=20) == 3, "no judge is asked about a case that failed already"
        settle(world)
    found = acme.suite(begun["id"])
    assert found["state"] == "done"
    assert {each["key"]: each["status"] for each in found["results"]} == {
        "broke": "errored",
        "clear": "failed",
        "good": "passed",
        "poor": "failed",
    }


def test_where_no_judge_can_be_asked_the_case_is_errored_and_says_why(acme: Runner, world: World) -> None:
    make_set(world.acme, a=case(expect=[{"kind": "rubric", "judge": "goal"}]))
    begun = acme.begin()
    claim, cases = acme.claim(begun["id"])
    told = acme.tell(begun["id"], claim, cases[0])
    assert told["state"] == "errored" and "There is no judge 'goal'" in told["detail"]
    assert acme.suite(begun["id"])["state"] == "done"


def test_a_suite_that_waits_for_a_paused_judge_says_so_and_is_over_after_a_day(
    acme: Runner, world: World, client_for: Callable[..., Client]
) -> None:
    judge = rowsof.judge(world.acme, name="goal")
    make_set(world.acme, a=case(expect=[{"kind": "rubric", "judge": "goal"}]))
    suite = acme.begin()["id"]
    claim, cases = acme.claim(suite)
    acme.tell(suite, claim, cases[0])
    url, judge_url = world.acme.url(f"suite-runs/{suite}/"), world.acme.url(f"quality/judges/{judge.id}/")
    ada = client_for(world.ada)

    def page(client: Client = ada) -> str:
        return " ".join(client.get(url).content.decode().split())

    def pause(is_paused: bool = True) -> None:
        with tenant_scope(world.acme.id):
            judging.pause_judge(tenant=world.acme.id, judge=judge.id, is_paused=is_paused, by=OPERATOR, at=clock.now())

    assert "is paused" not in page()
    pause()
    shift(world.acme, "evals_judgement", "planned_at", -timedelta(hours=23))
    assert "goal is paused" in page() and "1 case waits for this judge, the first since <time" in page()
    assert f'href="{judge_url}pause/"' in page() and ada.get(f"{judge_url}pause/").status_code == 200
    audrey = page(client_for(world.audrey))
    assert f'href="{judge_url}"' in audrey and f"{judge_url}pause/" not in audrey
    tasks.settle()
    assert acme.suite(suite)["state"] == "running"
    pause(False)
    shift(world.acme, "evals_judgement", "planned_at", -timedelta(hours=2))
    tasks.settle()
    assert acme.suite(suite)["state"] == "running" and "is paused" not in page(), "who goes on is waited for"
    pause()
    ended = acme.begin()["id"]
    claim, cases = acme.claim(ended)
    acme.tell(ended, claim, cases[0])
    acme.ask("DELETE", f"suite-runs/{ended}")
    tasks.settle()
    found = acme.suite(suite)
    assert (found["state"], found["failed"], found["results"][0]["status"]) == ("done", 1, "errored")
    said = "the judge goal gave no score: it is paused, and the case has waited for 24 hours"
    assert found["results"][0]["runs"][0]["detail"] == said
    assert "is paused</strong>" not in page()
    pause(False)
    assert judging.ask_due(seconds=1) == 0, "nobody asks about what is over"


def test_cases_whose_judge_does_not_speak_keep_no_others_waiting(
    acme: Runner, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "_SETTLED_AT_ONCE", 2)
    for name in ("silent", "quick"):
        rowsof.judge(world.acme, name=name)
        asked = case(expect=[{"kind": "rubric", "judge": name}])
        make_set(world.acme, name, **{f"c{number}": asked for number in range(3)})
        begun = acme.begin(set=name)
        claim, cases = acme.claim(begun["id"])
        for each in cases:
            acme.tell(begun["id"], claim, each)
    with tenant_scope(world.acme.id):
        spoken = Judgement.objects.filter(tenant_id=world.acme.id, judge__name="quick").order_by("id")
        assert spoken.update(state="skipped", code="no_content", ended_at=clock.now()) == 3
        spoken.last().delete()  # it is not kept any more
    settle(world)
    settle(world)
    found = acme.suite(begun["id"])
    assert (found["state"], found["failed"]) == ("done", 3)
    details = {run["detail"] for each in found["results"] for run in each["runs"]}
    assert details == {
        "the judge quick gave no score: no_content",
        "the judge quick gave no score: its judgement is not kept any more",
    }


def test_a_claim_waits_for_whoever_ends_the_suite_and_neither_fails(
    acme: Runner, refunds: EvalSet, world: World
) -> None:
    suite = uuid.UUID(acme.begin()["id"])
    is_locked = threading.Event()
    said: list[str] = []

    def cancel() -> None:
        with tenant_scope(world.acme.id):
            SuiteRun.objects.select_for_update().get(tenant_id=world.acme.id, id=suite)
            is_locked.set()
            waiting.join(0.3)
            said.append("it waits" if waiting.is_alive() else "it went past")
            services.cancel_suite_run(tenant=world.acme.id, suite_run=suite, by=OPERATOR, at=clock.now())
        connection.close()

    def claim() -> None:
        is_locked.wait()
        try:
            with tenant_scope(world.acme.id):
                services.claim_cases(
                    tenant=world.acme.id,
                    suite_run=suite,
                    claim=uuid.uuid4(),
                    most=5,
                    runner=Where.CLIENT,
                    at=clock.now(),
                )
        except Exception as error:
            said.append(type(error).__name__)
        connection.close()

    waiting, ending = threading.Thread(target=claim), threading.Thread(target=cancel)
    for thread in (waiting, ending):
        thread.start()
    for thread in (waiting, ending):
        thread.join()
    assert said == ["it waits", "AlreadyDone"]
    assert acme.suite(str(suite))["state"] == "cancelled"


def settle(world: World) -> None:
    with tenant_scope(world.acme.id):
        services.settle_judged_cases(tenant=world.acme.id, at=clock.now())
