"""The guard's pages: kill switches with their proof, decisions, caps, and what a run's page says of the guard."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.runtime import queries
from agentops.runtime.decisionview import decision_key
from agentops.runtime.permits import claims_of
from agentops.runtime.types import DecisionRow
from incidents.tasks.dashboard import take_snapshot
from tenants import services as tenants
from tenants.roles import StaffRole
from tests.runtime.guarded import Caller, Run, shift
from tests.traces.pages import HTMX, send, source, statements, words
from tests.world import OPERATOR, PASSWORD, Person, World, new_key

Clients = Callable[..., Client]
STOP = {
    "scope": "agent",
    "agent": "refund-desk",
    "user": "",
    "mode": "stop_next_step",
    "reason": "It refunds everybody.",
}


def press(client: Client, world: World, **said: str) -> None:
    response = client.post(world.acme.url("kill-switches/new/"), {**STOP, **said})
    assert response.status_code == 302, words(response)


def switch_id(world: World) -> str:
    with tenant_scope(world.acme.id):
        return str(queries.switches(tenant=world.acme.id)[0].id)


def decided(world: World, **wanted: str) -> list[DecisionRow]:
    with tenant_scope(world.acme.id):
        found, _ = queries.decisions(
            tenant=world.acme.id, wanted=queries.DecisionFilter(**wanted), now=clock.now(), most=200
        )
    return found


def decision_url(world: World, **wanted: str) -> str:
    return world.acme.url(f"decisions/{decision_key(decided(world, **wanted)[0])}/")


# -- kill switches ----------------------------------------------------------------------------------------------------


def test_a_pressed_switch_stops_the_next_step_and_shows_its_proof(
    acme: Caller, world: World, client_for: Clients
) -> None:
    run, waiting = acme.run(), acme.run(user="u-2")
    run.look_up()
    client = client_for(world.ada)
    press(client, world)
    assert run.look_up()["code"] == "killed"
    said = words(client.get(world.acme.url("kill-switches/")))
    assert "Agent refund-desk On" in said and "It refunds everybody." in said and "by ada@acme.example" in said
    assert "Refused since 1" in said and "Let through since Nothing" in said
    assert "Permits alive 1 given before it; each ends within a minute" in said
    assert "Runs stopped 1" in said and "Still in progress 1 stop when they next ask" in said
    assert waiting.look_up()["code"] == "killed"
    assert "Still in progress 0" in words(client.get(world.acme.url("kill-switches/")))


def test_while_something_is_on_the_list_asks_again_by_itself(acme: Caller, world: World, client_for: Clients) -> None:
    client, address = client_for(world.ada), world.acme.url("kill-switches/")
    assert "every" not in re.sub(r"every agent|every step|Every", "", source(client.get(address)).split("<main")[1])
    press(client, world)
    fragment = client.get(address, headers=HTMX)
    assert "<!DOCTYPE" not in source(fragment) and 'hx-trigger="every 2s"' in source(fragment)
    assert "HX-Request" in fragment["Vary"]


def test_nothing_is_stopped_without_a_scope_a_mode_and_a_reason(world: World, client_for: Clients) -> None:
    client, address = client_for(world.ada), world.acme.url("kill-switches/new/")
    assert "checked" not in source(client.get(address))
    response = client.post(address, {"reason": " "})
    assert response.status_code == 422
    said = response.content.decode()
    assert "Choose what to stop." in said and "Choose how to stop." in said and "This field is required." in said
    assert world.acme.actions() == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"scope": "agent", "agent": ""}, "This field is required."),
        ({"scope": "agent", "agent": "refund-dsek"}, "refund-dsek is not one of the available choices"),
        ({"scope": "user", "user": ""}, "This field is required."),
        ({"scope": "product"}, "product is not one of the available choices"),
        ({"mode": "explode"}, "explode is not one of the available choices"),
        ({"reason": "x" * 1_001}, "at most 1000 characters"),
    ],
)
def test_what_cannot_be_a_switch_is_said_at_its_field(
    acme: Caller, world: World, client_for: Clients, said: dict[str, str], expected: str
) -> None:
    response = client_for(world.ada).post(world.acme.url("kill-switches/new/"), {**STOP, **said})
    assert response.status_code == 422 and expected in response.content.decode()
    assert acme.run().look_up()["decision"] == "allow"


def test_the_agent_named_in_the_address_is_chosen_and_nothing_else_is(
    acme: Caller, world: World, client_for: Clients
) -> None:
    page = source(client_for(world.ada).get(world.acme.url("kill-switches/new/?scope=agent&id=refund-desk")))
    assert re.search(r'name="scope" value="agent"[^>]*checked', page)
    assert re.search(r'<option value="refund-desk" selected', page)
    assert not re.search(r'name="mode"[^>]*checked', page)


def test_lifting_needs_a_reason_and_is_kept_below(acme: Caller, world: World, client_for: Clients) -> None:
    client = client_for(world.ben)
    press(client, world)
    address = world.acme.url(f"kill-switches/{switch_id(world)}/lift/")
    assert client.post(address, {"reason": ""}).status_code == 422
    assert acme.start(status=403)["code"] == "killed"
    assert "<form" in source(client.get(address, headers=HTMX))
    assert client.post(address, {"reason": "Mended."}).status_code == 302
    assert acme.run().look_up()["decision"] == "allow"
    said = words(client.get(world.acme.url("kill-switches/")))
    assert "Nothing is stopped" in said and "Lifted: Mended." in said and "ben@acme.example" in said
    again = client.post(address, {"reason": "Once more."})
    assert again.status_code == 422 and "It was lifted" in again.content.decode()
    assert world.acme.actions().count("kill_switch.lifted") == 1


def test_the_homes_say_that_agents_are_stopped(acme: Caller, world: World, client_for: Clients) -> None:
    home = world.acme.url()
    assert "Agents are stopped" not in words(client_for(world.audrey).get(home))
    take_snapshot()
    assert "Kill switches on 0" in words(client_for(world.sam).get("/staff/"))
    press(client_for(world.ada), world)
    assert "Stopped: 1 agent" in words(client_for(world.audrey).get(home))
    press(client_for(world.ada), world, scope="tenant", agent="")
    assert "Agents are stopped" in words(client_for(world.audrey).get(home))
    assert "Agents are stopped" not in words(client_for(world.cleo).get(world.globex.url()))
    take_snapshot()
    assert "Kill switches on 2 agents or users are stopped" in words(client_for(world.sam).get("/staff/"))


def test_who_only_reads_sees_the_proof_and_no_button(acme: Caller, world: World, client_for: Clients) -> None:
    press(client_for(world.ada), world)
    page = client_for(world.audrey).get(world.acme.url("kill-switches/"))
    assert "Agent refund-desk" in words(page)
    assert "Stop agents" not in words(page) and "/lift/" not in source(page)


def test_the_switch_of_another_organisation_is_not_found(
    acme: Caller, globex: Caller, world: World, client_for: Clients
) -> None:
    press(client_for(world.ada), world)
    response = client_for(world.cleo).post(
        world.globex.url(f"kill-switches/{switch_id(world)}/lift/"), {"reason": "mine"}
    )
    assert response.status_code == 404
    assert acme.start(status=403)["code"] == "killed"
    assert "refund-desk" not in words(client_for(world.cleo).get(world.globex.url("kill-switches/")))


# -- staff ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def kim(world: World) -> Person:
    """A second incident commander."""
    return Person(
        tenants.create_staff(
            email="kim@agentops.example",
            name="Kim Berg",
            roles=[StaffRole.INCIDENT_COMMANDER],
            password=PASSWORD,
            by=OPERATOR,
            at=clock.now(),
        )
    )


def test_staff_stop_one_organisation_by_their_own_name(acme: Caller, world: World, client_for: Clients) -> None:
    client = client_for(world.sam)
    response = client.post("/staff/t/acme/kill-switches/new/", {**STOP, "scope": "tenant", "agent": ""})
    assert response.status_code == 302 and response["Location"] == "/staff/t/acme/kill-switches/"
    assert acme.start(status=403)["code"] == "killed"
    [entry] = [entry for entry in world.acme.entries() if entry.action == "kill_switch.set"]
    assert (entry.actor_type, entry.actor_label) == ("staff", world.sam.email)
    said = words(client.get("/staff/kill-switches/"))
    assert "Acme: The whole organisation On" in said and "Refused since 1" in said
    assert "every" not in source(client.get("/staff/t/acme/kill-switches/", headers=HTMX)).split(">")[0]
    client.post(f"/staff/t/acme/kill-switches/{switch_id(world)}/lift/", {"reason": "Mended."})
    assert acme.run().look_up()["decision"] == "allow"


def test_the_product_goes_on_when_a_second_person_agrees(
    acme: Caller, world: World, client_for: Clients, kim: Person
) -> None:
    sam, second, everything = client_for(world.sam), client_for(kim), "/staff/kill-switches/"
    stop = {"mode": "stop_next_step", "reason": "A model went mad."}
    response = sam.post(f"{everything}new/", stop)
    assert response.status_code == 422 and "Tick this" in response.content.decode()
    assert acme.run().look_up()["decision"] == "allow"

    assert sam.post(f"{everything}new/", {**stop, "is_meant": "on"}).status_code == 302
    assert acme.start(status=403)["code"] == "killed"
    assert "All agents are stopped by us" in words(client_for(world.audrey).get(world.acme.url("kill-switches/")))
    with tenant_scope(world.acme.id):
        lift = f"{everything}{queries.product_switches()[0].id}/lift/"

    assert sam.post(lift, {"action": "agree"}).status_code == 409
    assert sam.post(lift, {"action": "ask", "reason": ""}).status_code == 422
    assert sam.post(lift, {"action": "ask", "reason": "Rolled back."}).status_code == 302
    refused = sam.post(lift, {"action": "agree"})
    assert refused.status_code == 403 and "another person has to agree" in refused.content.decode()
    assert "Another person has to agree." in words(sam.get(everything))
    assert "It waits for a second person: you, for example." in words(second.get(everything))
    assert acme.start(status=403)["code"] == "killed"

    assert second.post(lift, {"action": "agree"}).status_code == 302
    assert acme.run().look_up()["decision"] == "allow"
    said = words(second.get(everything))
    assert "Nothing is stopped" in said and "Lifted: Rolled back." in said


# -- decisions --------------------------------------------------------------------------------------------------------


def test_a_refusal_tells_where_what_was_expected_and_by_which_policy(
    acme: Caller, world: World, client_for: Clients
) -> None:
    acme.run().refund(amount=900_000)
    said = words(client_for(world.audrey).get(decision_url(world, decision="reject")))
    assert "rule_violated at /amount_minor Expected between 1 and 500000 minor units Hint" in said
    assert "Agent refund-desk 1" in said and "For u-1" in said and "Tool refund 3" in said
    assert "Policy version" in said and "Took" in said and "Attempts left 2" in said


def test_a_call_that_waits_names_its_confirmation_and_its_tier(acme: Caller, world: World, client_for: Clients) -> None:
    call = acme.run().refund(tainted=True)
    page = client_for(world.audrey).get(decision_url(world, decision="confirm"))
    assert "Asks a person Tier 4" in words(page)
    assert "Why it needs more agreement than usual" in words(page) and "nobody vouches for" in words(page)
    assert "Confirmation Pending, until" in words(page)
    assert f'href="/t/acme/confirmations/{call["confirmation"]["id"]}/"' in source(page)


def test_a_model_call_is_shown_with_what_it_came_to(acme: Caller, world: World, client_for: Clients) -> None:
    run = acme.run()
    call = run.model_call()
    run.settle(call["call_id"], input_tokens=900, output_tokens=100)
    [row] = [row for row in decided(world, run=run.uuid) if row.verb.name == "MODEL_CALL"]  # type: ignore[arg-type]
    said = words(client_for(world.audrey).get(world.acme.url(f"decisions/{decision_key(row)}/")))
    assert "Allowed gpt-4o-mini" in said and "Held $0.00045" in said
    assert "What came of it Settled" in said and "ok" in said


def test_the_list_is_filtered_by_its_address(acme: Caller, world: World, client_for: Clients) -> None:
    run = acme.run()
    run.look_up()
    run.refund(amount=900_000)
    acme.start(status=403, agent="nobody", user="u-9")
    client, address = client_for(world.audrey), world.acme.url("decisions/")
    assert "Allowed look_up_order" in words(client.get(address))
    assert sentences(source(client.get(f"{address}?code=rule_violated"))) == ["Refused refund"]
    assert sentences(source(client.get(f"{address}?user=u-9&decision=reject"))) == ["Refused the run"]
    assert sentences(source(client.get(f"{address}?run_id={run.id}&tool=look_up_order"))) == ["Allowed look_up_order"]
    assert "No decision matches" in words(client.get(f"{address}?agent=greeter"))
    fragment = client.get(f"{address}?tool=refund", headers=HTMX)
    assert "<!DOCTYPE" not in source(fragment) and "Remove filter Tool refund" in source(fragment)
    wrong = client.get(f"{address}?decision=perhaps&run_id=7&from=yesterday")
    assert "Decision is one of allow, reject, confirm, throttle, abort." in words(wrong)
    assert "Run is 32 hex digits." in words(wrong) and "Since is an RFC 3339 time" in words(wrong)


def test_the_list_goes_on_by_its_last_row(acme: Caller, world: World, client_for: Clients) -> None:
    run = acme.run(user="u-5")
    for _ in range(55):
        acme.start(status=403, agent="nobody", user="u-5")
    client = client_for(world.audrey)
    first = source(client.get(world.acme.url("decisions/?user=u-5")))
    [older] = {found.replace("&amp;", "&") for found in re.findall(r'href="([^"]*cursor=[^"]*)"', first)}
    second = source(client.get(older))
    assert (len(sentences(first)), len(sentences(second))) == (50, 6)
    assert sentences(second)[-1] == "Began the run" and run.id[:8] not in first


def test_before_anything_was_decided_the_page_says_how_to_begin(world: World, client_for: Clients) -> None:
    said = words(client_for(world.audrey).get(world.acme.url("decisions/")))
    assert "Nothing was decided yet" in said and "/api/v1/guard/runs" in said


def test_a_decision_of_another_organisation_is_not_found(acme: Caller, world: World, client_for: Clients) -> None:
    acme.run()
    key = decision_url(world).split("/")[-2]
    assert client_for(world.cleo).get(world.globex.url(f"decisions/{key}/")).status_code == 404
    assert client_for(world.ada).get(world.acme.url("decisions/nonsense/")).status_code == 404


def sentences(page: str) -> list[str]:
    return [text.strip() for text in re.findall(r'class="row-link"[^>]*>([^<]*)</a>', page)]


# -- the run's page ---------------------------------------------------------------------------------------------------


def spans_of(run: Run, at: float = 0) -> list[dict[str, object]]:
    """A run of three spans around what the guard decided just now."""
    now = clock.now()
    begin, end = now - timedelta(seconds=30), now + timedelta(seconds=30)
    base = {"trace_id": run.id, "agent": "refund-desk", "agent_version": "1", "user_id": "u-1"}
    child = {**base, "parent_span_id": "00000000000000a1", "kind": "tool"}
    return [
        {**base, "span_id": "00000000000000a1", "kind": "run", "name": "the run", "started_at": begin.isoformat(), "ended_at": end.isoformat()},
        {**child, "span_id": "00000000000000a2", "name": "before", "started_at": begin.isoformat(), "ended_at": begin.isoformat()},
        {**child, "span_id": "00000000000000a3", "name": "after", "started_at": end.isoformat(), "ended_at": end.isoformat()},
    ]  # fmt: skip


def rows_of(page: str) -> list[tuple[int, str]]:
    found = re.findall(r'class="span-row [^>]*data-depth="(\d+)".*?class="span-name"[^>]*>([^<]*)</a>', page, re.DOTALL)
    return [(int(depth), name.strip()) for depth, name in found]


def test_decisions_stand_between_the_spans_where_they_happened(acme: Caller, world: World, client_for: Clients) -> None:
    run = acme.run()
    run.look_up()
    run.refund(amount=900_000)
    send(world.acme, spans_of(run))  # type: ignore[list-item]
    page = source(client_for(world.audrey).get(world.acme.url(f"runs/{run.id}/")))
    assert rows_of(page) == [
        (0, "the run"),
        (1, "before"),
        (1, "Began the run"),
        (1, "Allowed look_up_order"),
        (1, "Refused refund"),
        (1, "after"),
    ]


def test_a_decision_opens_beside_the_timeline_and_by_the_runs_address(
    acme: Caller, world: World, client_for: Clients
) -> None:
    run = acme.run()
    run.refund(amount=900_000)
    send(world.acme, spans_of(run))  # type: ignore[list-item]
    client, address = client_for(world.audrey), decision_url(world, decision="reject")
    fragment = client.get(address, headers=HTMX)
    assert "<!DOCTYPE" not in source(fragment) and "rule_violated" in words(fragment)
    key = address.split("/")[-2]
    assert fragment["HX-Replace-Url"] == world.acme.url(f"runs/{run.id}/?decision={key.replace('=', '%3D')}")
    opened = source(client.get(fragment["HX-Replace-Url"]))
    assert re.search(r'aria-current="true"[^>]*>\s*Refused refund', opened)
    other = acme.run()
    send(world.acme, spans_of(other))  # type: ignore[list-item]
    assert client.get(world.acme.url(f"runs/{other.id}/?decision={key}")).status_code == 404


def test_a_run_that_sent_no_spans_opens_with_what_the_guard_knows(
    acme: Caller, world: World, client_for: Clients
) -> None:
    run = acme.run(user="u-7")
    call = run.model_call()
    run.settle(call["call_id"], input_tokens=900, output_tokens=100)
    for _ in range(4):
        run.look_up()
    said = words(client_for(world.audrey).get(world.acme.url(f"runs/{run.id}/")))
    assert "refund-desk Stopped" in said and "For u-7" in said and "No spans" in said
    assert "repetition" in said and "look_up_order was asked for 4 times with the same arguments" in said
    assert "Model calls 1 of 20" in said and "Tool calls 4 of 60" in said and "Tokens 1,000 of 200,000" in said
    assert "Stopped at look_up_order" in said and "settled at $0.0002" in said


def test_a_run_with_many_decisions_sends_no_more_statements_than_one_with_few(
    acme: Caller, world: World, client_for: Clients
) -> None:
    client, few, many = client_for(world.audrey), acme.run(), acme.run()
    for _ in range(18):
        many.model_call()
    for run in (few, many):
        send(world.acme, spans_of(run))  # type: ignore[list-item]
    address = "runs/{}/".format
    counts = [statements(client, world.acme.url(address(run.id))) for run in (few, many)]
    assert counts[0] == counts[1]
    assert "Allowed gpt-4o-mini" in words(client.get(world.acme.url(address(many.id))))


def test_a_child_run_names_the_run_that_carries_its_counters(acme: Caller, world: World, client_for: Clients) -> None:
    root = acme.run()
    child = acme.run(parent_run_id=root.id)
    page = client_for(world.audrey).get(world.acme.url(f"runs/{child.id}/"))
    assert "Counts towards" in words(page) and f"/runs/{root.id}/" in source(page)


def test_staff_see_decisions_of_a_run_and_it_is_in_the_audit_log(
    acme: Caller, world: World, client_for: Clients
) -> None:
    run = acme.run()
    page = client_for(world.sam).get(f"/staff/t/acme/runs/{run.id}/")
    assert "Began the run" in words(page) and "/staff/t/acme/decisions/" in source(page)
    assert world.acme.actions()[-1] == "staff.read"


# -- caps -------------------------------------------------------------------------------------------------------------


def test_caps_are_set_beside_the_plans_and_hold_for_the_next_run(
    acme: Caller, world: World, client_for: Clients
) -> None:
    client = client_for(world.ben)
    response = client.post(world.acme.url("caps/changes/"), {"tool_calls": "1", "cost_nano_usd": "0.5"})
    assert response.status_code == 302
    said = words(client.get(world.acme.url("caps/")))
    assert "Tool calls per run The next one ends the run. 600" in said and "$20.00" in said
    assert "by ben@acme.example" in said
    run = acme.run()
    run.look_up()
    assert run.look_up("ord_2")["code"] == "tool_cap_reached"
    assert acme.start()["caps"]["cost_usd"] == "0.500000"
    assert client.post(world.acme.url("caps/changes/"), {}).status_code == 302
    assert acme.start()["caps"]["tool_calls"] == 60
    assert world.acme.actions().count("caps.changed") == 2


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"tool_calls": "601"}, "less than or equal to 600"),
        ({"tool_calls": "0"}, "greater than or equal to 1"),
        ({"tool_calls": "many"}, "Enter a whole number"),
        ({"cost_nano_usd": "20.01"}, "less than or equal to 20"),
        ({"cost_nano_usd": "NaN"}, "Enter a number"),
    ],
)
def test_a_cap_wider_than_the_plan_is_refused_at_its_field(
    world: World, client_for: Clients, said: dict[str, str], expected: str
) -> None:
    response = client_for(world.ada).post(world.acme.url("caps/changes/"), said)
    assert response.status_code == 422 and expected in response.content.decode()
    assert world.acme.actions() == []


def test_an_auditor_reads_caps_and_gets_no_form(world: World, client_for: Clients) -> None:
    page = client_for(world.audrey).get(world.acme.url("caps/"))
    assert "Nobody has set any: the plan's hold." in words(page)
    assert "<input" not in source(page).split("<main")[1]


def test_a_runs_page_says_what_became_of_each_permit(acme: Caller, world: World, client_for: Clients) -> None:
    run, client, tool_server = acme.run(), client_for(world.ada), new_key(world.acme, "guard")
    checked, own, told, waits = (run.look_up(order) for order in ("ord_1", "ord_2", "ord_1", "ord_2"))
    for call, key in ((checked, tool_server), (own, world.acme.keys["guard"])):
        path = f"/api/v1/permits/{claims_of(call['permit'])['jti']}/consumption"
        assert Client().post(path, headers={"authorization": f"Bearer {key}"}).status_code == 200
    run.result(told["call_id"])
    uses = ("used by a tool server", "used by the key that asked", "not used; the result came without", "not used yet")
    page = words(client.get(world.acme.url(f"runs/{run.id}/")))
    found = [page.find(f"permit {use}") for use in uses]
    assert -1 not in found and found == sorted(found), page
    shift(
        world.acme, "runtime_guardcall", "permit_expires_at", timedelta(seconds=-61), f"call_id = '{waits['call_id']}'"
    )
    (row,) = [each for each in decided(world) if each.call_id == waits["call_id"]]
    assert "Permit Expired unused" in words(client.get(world.acme.url(f"decisions/{decision_key(row)}/")))
