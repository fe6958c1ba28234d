"""The list of runs: filters in the URL, pages, counts, saved searches, and what it says when there is nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from agentops.traces.queries import runs as reading
from tests.traces import stories
from tests.traces.pages import HTMX, send, source, statements, words
from tests.world import World

Clients = Callable[..., Client]


def ago(**time: float) -> datetime:
    return datetime.now(UTC) - timedelta(**time)


@pytest.fixture
def runs(world: World) -> str:
    """The address of a list with three runs."""
    send(
        world.acme,
        stories.refund("one", at=ago(minutes=1), order="ord_1111", user="mia"),
        stories.failing("two", at=ago(minutes=2)),
        stories.partly_priced("three", at=ago(days=2)),
    )
    return world.acme.url("runs/")


def shown(page: str) -> list[str]:
    """The agents of the rows, in their order."""
    return re.findall(r'class="row-link"[^>]*>\s*([\w-]+)', page)


def test_runs_stand_newest_first_with_what_they_cost_and_what_went_wrong(
    world: World, client_for: Clients, runs: str
) -> None:
    response = client_for(world.ada).get(runs)
    assert shown(source(response)) == ["refund-desk", "billing-bot", "triage"]
    said = words(response)
    assert "TimeoutError" in said and "no price" in said and "+?" in said
    assert "My order ord_1111 arrived broken" in said and "lena@example.com" not in said
    assert "2 model, 1 tool call" in said


@pytest.mark.parametrize(
    ("query", "agents"),
    [
        ("agent=refund-desk", ["refund-desk"]),
        ("status=error", ["billing-bot"]),
        ("from=24h", ["refund-desk", "billing-bot"]),
        ("to=24h", ["triage"]),
        ("tool=find_order&user=mia", ["refund-desk"]),
        ("model=house-model-7b", ["billing-bot", "triage"]),
        ("error_type=TimeoutError", ["billing-bot"]),
        ("q=ORD_1111", ["refund-desk"]),
        ("agent=nobody", []),
    ],
)
def test_a_filter_finds_its_runs_and_shows_as_a_chip(
    world: World, client_for: Clients, runs: str, query: str, agents: list[str]
) -> None:
    page = source(client_for(world.ada).get(f"{runs}?{query}"))
    assert shown(page) == agents
    assert page.count('class="chip"') == query.count("=")
    assert "Save this search" in page or not agents


def test_a_chip_takes_its_filter_away_and_keeps_the_others(world: World, client_for: Clients, runs: str) -> None:
    page = source(client_for(world.ada).get(f"{runs}?agent=triage&user=mia"))
    assert f'href="{runs}?user=mia"' in page and f'href="{runs}?agent=triage"' in page


def test_htmx_gets_the_results_alone(world: World, client_for: Clients, runs: str) -> None:
    client = client_for(world.ada)
    fragment, page = client.get(runs, headers=HTMX), client.get(runs)
    assert source(fragment).lstrip().startswith('<section id="results"')
    assert "<!DOCTYPE html>" in source(page)
    assert "HX-Request" in fragment["Vary"] and "HX-Request" in page["Vary"]


def test_what_is_wrong_with_a_search_is_said_by_the_filters_label(world: World, client_for: Clients, runs: str) -> None:
    said = words(client_for(world.ada).get(f"{runs}?status=odd&min_cost_usd=lots&colour=red"))
    assert "This search cannot be run" in said
    assert "Status is one of running, ok, error" in said and "Cost at least is an amount" in said and "colour" in said


def test_pages_follow_by_cursor_and_the_first_is_one_click_away(world: World, client_for: Clients) -> None:
    send(world.acme, *(stories.partly_priced(f"run {n}", at=ago(minutes=n)) for n in range(60)))
    client, address = client_for(world.ada), world.acme.url("runs/")
    first = source(client.get(f"{address}?agent=triage"))
    older = re.search(r'rel="next"\s+href="([^"]+)"', first)
    assert older and len(shown(first)) == 50
    second = source(client.get(older[1].replace("&amp;", "&")))
    assert len(shown(second)) == 10
    assert f'href="{address}?agent=triage"' in second and 'rel="next"' not in second


def test_the_count_ends_where_nobody_counts_further(
    world: World, client_for: Clients, runs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_for(world.ada)
    assert words(client.get(f"{runs}count/")) == "3 runs"
    assert words(client.get(f"{runs}count/?agent=triage")) == "1 run"
    monkeypatch.setattr(reading, "COUNT_MOST", 2)
    monkeypatch.setattr("agentops.traces.queries.COUNT_MOST", 2)
    assert words(client.get(f"{runs}count/")) == "2+ runs"


def test_a_text_search_says_how_far_back_it_looked_and_goes_on(
    world: World, client_for: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "TEXT_BUDGET_SECONDS", 0)
    monkeypatch.setattr(reading, "TEXT_CHUNK_RUNS", 2)
    send(world.acme, *(stories.partly_priced(f"run {n}", at=ago(minutes=n)) for n in range(3)))
    send(world.acme, stories.refund("old", at=ago(minutes=30), order="ord_needle"))
    client = client_for(world.ada)
    first = client.get(world.acme.url("runs/?q=needle"))
    assert "No run matches so far" in words(first) and "Looked back to" in words(first)
    further = re.search(r'href="([^"]+cursor=[^"]+)"[^>]*>\s*Look further back', source(first))
    assert further
    assert shown(source(client.get(further[1].replace("&amp;", "&")))) == ["refund-desk"]


def test_an_organisation_without_runs_is_told_the_lines_to_set(world: World, client_for: Clients) -> None:
    address = world.acme.url("runs/")
    said = words(client_for(world.ada).get(address))
    for line in (
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://testserver",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "OTEL_EXPORTER_OTLP_HEADERS",
    ):
        assert line in said
    assert f'href="{world.acme.url("keys/new/")}"' in source(client_for(world.ada).get(address))
    assert world.acme.url("keys/new/") not in source(client_for(world.audrey).get(address))


def test_the_empty_page_asks_again_until_the_first_run_has_come(world: World, client_for: Clients) -> None:
    client, address = client_for(world.ada), world.acme.url("runs/")
    asking = {**HTMX, "HX-Trigger": "waiting"}
    assert client.get(address, headers=asking).status_code == 204
    send(world.acme, stories.refund("first"))
    assert client.get(address, headers=asking)["HX-Refresh"] == "true"
    assert "HX-Refresh" not in client.get(address, headers=HTMX)


def test_the_list_takes_as_many_statements_for_fifty_runs_as_for_three(
    world: World, client_for: Clients, runs: str
) -> None:
    client = client_for(world.ada)
    few = statements(client, f"{runs}?from=30d")
    send(world.acme, *(stories.refund(f"more {n}", at=ago(minutes=n + 5)) for n in range(60)))
    assert statements(client, f"{runs}?from=30d") == few <= 14


# -- saved searches ---------------------------------------------------------------------------------------------------


def test_a_search_is_saved_under_a_name_shared_and_deleted(world: World, client_for: Clients, runs: str) -> None:
    ada, audrey, searches = client_for(world.ada), client_for(world.audrey), world.acme.url("searches/")
    saved = ada.post(searches, {"name": "Failed", "query": "status=error&from=7d"})
    assert saved["Location"] == f"{runs}?status=error&from=7d"
    page = ada.get(searches)
    assert "Status Error , Since Last 7 days" in words(page)
    [item] = set(re.findall(r'action="([^"]+searches/[0-9a-f-]{36}/)"', source(page)))
    assert "Failed" not in words(audrey.get(searches))
    ada.post(item, {"action": "share", "with": world.audrey.user.pk})
    assert "shared with Audrey Kim" in words(ada.get(searches))
    seen = audrey.get(searches)
    assert "Failed" in words(seen) and "Ada Lovell" in words(seen) and item not in source(seen)
    assert "Failed" in words(audrey.get(runs))
    assert audrey.post(item, {"action": "delete"}).status_code == 403
    ada.post(item, {"action": "delete"})
    assert "Failed" not in words(audrey.get(searches))
    done = [action for action in world.acme.actions() if not action.endswith(".observed")]
    assert done == ["search.saved", "search.shared", "search.deleted"]


@pytest.mark.parametrize("name", ["Failed", "", "x" * 81])
def test_a_search_that_cannot_be_saved_leaves_the_person_where_they_were(
    world: World, client_for: Clients, runs: str, name: str
) -> None:
    client, searches = client_for(world.ada), world.acme.url("searches/")
    client.post(searches, {"name": "Failed", "query": "status=error"})
    answer = client.post(searches, {"name": name, "query": "agent=triage"}, follow=True)
    assert answer.redirect_chain == [(f"{runs}?agent=triage", 302)]
    assert "Not saved." in words(answer) and shown(source(answer)) == ["triage"]


# -- the overview -----------------------------------------------------------------------------------------------------


def test_the_overview_tells_runs_failures_and_spend_of_a_day(world: World, client_for: Clients, runs: str) -> None:
    said = words(client_for(world.ada).get(world.acme.url()))
    assert "Runs 2 Failed 1 50 % of the runs Spent $0.0085 3 model calls Calls without a price 1" in said
    assert "Runs that failed" in said and "Newest runs" in said


def test_the_overview_of_an_organisation_without_runs_says_how_to_begin(world: World, client_for: Clients) -> None:
    assert "There is a key, but no agent has sent a trace with it." in words(
        client_for(world.ada).get(world.acme.url())
    )
