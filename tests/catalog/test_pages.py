"""The catalog's pages: agents and how they are held, approval, tools and their reviews, the quarterly audit."""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from agentops.catalog import queries
from agentops.common import clock
from agentops.common.scope import tenant_scope
from tenants import machines
from tenants import services as tenants
from tenants.roles import StaffRole
from tests.runtime.guarded import MANIFEST, Caller, apply, manifest, shift, unreviewed
from tests.traces.pages import HTMX, source, words
from tests.world import OPERATOR, PASSWORD, Organisation, Person, World, new_key

Clients = Callable[..., Client]


@pytest.fixture(autouse=True)
def _nothing_cached() -> None:
    machines.forget_cached_keys()
    queries.forget()


@pytest.fixture
def acme(world: World) -> Caller:
    """Acme's refund desk: version 1 reviewed and approved, version 2 with a letter to send that nobody has reviewed."""
    apply(world.acme, MANIFEST)
    apply(world.acme, unreviewed(), approve=False)
    return Caller(world.acme)


@pytest.fixture
def rita(world: World) -> Person:
    """A tool reviewer of ours."""
    return Person(
        tenants.create_staff(
            email="rita@agentops.example",
            name="Rita Holm",
            roles=[StaffRole.TOOL_REVIEWER],
            password=PASSWORD,
            by=OPERATOR,
            at=clock.now(),
        )
    )


def tool_id(organisation: Organisation, name: str, version: str = "1") -> uuid.UUID:
    with tenant_scope(organisation.id):
        found = queries.tool_versions(tenant=organisation.id, tool=name)
    return next(each.id for each in found if each.version == version)


def row_of(page: str, name: str) -> str:
    """A table row's words, by what its link says."""
    rows = re.findall(r"<tr>.*?</tr>", page, re.DOTALL)
    row = next(row for row in rows if re.search(rf"row-link[^>]*>{re.escape(name)}\b", row))
    return " ".join(re.sub(r"<svg.*?</svg>|<[^>]+>", " ", row, flags=re.DOTALL).replace("\xa0", " ").split())


# -- agents -----------------------------------------------------------------------------------------------------------


def test_without_agents_the_page_gives_the_command_and_the_file(world: World, client_for: Clients) -> None:
    said = words(client_for(world.audrey).get(world.acme.url("agents/")))
    assert "No agents yet" in said and "manage.py apply_manifest support-bot.yaml --tenant acme" in said
    assert "effect: charge" in said and "PUT it to /api/v1/agents/support-bot" in said


def test_the_example_on_the_page_is_a_manifest(world: World) -> None:
    from agentops.catalog.manifest import load_yaml, read
    from agentops.catalog.presenting import EXAMPLE

    made = read(load_yaml(EXAMPLE.encode()))
    assert (made.agent.name, [tool.name for tool in made.tools], list(made.warnings)) == ("support-bot", ["refund"], [])


def test_the_list_says_what_is_in_use_and_how_it_is_held(acme: Caller, world: World, client_for: Clients) -> None:
    acme.run().look_up()
    row = row_of(source(client_for(world.audrey).get(world.acme.url("agents/"))), "refund-desk")
    assert "2 · waits for approval" in row and "Advisory no call ran lately" in row
    assert "1 of 2 approved" in row and "1 to review" in row and "just now" in row


def test_a_model_without_an_exact_version_is_flagged(world: World, client_for: Clients) -> None:
    apply(world.acme, manifest(model="gpt-4o", models=["gpt-4o"]))
    client = client_for(world.audrey)
    assert "Floating model" in words(client.get(world.acme.url("agents/")))
    assert "gpt-4o Floating" in words(client.get(world.acme.url("agents/refund-desk/")))


def test_an_agent_is_enforced_once_every_call_that_ran_was_verified(
    acme: Caller, world: World, client_for: Clients
) -> None:
    run, client, address = acme.run(), client_for(world.audrey), world.acme.url("agents/refund-desk/")
    call = run.look_up()
    run.result(call["call_id"])
    said = words(client.get(address))
    assert "0 of 1 tool calls that ran in the last 7 days were verified where they ran" in said
    assert "hold as far as the agent asks" in said

    globex = world.globex
    apply(globex, MANIFEST)
    theirs = Caller(globex).run()
    call = theirs.look_up()
    tool_server = {"authorization": f"Bearer {new_key(globex, 'guard')}"}  # a key that is not the agent's
    consumed = Client().post(f"/api/v1/permits/{jti(call['permit'])}/consumption", headers=tool_server)
    assert consumed.status_code == 200
    theirs.result(call["call_id"])
    said = words(client_for(world.cleo).get(globex.url("agents/refund-desk/")))
    assert "Enforced" in said and "All 1 tool calls" in said and "(advisory)" not in said


def jti(permit: str) -> str:
    import base64
    import json

    body = permit.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["jti"])


def test_a_version_shows_its_hashes_caps_and_tools(world: World, client_for: Clients) -> None:
    made = manifest(
        caps={"llm_calls": 12, "cost_usd": "0.50"},
        repetition={"same_tool": 9},
        routing={
            "cheap": MANIFEST["agent"]["models"][0],
            "premium": MANIFEST["agent"]["models"][1],
            "cheap_tasks": ["triage"],
        },
    )
    apply(world.acme, made)
    said = words(client_for(world.audrey).get(world.acme.url("agents/refund-desk/")))
    assert "Prompt abababab" in said and "Tool definitions" in said
    assert "Model calls per run (advisory) 12" in said and "Cost per run (USD) (advisory) $0.50" in said
    assert "The same tool in a row (advisory) more than 9 times" in said
    assert "gpt-4o-mini-2024-07-18 for triage, else gpt-4o-2024-08-06" in said
    assert "refund 3 only order_id in user.order_ids" in said and "Charges Tier 3 Approved" in said


def test_an_agents_page_leads_to_its_switch_its_runs_and_its_decisions(
    acme: Caller, world: World, client_for: Clients
) -> None:
    page = source(client_for(world.ada).get(world.acme.url("agents/refund-desk/")))
    for rest in (
        "kill-switches/new/?scope=agent&amp;id=refund-desk",
        "runs/?agent=refund-desk",
        "decisions/?agent=refund-desk",
    ):
        assert f'href="{world.acme.url(rest)}"' in page
    assert "kill-switches/new/" not in source(client_for(world.audrey).get(world.acme.url("agents/refund-desk/")))


# -- approval and grants ----------------------------------------------------------------------------------------------


def test_a_version_is_approved_with_a_reason_as_it_was_looked_at(
    acme: Caller, world: World, client_for: Clients
) -> None:
    client, address = client_for(world.ben), world.acme.url("agents/refund-desk/versions/2/approval/")
    assert acme.start(status=403, agent_version="2")["code"] == "agent_version_not_approved"
    shown = source(client.get(address, headers=HTMX))
    assert "<!DOCTYPE" not in shown and "1 of them waits for a review" in " ".join(shown.split())
    digest = re.search(r'name="content_digest" value="([^"]+)"', shown)
    assert digest
    said = {"action": "approve", "content_digest": digest[1], "reason": "Compared with version 1."}
    assert client.post(address, {**said, "reason": ""}).status_code == 422

    changed = unreviewed()
    changed["tools"].pop()
    apply(world.acme, changed, approve=False)
    stale = client.post(address, said)
    assert stale.status_code == 422 and "changed while you looked at it" in stale.content.decode()
    assert acme.start(status=403, agent_version="2")["code"] == "agent_version_not_approved"

    digest = re.search(r'name="content_digest" value="([^"]+)"', source(client.get(address)))
    assert digest
    assert client.post(address, {**said, "content_digest": digest[1]}).status_code == 302
    acme.start(agent_version="2")
    [entry] = [entry for entry in world.acme.entries() if entry.actor_label == "ben@acme.example"]
    assert (entry.action, entry.reason) == ("agent_version.approved", "Compared with version 1.")


def test_a_withdrawn_version_takes_no_further_step(acme: Caller, world: World, client_for: Clients) -> None:
    run, client = acme.run(), client_for(world.ben)
    address = world.acme.url("agents/refund-desk/versions/1/approval/")
    assert client.post(address, {"action": "withdraw", "reason": " "}).status_code == 422
    assert run.look_up()["decision"] == "allow"
    assert client.post(address, {"action": "withdraw", "reason": "It guesses."}).status_code == 302
    assert run.look_up()["code"] == "agent_version_not_approved"
    assert client.get(world.acme.url("agents/refund-desk/versions/9/approval/")).status_code == 404


def test_a_tool_is_taken_away_at_once_and_given_back(acme: Caller, world: World, client_for: Clients) -> None:
    run, client = acme.run(), client_for(world.ben)
    address = world.acme.url("agents/refund-desk/versions/1/grants/look_up_order")
    assert client.post(address, {"action": "revoke", "reason": "Not needed."}).status_code == 302
    assert run.look_up()["code"] == "tool_not_granted"
    assert "look_up_order 1 Taken away" in words(client.get(world.acme.url("agents/refund-desk/")))
    assert client.post(address, {"action": "restore", "reason": "It was."}).status_code == 302
    assert run.look_up()["decision"] == "allow"
    assert client.get(world.acme.url("agents/refund-desk/versions/1/grants/nothing")).status_code == 404
    assert world.acme.actions().count("tool_grant.revoked") == world.acme.actions().count("tool_grant.restored") == 1


# -- tools ------------------------------------------------------------------------------------------------------------


def changed_refund() -> dict[str, Any]:
    made = copy.deepcopy(manifest(version="3"))
    refund = made["tools"][2]
    refund["version"], refund["tier"] = "4", 2
    refund["phrase"] = "refund {amount_minor}"
    return made


def test_a_changed_definition_is_shown_line_by_line_against_the_approved_one(
    acme: Caller, world: World, client_for: Clients
) -> None:
    apply(world.acme, changed_refund(), approve=False)
    page = client_for(world.audrey).get(world.acme.url(f"tools/{tool_id(world.acme, 'refund', '4')}/"))
    assert "Waits for review" in words(page) and "Version 3 , approved" in words(page)
    assert re.findall(r"<del>- *(.*?)</del>", source(page)) == [
        "&quot;phrase&quot;: &quot;&quot;,",
        "&quot;tier&quot;: 3,",
    ]
    assert re.findall(r"<ins>\+ *(.*?)</ins>", source(page)) == [
        "&quot;phrase&quot;: &quot;refund {amount_minor}&quot;,",
        "&quot;tier&quot;: 2,",
    ]
    assert "amount_in_range args.amount_minor &gt; 0" in words(page).replace(">", "&gt;")
    assert "Review Of exactly this definition" not in words(page)


def test_a_definition_that_was_never_approved_is_all_new(acme: Caller, world: World, client_for: Clients) -> None:
    said = words(client_for(world.ada).get(world.acme.url(f"tools/{tool_id(world.acme, 'send_letter')}/")))
    assert "No definition of this tool was ever approved here: all of it is new." in said
    assert "Can it be taken back? Nobody said" in said and "Granted to refund-desk@2." in said


def test_a_review_lets_agents_call_exactly_this_definition(acme: Caller, world: World, client_for: Clients) -> None:
    client, tool = client_for(world.ben), tool_id(world.acme, "send_letter")
    address = world.acme.url(f"tools/{tool}/review/")
    unsaid = client.post(address, {"tier": "2", "reason": ""})
    assert unsaid.status_code == 422 and "Approve or reject it." in unsaid.content.decode()
    assert "Waits for review" in words(client.get(world.acme.url(f"tools/{tool}/")))
    assert (
        client.post(
            address, {"verdict": "approved", "tier": "3", "reason": "Letters cannot be taken back."}
        ).status_code
        == 302
    )
    said = words(client.get(world.acme.url(f"tools/{tool}/")))
    assert "Tier 3" in said and "by ben@acme.example: Letters cannot be taken back." in said
    assert "Waiting for a review" not in words(client.get(world.acme.url("tools/")))
    assert (
        client.post(address, {"verdict": "rejected", "tier": "3", "reason": "On second thoughts."}).status_code == 302
    )
    assert "send_letter Rejected" in words(client.get(world.acme.url(f"tools/{tool}/")))


def test_tier_one_for_what_does_more_than_read_has_to_be_said(acme: Caller, world: World, client_for: Clients) -> None:
    client, tool = client_for(world.ben), tool_id(world.acme, "send_letter")
    address, said = (
        world.acme.url(f"tools/{tool}/review/"),
        {"verdict": "approved", "tier": "1", "reason": "To a test printer."},
    )
    refused = client.post(address, said)
    assert refused.status_code == 422 and "It does more than read." in refused.content.decode()
    assert client.post(address, {**said, "is_exception": "on"}).status_code == 302
    assert "Why tier 1 To a test printer." in words(client.get(world.acme.url(f"tools/{tool}/")))
    reads = world.acme.url(f"tools/{tool_id(world.acme, 'look_up_order')}/review/")
    assert "is_exception" not in source(client.get(reads))


def test_tier_four_is_refused_where_two_people_could_not_approve(world: World, client_for: Clients) -> None:
    apply(world.globex, unreviewed(), approve=False)
    address = world.globex.url(f"tools/{tool_id(world.globex, 'send_letter')}/review/")
    response = client_for(world.cleo).post(address, {"verdict": "approved", "tier": "4", "reason": "x"})
    assert response.status_code == 422 and "Add approvers, or choose tier 3." in response.content.decode()


def test_tools_of_one_name_and_none_at_all(acme: Caller, world: World, client_for: Clients) -> None:
    client, address = client_for(world.audrey), world.acme.url("tools/")
    said = words(client.get(address))
    assert "Waiting for a review" in said and "send_letter" in said and "greeter" not in said
    fragment = client.get(f"{address}?tool=refund", headers=HTMX)
    assert "<!DOCTYPE" not in source(fragment) and re.findall(r'row-link"[^>]*>([^<]+)', source(fragment)) == ["refund"]
    assert "No such tool" in words(client.get(f"{address}?tool=refnud"))
    assert "No tools yet" in words(client_for(world.cleo).get(world.globex.url("tools/")))


def test_another_organisations_tool_is_not_found(acme: Caller, world: World, client_for: Clients) -> None:
    tool, cleo = tool_id(world.acme, "send_letter"), client_for(world.cleo)
    said = {"verdict": "approved", "tier": "2", "reason": "mine", "action": "withdraw"}
    for rest in ("", "review/", "audit/"):
        assert cleo.get(world.globex.url(f"tools/{tool}/{rest}")).status_code == 404
    assert cleo.post(world.globex.url(f"tools/{tool}/review/"), said).status_code == 404
    assert cleo.get(world.globex.url("agents/refund-desk/")).status_code == 404


# -- the quarterly audit ----------------------------------------------------------------------------------------------


def test_the_audit_lists_last_review_and_use_and_keeps_or_withdraws(
    acme: Caller, world: World, client_for: Clients
) -> None:
    acme.run().look_up()
    shift(world.acme, "catalog_toolversion", "reviewed_at", timedelta(days=-100), "review = 'approved'")
    client, address = client_for(world.ben), world.acme.url("tools/audit/")
    page = source(client.get(address))
    assert "Due" in row_of(page, "look_up_order") and "Never" not in row_of(page, "look_up_order")
    assert "Never" in row_of(page, "refund") and "send_letter" not in page

    keep = world.acme.url(f"tools/{tool_id(world.acme, 'look_up_order')}/audit/")
    assert client.post(keep, {"action": "keep", "reason": ""}).status_code == 422
    assert "last used" in words(client.get(keep, headers=HTMX))
    assert client.post(keep, {"action": "keep", "reason": "Used every day."}).status_code == 302
    page = source(client.get(address))
    assert "Due" not in row_of(page, "look_up_order") and "ben@acme.example" in row_of(page, "look_up_order")

    refund = world.acme.url(f"tools/{tool_id(world.acme, 'refund', '3')}/audit/")
    assert client.post(refund, {"action": "withdraw", "reason": "Nobody uses it."}).status_code == 302
    assert acme.run().refund()["code"] == "tool_not_reviewed"
    again = client.post(refund, {"action": "keep", "reason": "Or do they?"})
    assert again.status_code == 422 and "Only what is approved can be kept" in again.content.decode()


# -- staff ------------------------------------------------------------------------------------------------------------


def test_our_reviewer_decides_for_a_customer_by_their_own_name(
    acme: Caller, world: World, client_for: Clients, rita: Person
) -> None:
    apply(world.globex, unreviewed(), approve=False)
    client, tool = client_for(rita), tool_id(world.acme, "send_letter")
    page = source(client.get("/staff/tools/"))
    assert page.count(">send_letter<") == 2 and f"/staff/t/acme/tools/{tool}/" in page
    said = {"verdict": "approved", "tier": "2", "reason": "Looked at."}
    response = client.post(f"/staff/t/acme/tools/{tool}/review/", said)
    assert response["Location"] == f"/staff/t/acme/tools/{tool}/"
    [entry] = [
        entry
        for entry in world.acme.entries()
        if entry.action == "tool_version.reviewed" and entry.reason == "Looked at."
    ]
    assert (entry.actor_type, entry.actor_label) == ("staff", rita.email)
    assert source(client.get("/staff/tools/")).count(">send_letter<") == 1
    assert "send_letter" in words(client.get("/staff/tools/audit/"))


def test_staff_without_the_power_look_and_do_not_decide(acme: Caller, world: World, client_for: Clients) -> None:
    tool, client = tool_id(world.acme, "send_letter"), client_for(world.sam)
    assert "A tool reviewer decides." in words(client.get("/staff/tools/"))
    page = client.get(f"/staff/t/acme/tools/{tool}/")
    assert "Record the review" not in words(page)
    assert client.post(f"/staff/t/acme/tools/{tool}/review/", {"verdict": "approved"}).status_code == 403
    assert "Stop it" in words(client.get("/staff/t/acme/agents/refund-desk/"))
