"""One run and its spans: what is shown of ordinary, broken, enormous and hostile runs."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from tests.traces import stories
from tests.traces.pages import HTMX, finish, send, send_evaluation, source, statements, words
from tests.world import World

Clients = Callable[..., Client]


def names(page: str) -> list[str]:
    """The spans of the timeline, in their order."""
    return [" ".join(name.split()) for name in re.findall(r'class="span-name"[^>]*>([^<]*)</a>', page)]


def depths(page: str) -> list[int]:
    return [int(depth) for depth in re.findall(r'class="span-row [^>]*data-depth="(\d+)"', page)]


def run_url(world: World, seed: str, rest: str = "") -> str:
    return world.acme.url(f"runs/{stories.run_id(seed)}/{rest}")


def span_url(world: World, seed: str, name: str) -> str:
    return run_url(world, seed, f"spans/{stories.span_id(seed, name)}/")


# -- ordinary runs ----------------------------------------------------------------------------------------------------


def test_a_run_tells_whose_it_was_what_it_did_and_what_it_cost(world: World, client_for: Clients) -> None:
    send(world.acme, stories.refund("a"), stories.refund("b"))
    response = client_for(world.ada).get(run_url(world, "a"))
    said = words(response)
    assert "Version 2026.11.1 For user-462 Session session-a Environment production" in said
    assert "Took 4.3 s" in said and "Model calls 2" in said and "3,097 in, 512 of them cached, 137 out" in said
    assert "values masked before storage" in said and "lena@example.com" not in said
    assert "Other runs with the same prompt" in said and stories.run_id("b") in source(response)
    assert names(source(response)) == [
        "invoke_agent refund-desk", "chat gpt-4o-2024-08-06", "find_order", "SELECT orders", "search policies",
        "guard: tier 3", "refund_payment", "chat gpt-4o-2024-08-06",
    ]  # fmt: skip
    assert depths(source(response)) == [0, 1, 1, 2, 1, 1, 1, 1]


def test_a_model_calls_messages_read_as_a_conversation(world: World, client_for: Clients) -> None:
    send(world.acme, stories.refund("a"))
    response = client_for(world.ada).get(span_url(world, "a", f"chat {stories.MODEL}"))
    said = words(response)
    assert "User My order ord_8812 arrived broken" in said
    assert "Assistant Reasoning" in said and "Let me look at that order." in said and "Asks for find_order" in said
    assert "System prompt" in said and "You are the refund desk of a shop." in said
    assert "Tokens in 1,204 (512 cached)" in said and "First token 210 ms" in said
    assert '<mark class="masked"' in source(response)


def test_a_span_leads_to_runs_that_share_its_hashes(world: World, client_for: Clients) -> None:
    send(world.acme, stories.refund("a"))
    client = client_for(world.ada)
    page = source(client.get(span_url(world, "a", f"chat {stories.MODEL}")))
    for name in ("prompt_hash", "tool_definitions_hash", "model"):
        found = re.search(rf'href="([^"]+\?{name}=[^"]+)"', page)
        assert found and "refund-desk" in words(client.get(found[1])), name


def test_a_tool_calls_arguments_and_result_are_shown(world: World, client_for: Clients) -> None:
    send(world.acme, stories.refund("a"))
    said = words(client_for(world.ada).get(span_url(world, "a", "refund_payment")))
    assert 'Arguments { "order": "ord_8812"' in said and '"state": "succeeded"' in said
    assert "payments re_3917" in said and "Idempotency key refund-ord_8812" in said


def test_an_error_stands_first_and_uncaptured_content_is_said(world: World, client_for: Clients) -> None:
    send(world.acme, stories.failing("f"))
    client = client_for(world.ada)
    said = words(client.get(span_url(world, "f", "charge_card")))
    assert "TimeoutError POST https://pay.example/charges: no answer after 5.0 s (3 tries) Took" in said
    assert "4111" not in said
    said = words(client.get(span_url(world, "f", "chat house-model")))
    assert "Content not captured" in said and "Cost no price" in said
    said = words(client.get(run_url(world, "f")))
    assert "Cost no price none of its calls has a price" in said and "Errors 2 TimeoutError" in said


def test_a_cost_that_leaves_calls_out_says_so_and_a_floating_model_is_noted(world: World, client_for: Clients) -> None:
    send(world.acme, stories.partly_priced("p"))
    said = words(client_for(world.ada).get(run_url(world, "p")))
    assert "without 1 of 3 calls that have no price" in said
    assert "A model was asked for without an exact version" in said


def test_evaluations_that_came_as_logs_stand_on_their_span(world: World, client_for: Clients) -> None:
    send(world.acme, stories.refund("a"))
    send_evaluation(
        world.acme, stories.run_id("a"), stories.span_id("a", "final answer"),
        name="faithfulness", score__value=0.92, score__label="pass", explanation="The amount matches.",
    )  # fmt: skip
    client = client_for(world.ada)
    said = words(client.get(span_url(world, "a", "final answer")))
    assert "Evaluations faithfulness pass 0.92 The amount matches." in said
    assert "Evaluations" not in words(client.get(span_url(world, "a", "find_order")))


def test_a_span_opens_beside_the_timeline_as_a_page_and_by_the_runs_address(world: World, client_for: Clients) -> None:
    send(world.acme, stories.refund("a"))
    client, address = client_for(world.ada), span_url(world, "a", "find_order")
    fragment, page = client.get(address, headers=HTMX), client.get(address)
    assert "<!DOCTYPE" not in source(fragment) and source(fragment).count("<article") == 1
    assert "Inside of Run invoke_agent refund-desk" in words(page)
    assert "Inside it Other SELECT orders" in words(page)
    chosen = source(client.get(run_url(world, "a", f"?span={stories.span_id('a', 'find_order')}")))
    assert re.search(r'aria-current="true"[^>]*>\s*find_order', chosen)


@pytest.mark.parametrize(
    "rest", ["", "spans/00000000000000ff/", "?span=00000000000000ff", "children/?of=zz", "?span=zz"]
)
def test_what_is_not_there_is_not_found(world: World, client_for: Clients, rest: str) -> None:
    send(world.acme, stories.refund("a"))
    seed = "a" if rest else "nowhere"
    assert client_for(world.ada).get(run_url(world, seed, rest)).status_code == 404


# -- broken and hostile runs ------------------------------------------------------------------------------------------


def test_spans_whose_parent_never_came_are_shown_with_what_is_inside_them(world: World, client_for: Clients) -> None:
    send(world.acme, stories.orphaned("o"))
    client = client_for(world.ada)
    response = client.get(run_url(world, "o"))
    assert names(source(response)) == ["plan", "write report", "upload"]
    assert depths(source(response)) == [0, 0, 1]
    assert "The parents of these spans have not come" in words(response) and "Running" in words(response)
    finish(world.acme)
    assert "OK" in words(client.get(run_url(world, "o")))


def test_orphans_beside_a_root_are_not_left_out(world: World, client_for: Clients) -> None:
    send(world.acme, stories.refund("a")[:2])
    lost = stories.refund("a")[3]  # its parent find_order is not sent
    send(world.acme, [lost])
    response = client_for(world.ada).get(run_url(world, "a"))
    assert names(source(response))[-1] == "SELECT orders"
    assert "The parents of these spans have not come" in words(response)


def test_spans_inside_each_other_are_shown_flat(world: World, client_for: Clients) -> None:
    send(world.acme, stories.circular("c"))
    response = client_for(world.ada).get(run_url(world, "c"))
    assert sorted(names(source(response))) == ["chicken", "egg", "feather"]
    assert "These spans claim to be inside each other" in words(response)


def test_deep_nesting_folds_by_its_true_depth_and_is_drawn_no_deeper_than_a_screen(
    world: World, client_for: Clients
) -> None:
    send(world.acme, stories.deep("d", levels=30))
    page = source(client_for(world.ada).get(run_url(world, "d")))
    assert depths(page) == list(range(30))
    assert "depth-12" in page and "depth-13" not in page


def test_names_of_strangers_are_text_and_turn_nothing_around(world: World, client_for: Clients) -> None:
    send(world.acme, stories.odd_texts("t"))
    for address in (run_url(world, "t"), world.acme.url("runs/"), span_url(world, "t", "<b>bold</b>")):
        page = source(client_for(world.ada).get(address))
        assert "<script>alert(1)" not in page and "<b>bold</b>" not in page
        names_only = page.split('class="said-text"')[0].split('class="sub"')[0]
        assert "\u202e" not in names_only


# -- large runs -------------------------------------------------------------------------------------------------------


def test_a_large_run_opens_with_its_first_levels_and_loads_the_rest(world: World, client_for: Clients) -> None:
    send(world.acme, stories.large("l", spans=1_500, steps=5))
    client = client_for(world.ada)
    page = source(client.get(run_url(world, "l")))
    assert names(page) == ["invoke_agent crawler", *(f"step {step}" for step in range(5))]
    children = re.search(r'hx-get="([^"]+children/[^"]+)"\s+hx-trigger="unfold"', page)
    assert children
    first = source(client.get(children[1].replace("&amp;", "&"), headers=HTMX))
    assert names(first) == [f"fetch 0.{place}" for place in range(100)] and set(depths(first)) == {2}
    more = re.search(r'hx-get="([^"]+cursor=[^"]+)"', first)
    assert more
    second = source(client.get(more[1].replace("&amp;", "&"), headers=HTMX))
    assert names(second)[0] == "fetch 0.100" and set(depths(second)) == {2}


def test_a_run_of_some_hundreds_unfolds_its_upper_levels_and_no_more_than_can_be_read(
    world: World, client_for: Clients
) -> None:
    send(world.acme, stories.large("l", spans=400, steps=3))
    client = client_for(world.ada)
    page = source(client.get(run_url(world, "l")))
    assert len(names(page)) == 1 + 3 + 100
    assert page.count('hx-trigger="unfold"') == 2
    more = re.search(r'hx-get="([^"]+cursor=[^"]+)"', page)
    assert more
    assert names(source(client.get(more[1].replace("&amp;", "&"))))[0] == "fetch 0.100"


def test_a_large_run_finds_its_orphans_when_asked(world: World, client_for: Clients) -> None:
    send(world.acme, stories.large("l", spans=700, steps=2))
    client, address = client_for(world.ada), run_url(world, "l", "children/?of=orphans")
    assert "Spans whose parent has not come are not in this tree" in words(client.get(run_url(world, "l")))
    assert words(client.get(address)) == "Every span has its parent"
    lost = {**stories.orphaned("x")[0], "trace_id": stories.run_id("l")}
    send(world.acme, [lost])
    assert names(source(client.get(address))) == ["plan"]


def test_a_large_run_without_a_root_shows_the_tops_that_came_page_by_page(world: World, client_for: Clients) -> None:
    send(world.acme, stories.large("l", spans=700, steps=2)[3:])  # neither root nor steps
    client = client_for(world.ada)
    page = source(client.get(run_url(world, "l")))
    assert len(names(page)) == 100
    more = re.search(r'hx-get="([^"]+of=orphans[^"]+cursor=[^"]+)"', page)
    assert more
    assert names(source(client.get(more[1].replace("&amp;", "&"))))[0] == "fetch 0.100"


@pytest.mark.parametrize("spans", [20, 250, 1_500])
def test_a_run_takes_the_same_few_statements_whatever_its_size(world: World, client_for: Clients, spans: int) -> None:
    send(world.acme, stories.large("l", spans=spans, steps=4))
    client = client_for(world.ada)
    assert statements(client, run_url(world, "l")) <= 18
    inside = run_url(world, "l", f"children/?of={stories.span_id('l', 'step 0')}&depth=2")
    assert statements(client, inside) <= 14
    assert statements(client, span_url(world, "l", "step 0"), **HTMX) <= 14
