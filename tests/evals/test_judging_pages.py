"""Pages of judging, as people see them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from agentops.common.scope import tenant_scope
from evals.forms.judging import EXAMPLE
from evals.models import Assignment, CheckRules, Judge, JudgeEndpoint
from evals.services import judging
from tests.evals import rowsof
from tests.evals.judgeserver import JudgeServer, Reply, judge_server, verdict
from tests.traces.pages import HTMX, source, statements, words
from tests.world import World

ClientFor = Callable[..., Client]


@pytest.fixture(autouse=True)
def _local_endpoints(settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with judge_server() as running:
        yield running


def test_an_empty_page_says_what_to_do_first(world: World, client_for: ClientFor) -> None:
    client = client_for(world.ada)
    assert "First say where judges are asked" in words(client.get(world.acme.url("quality/judges/")))
    assert "Nothing was judged yet" in words(client.get(world.acme.url("quality/judgements/")))
    told = words(client_for(world.audrey).get(world.acme.url("quality/judges/")))
    assert "An admin of this organisation can make one" in told and "Add an endpoint" not in told


def test_a_judge_is_set_up_from_nothing_by_forms(world: World, client_for: ClientFor, server: JudgeServer) -> None:
    client = client_for(world.ada)
    endpoint = {
        "name": "Main",
        "kind": "openai",
        "base_url": server.url,
        "key": "sk-0123456789abcd",
        "max_in_flight": 4,
    }
    assert client.post(world.acme.url("quality/judges/endpoints/new/"), endpoint).status_code == 302
    made = client.post(world.acme.url("quality/rubrics/new/"), {"name": "Good", "content": EXAMPLE})
    assert made.status_code == 302
    assert "Goal reached" in words(client.get(made["Location"]))
    with tenant_scope(world.acme.id):
        where = JudgeEndpoint.objects.get(tenant_id=world.acme.id)
    new = source(client.get(world.acme.url("quality/judges/new/")))
    version = re.findall(r'<option value="([0-9a-f-]{36})"', new)[0]
    judge = {
        "name": "Helper", "rubric_version": version, "endpoint": str(where.id), "provider": "anthropic", "model": "claude-x",
        "output": "tool", "temperature": "0", "max_output_tokens": "500", "timeout_seconds": "10",
    }  # fmt: skip
    saved = client.post(world.acme.url("quality/judges/new/"), judge)
    assert saved.status_code == 302
    told = words(client.get(saved["Location"]))
    assert "A gate cannot rely on this judge" in told and "claude-x" in told
    line = {"agent": "", "judge_name": "Helper", "percent": "100"}
    assert client.post(world.acme.url("quality/judges/assignments/new/"), line).status_code == 302
    page = source(client.get(world.acme.url("quality/judges/")))
    assert "…abcd" in page and "sk-0123" not in page
    rowsof.runs(world.acme, 1)
    rowsof.facts(world.acme)
    server.behave = lambda number, body: Reply(verdict() | verdict(4, key="tone"))
    assert judging.ask_due(seconds=20) == 1
    assert "Scored 0.92, passed" in words(client.get(world.acme.url("quality/judgements/")))
    assert world.acme.actions() == ["judge_endpoint.saved", "rubric.saved", "judge.saved", "judge.assigned"]


def test_what_is_wrong_stands_at_its_field(world: World, client_for: ClientFor) -> None:
    client = client_for(world.ada)
    answer = client.post(world.acme.url("quality/rubrics/new/"), {"name": "x", "content": "criteria: [{key: A}]"})
    assert answer.status_code == 422 and b"/criteria/0/key" in answer.content
    answer = client.post(world.acme.url("quality/rubrics/new/"), {"name": "x", "content": "a: [1"})
    assert answer.status_code == 422 and b"This is no YAML that can be read" in answer.content
    wrong = {"name": "x", "kind": "openai", "base_url": "http://10.0.0.1/", "max_in_flight": 4}
    answer = client.post(world.acme.url("quality/judges/endpoints/new/"), wrong)
    assert answer.status_code == 422 and b"https://" in answer.content
    answer = client.post(world.acme.url("quality/judges/checks/"), {"words": "", "output_schema": "{"})
    assert answer.status_code == 422 and b"This is no JSON" in answer.content


def test_a_runs_page_says_what_was_said_of_it_with_links_to_the_evidence(
    world: World, client_for: ClientFor, server: JudgeServer
) -> None:
    rowsof.judge(world.acme, url=server.url)
    [run] = rowsof.planned(world.acme, 1, answer="")
    client = client_for(world.ada)
    told = words(client.get(world.acme.url(f"runs/{run}/")))
    assert "Waits for the judge" in told and "Empty answer" in told
    judging.ask_due(seconds=20)
    told = words(client.get(world.acme.url(f"runs/{run}/")))
    assert "goal: pass It did." in told and "1.00" in told


def test_judgements_are_filtered_and_paged(world: World, client_for: ClientFor, server: JudgeServer) -> None:
    rowsof.judge(world.acme, url=server.url)
    rowsof.planned(world.acme, 60)
    client = client_for(world.ada)
    first = source(client.get(world.acme.url("quality/judgements/?state=open")))
    assert first.count("Waits for the judge") == 50
    older = re.search(r'rel="next"\s+href="([^"]+)"', first)
    assert older is not None
    second = source(client.get(older.group(1).replace("&amp;", "&")))
    assert second.count("Waits for the judge") == 10
    assert "No judgement matches" in words(client.get(world.acme.url("quality/judgements/?code=budget"), headers=HTMX))
    assert "No judgement matches" in words(client.get(world.acme.url("quality/judgements/?state=odd")))


def test_pages_cost_the_same_however_much_is_judged(world: World, client_for: ClientFor, server: JudgeServer) -> None:
    rowsof.judge(world.acme, url=server.url)
    client = client_for(world.ada)
    rowsof.planned(world.acme, 2)
    few = statements(client, world.acme.url("quality/judgements/"))
    rowsof.runs(world.acme, 30)
    rowsof.facts(world.acme)
    assert statements(client, world.acme.url("quality/judgements/")) == few


def test_pausing_labelled_runs_and_removal_are_posts(world: World, client_for: ClientFor) -> None:
    judge = rowsof.judge(world.acme)
    line = rowsof.assign(world.acme, "helpfulness", rate=0.1)
    client = client_for(world.ada)
    assert "It judges nothing until it goes on" in words(
        client.get(world.acme.url(f"quality/judges/{judge.id}/pause/"))
    )
    client.post(world.acme.url(f"quality/judges/{judge.id}/pause/"), {"action": "pause"})
    assert "Let it go on" in words(client.get(world.acme.url(f"quality/judges/{judge.id}/")))
    client.post(world.acme.url(f"quality/judges/{judge.id}/labelled/"))
    removal = world.acme.url(f"quality/judges/assignments/{line.id}/removal/")
    assert "judges no more runs of all other agents" in words(client.get(removal))
    client.post(removal)
    assert client.post(removal).status_code == 404
    with tenant_scope(world.acme.id):
        assert not Assignment.objects.exists() and Judge.objects.get().state == "paused"


def test_rules_of_checks_are_set_and_shown(world: World, client_for: ClientFor) -> None:
    client = client_for(world.ada)
    client.post(
        world.acme.url("quality/judges/checks/"),
        {"agent": "", "words": "cheap\n\nno brainer", "output_schema": '{"type": "object"}'},
    )
    with tenant_scope(world.acme.id):
        assert CheckRules.objects.get().words == ["cheap", "no brainer"]
    assert "Held to a schema" in words(client.get(world.acme.url("quality/judges/")))
    assert "no brainer" in words(client.get(world.acme.url("quality/judges/checks/")))


def test_a_rubrics_page_shows_what_a_version_changed(world: World, client_for: ClientFor) -> None:
    client = client_for(world.ada)
    client.post(world.acme.url("quality/rubrics/new/"), {"name": "Good", "content": EXAMPLE})
    made = client.post(
        world.acme.url("quality/rubrics/new/"), {"name": "Good", "content": EXAMPLE.replace("0.7", "0.9"), "note": "stricter"}
    )  # fmt: skip
    page = client.get(made["Location"])
    assert "stricter" in words(page) and "<ins>+   &quot;pass_at&quot;: 0.9</ins>" in source(page)


def test_strangers_find_nothing(world: World, client_for: ClientFor) -> None:
    judge = rowsof.judge(world.acme)
    assert client_for(world.cleo).get(world.acme.url("quality/judges/")).status_code == 404
    assert client_for(world.cleo).get(world.globex.url(f"quality/judges/{judge.id}/")).status_code == 404
    assert client_for(world.audrey).post(world.acme.url(f"quality/judges/{judge.id}/pause/")).status_code == 403
