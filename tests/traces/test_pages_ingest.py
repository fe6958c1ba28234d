"""The health of ingest, dead letters, and the same pages as staff see them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from django.test import Client

from agentops.common.scope import tenant_scope
from agentops.traces.models import DeadLetter
from tests.traces import stories
from tests.traces.pages import send, source, statements, words
from tests.world import World

Clients = Callable[..., Client]


def letters(world: World) -> list[DeadLetter]:
    with tenant_scope(world.acme.id):
        return list(DeadLetter.objects.filter(tenant_id=world.acme.id, state="new").order_by("id"))


def test_the_page_tells_what_came_what_was_refused_and_what_has_no_price(world: World, client_for: Clients) -> None:
    send(world.acme, stories.refund("a"), stories.failing("f"))
    send(world.acme, stories.refund("a"), stories.refused("bad"))
    response = client_for(world.ada).get(world.acme.url("ingest/"))
    said = words(response)
    assert "Accepted 11 spans" in said and "Sent twice 8" in said and "Refused 3 3 dead letters wait" in said
    assert "house-model-7b of in-house: 1 call in 7 days" in said
    assert "kind must be one of run" in said and "As it came" in said


def test_calls_without_a_price_say_whether_their_model_has_one(world: World, client_for: Clients) -> None:
    def call(seed: str, model: str, **tokens: int) -> list[stories.Span]:
        story = stories.Story(seed)
        story.add("chat", "llm", parent=None, start=0, length=9, provider="openai", model=model, **tokens)
        return story.spans

    send(world.acme, call("a", "gpt-4o-2024-08-06", input_tokens=5, output_tokens=5))
    send(world.acme, *(call(f"b{n}", f"house-{n:02}", input_tokens=5) for n in range(22)))
    said = words(client_for(world.ada).get(world.acme.url("ingest/")))
    assert "house-07 of openai: 1 call in 7 days house-08" in said, "nothing more where there is no price"
    assert "and 2 more models" in said and "gpt-4o" not in said
    send(world.acme, *(call(f"c{n}", "gpt-4o-2024-08-06") for n in range(3)))
    said = words(client_for(world.ada).get(world.acme.url("ingest/")))
    assert "gpt-4o-2024-08-06 of openai: 3 calls in 7 days. The model has a price; these calls named no tokens" in said


def test_the_chart_is_the_whole_hour_in_bars_of_one_minute(world: World, client_for: Clients) -> None:
    send(world.acme, stories.refund("a"))
    page = source(client_for(world.ada).get(world.acme.url("ingest/")))
    figure = json.loads(re.search(r'<script id="rate-figure" type="application/json">(.*?)</script>', page)[1])  # type: ignore[index]
    begin, end = figure["layout"]["xaxis"]["range"]
    assert begin < figure["data"][0]["x"][0] < end and len(figure["data"][0]["x"]) == 1
    assert figure["data"][0]["width"] < 60_000


def test_chosen_letters_are_replayed_or_discarded_and_the_others_stay(world: World, client_for: Clients) -> None:
    send(world.acme, stories.refused("bad"))
    client, address = client_for(world.ada), world.acme.url("ingest/dead-letters/")
    first, second, _ = letters(world)
    answer = client.post(address, {"letter": [str(first.id)], "action": "discard"}, follow=True)
    assert "1 discarded." in words(answer)
    answer = client.post(address, {"letter": [str(second.id)], "action": "replay"}, follow=True)
    assert "0 of 1 taken in. They are refused again, and stay here." in words(answer)
    assert len(letters(world)) == 2
    assert "Choose at least one" in words(client.post(address, {"action": "discard"}, follow=True))
    assert client.post(address, {"letter": ["x"], "action": "discard"}).status_code == 400


def test_older_letters_are_a_page_away(world: World, client_for: Clients) -> None:
    for n in range(9):
        send(world.acme, stories.refused(f"bad {n}"))
    client = client_for(world.ada)
    first = source(client.get(world.acme.url("ingest/")))
    older = re.search(r'rel="next"\s+href="([^"]+)"', first)
    assert older and first.count('name="letter"') == 25
    second = source(client.get(older[1]))
    assert second.count('name="letter"') == 2 and "Newest" in second


def test_an_auditor_looks_and_is_offered_no_form(world: World, client_for: Clients) -> None:
    send(world.acme, stories.refused("bad"))
    page = source(client_for(world.audrey).get(world.acme.url("ingest/")))
    assert "kind must be one of run" in page and 'name="letter"' not in page and "Discard" not in page


def test_nothing_received_says_what_to_set(world: World, client_for: Clients) -> None:
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in words(client_for(world.ada).get(world.acme.url("ingest/")))


def test_the_page_takes_as_many_statements_for_many_letters_as_for_few(world: World, client_for: Clients) -> None:
    client, address = client_for(world.ada), world.acme.url("ingest/")
    send(world.acme, stories.refused("bad"))
    few = statements(client, address)
    for n in range(5):
        send(world.acme, stories.refused(f"bad {n}"), stories.failing(f"f {n}"))
    assert statements(client, address) == few <= 20


# -- staff ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def both(world: World) -> World:
    send(world.acme, stories.refund("a"), stories.refused("bad"))
    send(world.globex, stories.failing("g"))
    return world


def test_staff_see_the_newest_runs_of_all_with_their_organisations(both: World, client_for: Clients) -> None:
    response = client_for(both.sam).get("/staff/runs/")
    assert "Acme" in words(response) and "Globex" in words(response)
    assert f'href="/staff/t/globex/runs/{stories.run_id("g")}/"' in source(response)


def test_staffs_search_finds_a_run_by_its_id_and_else_leads_to_where_to_look(both: World, client_for: Clients) -> None:
    client = client_for(both.sam)
    found = source(client.get(f"/staff/runs/?q={stories.run_id('a')}"))
    assert f'href="/staff/t/acme/runs/{stories.run_id("a")}/"' in found
    led = source(client.get("/staff/runs/?q=ord_8812"))
    assert 'href="/staff/t/acme/runs/?q=ord_8812"' in led
    inside = client.get("/staff/t/acme/runs/?q=ord_8812")
    assert "refund-desk" in words(inside) and 'action="/staff/t/acme/runs/"' in source(inside)


@pytest.mark.parametrize("rest", ["runs/", "ingest/", f"runs/{stories.run_id('a')}/"])
def test_staff_look_at_an_organisations_pages_without_its_forms(both: World, client_for: Clients, rest: str) -> None:
    page = source(client_for(both.sam).get(f"/staff/t/acme/{rest}"))
    inside = page.split("<main", 1)[1]
    assert 'method="post"' not in inside and "/t/acme/searches" not in inside
    assert not re.search(r'href="/t/acme/', inside)


def test_staff_see_the_ingest_of_all(both: World, client_for: Clients) -> None:
    response = client_for(both.sam).get("/staff/ingest/")
    assert re.search(r"Acme 8 0 3 .* Globex 3 0 0", words(response))
    assert 'href="/staff/t/acme/ingest/"' in source(response)


@pytest.mark.parametrize("path", ["/staff/runs/", "/staff/ingest/", "/staff/runs/?q=x"])
def test_staffs_lists_take_the_same_statements_for_many_organisations(
    both: World, client_for: Clients, path: str
) -> None:
    assert statements(client_for(both.sam), path) <= 10
