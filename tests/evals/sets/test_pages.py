"""Pages of eval sets, suites and replays: what people see, change, and are refused."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from agentops.common import clock
from agentops.common.scope import tenant_scope
from evals.models import AgentEndpoint
from evals.sets import files
from tests.evals.sets.made import case, make_set, replace
from tests.evals.sets.runner import Runner
from tests.world import Organisation, World


@pytest.fixture
def ada(world: World, client_for: Callable[..., Client]) -> Client:
    return client_for(world.ada)


def text(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status, answer.content[:500]
    return " ".join(answer.content.decode().split())


def send_run(organisation: Organisation, spans: list[dict[str, Any]]) -> str:
    run_id, at = uuid.uuid4().hex, clock.now() - timedelta(minutes=1)
    base = {"trace_id": run_id, "started_at": at.isoformat(), "ended_at": clock.now().isoformat(), "agent": "desk"}
    sent = [{**base, "span_id": f"{place:016x}", "name": "x", **span} for place, span in enumerate(spans, start=1)]
    answer = Client().post(
        "/api/v1/traces",
        json.dumps({"spans": sent}),
        content_type="application/json",
        headers={"authorization": f"Bearer {organisation.keys['ingest']}"},
    )
    assert answer.json()["rejected"] == []
    return run_id


def refund_run(world: World, *, of: Organisation | None = None) -> str:
    call = {"kind": "tool", "parent_span_id": f"{1:016x}", "tool": "refund", "arguments": {"id": "ord_1"}}
    return send_run(
        of or world.acme,
        [
            {"kind": "run", "input": "Refund ord_1, please", "output": "Refunded."},
            {**call, "result": "ok"},
            {**call, "result": "ok"},
            {**call, "status": "error", "error_type": "timeout"},
        ],
    )


def test_a_set_is_made_and_a_name_that_is_none_is_refused_at_its_field(ada: Client, world: World) -> None:
    url = world.acme.url("eval-sets/")
    assert "No eval set yet" in text(ada.get(url))
    refused = text(ada.post(url, {"name": "No good", "description": ""}), 400)
    assert "1 to 100 of a-z" in refused
    assert ada.post(url, {"name": "refunds", "description": "About money"}).url == world.acme.url("eval-sets/refunds/")
    assert "already" in text(ada.post(url, {"name": "refunds", "description": ""}), 400)
    assert "No case here yet" in text(ada.get(world.acme.url("eval-sets/refunds/")))


def test_a_set_says_what_it_covers_and_what_it_does_not(ada: Client, world: World) -> None:
    make_set(world.acme, good=case(tags=["money"]), other=case(title="Other", tools=None))
    page = text(ada.get(world.acme.url("eval-sets/refunds/")))
    assert "look_up_order" in page and "recorded in 1, expected in 0" in page
    assert "none: record a call with an error" in page
    tagged = text(ada.get(world.acme.url("eval-sets/refunds/?tag=money")))
    assert "A refund" in tagged and ">Other<" not in tagged


def test_a_case_is_changed_as_yaml_and_each_problem_is_told_with_its_place(ada: Client, world: World) -> None:
    made = make_set(world.acme, good=case())
    url = world.acme.url("eval-sets/refunds/cases/good/")
    assert "It says" in text(ada.get(url))
    said = {"text": "title: x\ninput: y\nexpect: [{kind: like}]", "replaces": case().digest, "note": ""}
    assert "/expect/0/kind: one of exact" in text(ada.post(url, said), 400)
    changed = files.write_text(case(title="Changed"))
    assert ada.post(url, {**said, "text": changed.replace("\n", "\r\n")}).status_code == 302
    assert "somebody else changed this case" in text(
        ada.post(url, {**said, "text": files.write_text(case(title="Late"))}), 400
    )
    page = text(ada.get(url))
    assert "Changed" in page and "What changed" in page
    replace(world.acme, made.id, {"good": case(), "more": case(title="More")})
    compared = text(ada.get(world.acme.url("eval-sets/refunds/?from=1&to=3")))
    assert "1 added, 0 changed, 0 removed" in compared
    compared = text(ada.get(world.acme.url("eval-sets/refunds/?from=1&to=2")))
    assert "0 added, 1 changed" in compared
    found = ada.get(
        world.acme.url(
            f"eval-sets/refunds/cases/good/difference/?before={case().digest}&after={case(title='Changed').digest}"
        )
    )
    assert "<ins>" in text(found)


def test_a_run_becomes_a_case_with_its_calls_recorded(ada: Client, world: World) -> None:
    run_id = refund_run(world)
    url = world.acme.url(f"eval-cases/new/?run={run_id}")
    assert "No eval set yet" in text(ada.get(url))
    make_set(world.acme)
    page = text(ada.get(url))
    assert "Refund ord_1, please" in page and "times: 2" in page and "type: timeout" in page
    assert f"run-{run_id[:12]}" in page
    draft = ada.get(url).context["form"].initial
    said = {"eval_set": "refunds", "key": draft["key"], "text": draft["text"], "note": "it went wrong", "replaces": ""}
    assert ada.post(url, said).url == world.acme.url(f"eval-sets/refunds/cases/{draft['key']}/")
    assert "from a run" in text(ada.get(world.acme.url(f"eval-sets/refunds/cases/{draft['key']}/")))
    assert "take another key" in text(ada.post(url, said), 400)
    assert ada.get(world.acme.url("eval-cases/new/?run=" + "0" * 32)).status_code == 404
    assert ada.get(world.acme.url("eval-cases/new/?run=x&item=y")).status_code == 404
    assert "a.yaml" not in page and "Make a case" in text(ada.get(world.acme.url(f"runs/{run_id}/")))


def test_a_case_is_left_out_after_a_question(ada: Client, world: World) -> None:
    make_set(world.acme, good=case(), other=case(title="Other"))
    url = world.acme.url("eval-sets/refunds/cases/good/removal/")
    assert "is not run from the next revision on" in text(ada.get(url))
    assert ada.post(url).status_code == 302
    assert ada.get(world.acme.url("eval-sets/refunds/cases/good/")).status_code == 404
    assert ada.get(url).status_code == 404


def test_a_suite_run_shows_each_case_each_repeat_and_why(ada: Client, world: World) -> None:
    make_set(world.acme, good=case(), poor=case(title="Poor"))
    acme = Runner(world.acme)
    assert "No suite was run yet" in text(ada.get(world.acme.url("suite-runs/")))
    begun = acme.begin(repeats=2)
    url = world.acme.url(f"suite-runs/{begun['id']}/")
    assert "0 of 4" in text(ada.get(url))
    claim, cases = acme.claim(begun["id"])
    step = {"kind": "tool", "tool": "refund", "arguments": {"id": "<b>"}, "result": "ok", "recorded": True}
    for each in cases:
        acme.tell(begun["id"], claim, each, output="no" if each["key"] == "poor" else "refunded", steps=[step])
    page = text(ada.get(url))
    assert "1 of 2" in page and "It does not say “refund”" in page
    only = text(ada.get(url + "?status=passed"))
    assert "A refund" in only and ">Poor<" not in only
    poor = next(each["case_run"] for each in cases if each["key"] == "poor")
    detail = text(ada.get(f"{url}{poor}/"))
    assert "It does not say" in detail and "&lt;b&gt;" in detail and "<b>&quot;" not in detail
    assert "on desk" in text(ada.get(world.acme.url("suite-runs/")))
    assert "No suite run is like this" in text(ada.get(world.acme.url("suite-runs/?agent=other")))


def test_a_suite_run_is_ended_by_those_who_may(ada: Client, world: World, client_for: Callable[..., Client]) -> None:
    make_set(world.acme, good=case())
    begun = Runner(world.acme).begin()
    url = world.acme.url(f"suite-runs/{begun['id']}/")
    assert client_for(world.audrey).get(url).status_code == 200
    assert client_for(world.audrey).post(url).status_code == 403
    assert ada.post(url).status_code == 302
    assert "Cancelled" in text(ada.get(url))


@pytest.mark.parametrize("rest", ["eval-sets/", "eval-sets/refunds/", "eval-sets/refunds/cases/good/", "suite-runs/"])
def test_an_auditor_reads_and_changes_nothing(world: World, client_for: Callable[..., Client], rest: str) -> None:
    make_set(world.acme, good=case())
    audrey = client_for(world.audrey)
    page = text(audrey.get(world.acme.url(rest)))
    assert "Save as the next revision" not in page and "Make it" not in page and "Put it away" not in page
    assert audrey.post(world.acme.url(rest), {"name": "x", "text": "x"}).status_code == 403
    assert world.acme.actions() == ["eval_set.created", "eval_set.changed"]


def test_an_address_is_set_its_secret_shown_once_and_an_inner_one_is_refused(ada: Client, world: World) -> None:
    url = world.acme.url("suite-endpoints/")
    said = {"agent": "desk", "url": "https://agent.example/evals", "timeout_seconds": 60, "max_in_flight": 2}
    page = text(ada.post(url, said))
    assert "whsec_" in page and "It is shown once" in page
    assert page.count("whsec_") > text(ada.get(url)).count("whsec_")
    with tenant_scope(world.acme.id):
        AgentEndpoint.objects.filter(tenant_id=world.acme.id).update(paused_until=clock.now() + timedelta(minutes=1))
    assert "it asked for patience" in text(ada.get(url))
    assert "it asked for patience" not in text(ada.post(url, said)), "whoever sets it wants it to be tried"
    for address in ("http://agent.example/", "ftp://x", "https://u:p@agent.example/", "nothing"):
        refused = text(ada.post(url, {**said, "url": address}), 400)
        assert "https" in refused and 'class="error"' in refused
    assert ada.post(url, {"remove": "desk"}).status_code == 302
    assert world.acme.actions() == ["agent_endpoint.set", "agent_endpoint.set", "agent_endpoint.removed"]


def test_a_replay_stands_beside_its_run_with_the_first_difference_marked(ada: Client, world: World) -> None:
    run_id = refund_run(world)
    url = world.acme.url(f"runs/{run_id}/replays/")
    assert run_id in text(ada.get(url))
    place = ada.post(url).url
    assert "It waits for the agent" in text(ada.get(place))
    steps = [
        {"kind": "tool", "tool": "refund", "arguments": {"id": "ord_1"}, "result": "ok"},
        {"kind": "tool", "tool": "refund", "arguments": {"id": "ord_2"}, "result": "ok"},
    ]
    replay = place.rstrip("/").split("/")[-1]
    Runner(world.acme).ask("POST", f"replays/{replay}/result", {"steps": steps, "output": "Refunded.", "usage": {}})
    page = text(ada.get(place))
    assert page.count("First to differ") == 1 and "Differs" in page and "No such step" in page
    assert "Replays of this run" in text(ada.get(url))


def test_strangers_find_nothing_of_it(world: World, client_for: Callable[..., Client]) -> None:
    make_set(world.acme, good=case())
    begun = Runner(world.acme).begin()
    cleo = client_for(world.cleo)
    for rest in ("eval-sets/refunds/", "eval-sets/refunds/cases/good/", f"suite-runs/{begun['id']}/"):
        assert cleo.get(world.globex.url(rest)).status_code == 404
        assert cleo.get(world.acme.url(rest)).status_code == 404
