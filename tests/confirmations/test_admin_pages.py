"""Pages of who approves, rules and standing approvals: what they say, change and refuse."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from agentops.catalog import queries as catalogued
from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.confirmations import queries
from agentops.confirmations.models import Rule, StandingApproval
from agentops.confirmations.policies.standing import Kind
from tenants import queries as tenants
from tests.catalog.test_approvers import AGENT, ids, may, name
from tests.confirmations.test_rules import rules as rules_of
from tests.confirmations.test_rules import set_rule
from tests.confirmations.test_standing import answer, made_of, make
from tests.runtime.guarded import apply
from tests.tenants.test_end_users import link
from tests.tenants.test_groups import make as make_group
from tests.traces.pages import source, statements, words
from tests.world import Person, World

Clients = Callable[..., Client]


@pytest.fixture(autouse=True)
def _applied(world: World) -> None:
    made = made_of(cosmetic=["/note"])
    made["tools"][2]["arguments"]["properties"]["note"] = {"type": "string"}
    made["tools"].append(
        {
            "name": "send/letter",
            "version": "1",
            "effect": "send",
            "tier": 2,
            "description": "<b>Sends</b> a letter",
            "arguments": {
                "type": "object",
                "additionalProperties": False,
                "required": ["to"],
                "properties": {
                    "to": {"type": "object", "properties": {"name": {"type": "string"}, "copies": {"type": "integer"}}},
                    "urgent": {"type": "boolean"},
                },
            },
        }
    )
    apply(world.acme, made)
    apply(world.globex, copy.deepcopy(made))
    for organisation in (world.acme, world.globex):
        organisation.skip_entries()


# -- who approves -----------------------------------------------------------------------------------------------------


def test_the_page_says_in_words_what_holds(world: World, client_for: Clients) -> None:
    url = world.acme.url("approvals/approvers/")
    said = words(client_for(world.audrey).get(url))
    assert "Every approver: Ada Lovell, Ben Ortiz, Pete Novak." in said
    assert "Unless a tool names others, its calls are approved by every approver. 2 tools of it ask nobody." in said
    assert "Every approver (3) The user or one approver: everything shown, a typed phrase, password again" in said
    assert "One tier more to a new payee above 50,000" in said
    name(world.acme, world.pete, kind=AGENT, on="refund-desk")
    name(world.acme, make_group(world.acme, world.ben, world.ada).id)
    set_rule(world.acme, tool="refund", tier_floor=4, delay_seconds=1_800)
    said = words(client_for(world.audrey).get(url))
    assert "Unless a tool names others, its calls are approved by Pete Novak." in said
    assert (
        "refund version 3 Tier 4 a rule; itself 3 Finance (2) Two approvers, a mailed code each, then 30 min to stop it"
        in said
    )
    assert "Pete Novak as for the agent" in said


def test_the_page_warns_where_calls_can_only_be_refused(world: World, client_for: Clients) -> None:
    said = words(client_for(world.cleo).get(world.globex.url("approvals/approvers/")))
    assert "Tools of tier 4 are not available here They take two different people, and only Cleo Park could" in said
    set_rule(world.acme, tool="refund", tier_floor=4)
    name(world.acme, world.pete)
    said = words(client_for(world.ada).get(world.acme.url("approvals/approvers/")))
    assert "Some calls are refused, whatever anybody says" in said
    assert "Only one of them is here: its calls are refused." in said


def test_somebody_is_named_and_taken_back_by_an_admin_only(world: World, client_for: Clients) -> None:
    url, group = world.acme.url("approvals/approvers/tools/refund/"), make_group(world.acme, world.ben)
    admin = client_for(world.ben, fresh=True)
    for who in (f"user:{world.pete.user.pk}", f"group:{group.id}"):
        assert admin.post(url, {"action": "name", "who": who}).status_code == 302
    assert may(world.acme, agent="refund-desk") == ids(world.pete, world.ben)
    said = words(admin.get(url))
    assert "Pete Novak" in said and "Finance Group · 1 person who may approve now" in said
    assert admin.post(url, {"action": "unname", "who": f"user:{world.pete.user.pk}"}).status_code == 302
    assert may(world.acme, agent="refund-desk") == ids(world.ben)
    auditor = client_for(world.audrey, fresh=True)
    assert auditor.post(url, {"action": "unname", "who": f"group:{group.id}"}).status_code == 403
    assert "Take back" not in source(auditor.get(url))
    assert may(world.acme, agent="refund-desk") == ids(world.ben)


@pytest.mark.parametrize(
    "who",
    ["", "user:", "user:x", "user:-1", "user:99999999999999999999", "group:x", "user:\u0661", "else:1"],
)
def test_whoever_is_no_choice_is_refused(world: World, client_for: Clients, who: str) -> None:
    url = world.acme.url("approvals/approvers/agents/refund-desk/")
    for action in ("name", "unname"):
        response = client_for(world.ada, fresh=True).post(url, {"action": action, "who": who})
        assert response.status_code == 404
    assert may(world.acme, agent="refund-desk") == ids(world.ada, world.ben, world.pete)


def test_a_stranger_or_a_reader_cannot_be_named_from_the_page(world: World, client_for: Clients) -> None:
    url = world.acme.url("approvals/approvers/tools/refund/")
    for person, status in ((world.cleo, 404), (world.audrey, 400)):
        response = client_for(world.ada, fresh=True).post(url, {"action": "name", "who": f"user:{person.user.pk}"})
        assert response.status_code == status
    theirs = make_group(world.globex, world.cleo)
    response = client_for(world.ada, fresh=True).post(url, {"action": "name", "who": f"group:{theirs.id}"})
    assert response.status_code == 404


def test_a_name_with_a_slash_and_one_that_is_not_there(world: World, client_for: Clients) -> None:
    admin = client_for(world.ada, fresh=True)
    assert "send/letter" in words(admin.get(world.acme.url("approvals/approvers/tools/send/letter/")))
    assert admin.get(world.acme.url("approvals/approvers/tools/nothing/")).status_code == 404
    assert admin.get(world.acme.url("approvals/approvers/agents/re%00fund/")).status_code == 404


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("approvals/approvers/tools/refund/", {"action": "name", "who": "user:{pete}"}),
        ("approvals/rules/new/", {"tier_floor": "2"}),
        ("approvals/groups/new/", {"name": "Finance", "members": ["{pete}"]}),
    ],
)
def test_what_changes_who_approves_asks_again_who_it_is(
    world: World, client_for: Clients, path: str, data: dict[str, Any]
) -> None:
    filled = {
        key: [each.format(pete=world.pete.user.pk) for each in value]
        if isinstance(value, list)
        else value.format(pete=world.pete.user.pk)
        for key, value in data.items()
    }
    stale = client_for(world.ada).post(world.acme.url(path), filled)
    assert stale.status_code == 302 and stale["Location"].startswith("/accounts/reauthenticate/")
    assert world.acme.actions() == []
    assert client_for(world.ada, fresh=True).post(world.acme.url(path), filled).status_code == 302
    assert len(world.acme.actions()) == 1


# -- rules ------------------------------------------------------------------------------------------------------------


def rule_id(world: World) -> str:
    with tenant_scope(world.acme.id):
        return str(queries.rules(tenant=world.acme.id)[0].id)


def test_a_rule_is_added_changed_and_removed(world: World, client_for: Clients) -> None:
    admin, url = client_for(world.ada, fresh=True), world.acme.url("approvals/rules/")
    assert "No rules yet" in words(admin.get(url))
    said = {"tool": "refund", "tier_floor": "3", "amount_threshold": "250.50", "delay_minutes": "30"}
    assert admin.post(f"{url}new/", said).status_code == 302
    shown = words(admin.get(url))
    assert "refund of every agent Not below Tier 3" in shown
    assert "One tier more to a new payee above 250.5" in shown and "At tier 4, 30 min to stop it" in shown
    found = rules_of(world.acme)
    assert (found.floor("refund"), found.threshold("refund"), found.delay_seconds("refund")) == (
        3,
        Decimal("250.5"),
        1_800,
    )
    one = f"{url}{rule_id(world)}/"
    assert 'value="250.5"' in source(admin.get(one))
    # whose calls it is about does not change with it
    assert admin.post(one, {"tier_floor": "2", "tool": "send/letter", "agent": "x"}).status_code == 302
    assert (rules_of(world.acme).floor("refund"), rules_of(world.acme).floor("send/letter")) == (2, 1)
    assert admin.post(f"{one}removal/").status_code == 302
    assert rules_of(world.acme).floor("refund") == 1


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"tier_floor": "1"},
        {"tier_floor": "9"},
        {"amount_threshold": "-1"},
        {"amount_threshold": "1e400"},
        {"amount_threshold": "NaN"},
        {"amount_threshold": "1,5"},
        {"delay_minutes": "0"},
        {"delay_minutes": "721"},
        {"delay_minutes": "9" * 5_000},
        {"tool": "nothing", "tier_floor": "2"},
        {"may_stand_at_tier_3": "perhaps"},
    ],
)
def test_a_rule_that_cannot_be_is_refused_where_it_is_wrong(
    world: World, client_for: Clients, said: dict[str, str]
) -> None:
    response = client_for(world.ada, fresh=True).post(world.acme.url("approvals/rules/new/"), said)
    assert response.status_code == 422
    assert world.acme.actions() == []


def test_a_floor_of_4_is_refused_where_nobody_could_approve(world: World, client_for: Clients) -> None:
    response = client_for(world.cleo, fresh=True).post(
        world.globex.url("approvals/rules/new/"), {"tool": "refund", "tier_floor": "4"}
    )
    assert response.status_code == 422
    assert "Tier 4 takes two different people" in response.content.decode()


def test_rules_of_another_organisation_are_not_found(world: World, client_for: Clients) -> None:
    rule: Rule = set_rule(world.acme, tier_floor=2)
    theirs = client_for(world.cleo, fresh=True)
    assert "No rules yet" in words(theirs.get(world.globex.url("approvals/rules/")))
    for path in (f"{rule.id}/", f"{rule.id}/removal/"):
        assert theirs.post(world.globex.url(f"approvals/rules/{path}"), {"tier_floor": "3"}).status_code == 404


# -- groups and end users ---------------------------------------------------------------------------------------------


def test_a_group_is_made_changed_and_removed(world: World, client_for: Clients) -> None:
    admin, url = client_for(world.ada, fresh=True), world.acme.url("approvals/groups/")
    said = {"name": "Finance", "members": [world.pete.user.pk, world.ben.user.pk]}
    assert admin.post(f"{url}new/", said).status_code == 302
    assert "Finance Ben Ortiz, Pete Novak 2" in words(admin.get(url))
    assert admin.post(f"{url}new/", said).status_code == 422
    with tenant_scope(world.acme.id):
        [group] = tenants.approver_groups(world.acme.id)
    one = f"{url}{group.group.id}/"
    assert admin.post(one, {"name": "Money", "members": [world.pete.user.pk]}).status_code == 302
    assert "Money Pete Novak 1" in words(admin.get(url))
    name(world.acme, group.group.id)
    refused = admin.post(f"{one}removal/")
    assert refused.status_code == 409 and "Take it off there first" in refused.content.decode()
    for members in ([world.cleo.user.pk], [world.audrey.user.pk], ["x"]):
        assert admin.post(one, {"name": "Money", "members": members}).status_code == 422


def test_an_admin_says_which_user_of_the_product_a_member_is(world: World, client_for: Clients) -> None:
    admin, url = client_for(world.ada, fresh=True), world.acme.url(f"members/{world.uma.membership_id}/end-users/")
    assert admin.post(url, {"action": "link", "external_id": "u-1"}).status_code == 302
    assert "u-1" in words(admin.get(url))
    other = world.acme.url(f"members/{world.pete.membership_id}/end-users/")
    taken = admin.post(other, {"action": "link", "external_id": "u-1"})
    assert taken.status_code == 409 and "Somebody else is" in taken.content.decode()
    assert admin.post(other, {"action": "unlink", "external_id": "u-1"}).status_code == 404
    assert admin.post(url, {"action": "unlink", "external_id": "u-1"}).status_code == 302
    assert "None yet." in words(admin.get(url))
    assert client_for(world.ada).post(url, {"action": "link", "external_id": "u-1"}).status_code == 302
    assert "None yet." in words(admin.get(url)), "without a fresh proof of who it is, nothing is linked"


# -- standing approvals -----------------------------------------------------------------------------------------------


@pytest.fixture
def uma(world: World) -> Person:
    """Uma, whom agents know as u-1, in an organisation that allows standing approvals at tier 3."""
    set_rule(world.acme, tool="refund", may_stand_at_tier_3=True)
    link(world.acme, world.uma, "u-1")
    world.acme.skip_entries()
    return world.uma


NEW = "standing-approvals/new/?agent=refund-desk&tool=refund"
FILLED = {
    "acting_user": "u-1",
    "kind:/order_id": "equals",
    "value:/order_id": "ord_1",
    "kind:/amount_minor": "at_most",
    "value:/amount_minor": "5000",
    "kind:/currency": "one_of",
    "value:/currency": "EUR\r\nUSD\r\n",
    "uses_most": "3",
    "sum_most": "10000",
    "days": "7",
}


def filled(world: World, tool: str = "refund", **said: str) -> dict[str, str]:
    """The form as Uma saw it, filled in."""
    with tenant_scope(world.acme.id):
        policy = catalogued.current_policy(tenant=world.acme.id, agent="refund-desk")
    return {**FILLED, **said, "definition": str(policy.tools[tool].tool_version_id)}


def made(world: World) -> list[StandingApproval]:
    with tenant_scope(world.acme.id):
        return list(StandingApproval.objects.filter(tenant_id=world.acme.id))


def test_somebody_agrees_beforehand_sees_it_used_and_ends_it(world: World, client_for: Clients, uma: Person) -> None:
    client, url = client_for(uma, fresh=True), world.acme.url("standing-approvals/")
    assert "You agreed to nothing beforehand" in words(client.get(url))
    chosen = words(client.get(world.acme.url("standing-approvals/new/")))
    assert "refund" in chosen and "look_up_order" not in chosen
    shown = words(client.get(world.acme.url(NEW)))
    assert "refund-desk may call refund (version 3) in your name without asking" in shown
    assert "“Any value” holds only where you choose it, and never for who is paid or how much." in shown
    assert "What the tool calls cosmetic may be anything: /note." in shown
    assert client.post(world.acme.url(NEW), filled(world)).status_code == 302
    [row] = made(world)
    assert [each.as_json() for each in queries_of(world, row)] == [
        {"pointer": "/amount_minor", "kind": "at_most", "value": 5000},
        {"pointer": "/currency", "kind": "one_of", "value": ["EUR", "USD"]},
        {"pointer": "/order_id", "kind": "equals", "value": "ord_1"},
    ]
    call = {"order_id": "ord_1", "amount_minor": 4_810, "currency": "EUR", "note": "as you like"}
    assert answer(world.acme, call) == row.id
    said = words(client.get(url))
    assert "amount_minor is at most 5000 currency is one of “EUR”, “USD” order_id is exactly “ord_1”" in said
    assert "1 of 3 calls" in said and "4,810 of 10,000" in said
    assert client.post(f"{url}{row.id}/revocation/").status_code == 302
    assert "Ended" in words(client.get(url)) and answer(world.acme, call) is None


def queries_of(world: World, row: StandingApproval) -> Any:
    with tenant_scope(world.acme.id):
        return queries.standing_approval(tenant=world.acme.id, standing=row.id, at=clock.now()).constraints


def test_making_one_takes_a_fresh_proof_of_who_it_is(world: World, client_for: Clients, uma: Person) -> None:
    for verb in ("get", "post"):
        response = getattr(client_for(uma), verb)(world.acme.url(NEW), filled(world) if verb == "post" else {})
        assert response.status_code == 302 and response["Location"].startswith("/accounts/reauthenticate/")
    assert made(world) == []


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"value:/order_id": ""}, "Say which value; or that it may be any."),
        ({"kind:/order_id": "any"}, "Select a valid choice"),  # who is paid
        ({"kind:/amount_minor": "any"}, "Select a valid choice"),  # how much
        ({"kind:/order_id": "prefix"}, "Select a valid choice"),
        ({"kind:/currency": "at_most"}, "Select a valid choice"),
        ({"value:/order_id": "ord\u202e_1"}, "This value cannot be compared exactly."),
        ({"value:/amount_minor": "5.5", "kind:/amount_minor": "equals"}, "A whole number is expected."),
        ({"value:/amount_minor": "1e400"}, "A number that every program reads alike is expected."),
        ({"value:/amount_minor": "NaN"}, "A number that every program reads alike is expected."),
        ({"value:/amount_minor": "-1"}, "The most is a number of 0 or more."),
        ({"value:/currency": "GBP"}, "It is one of USD, EUR."),
        ({"value:/currency": " \n "}, "Say which value; or that it may be any."),
        ({"uses_most": "0"}, "greater than or equal to 1"),
        ({"uses_most": "1001"}, "less than or equal to 1000"),
        ({"sum_most": ""}, "This field is required."),
        ({"sum_most": "0"}, "The sum is more than 0"),
        ({"days": "31"}, "less than or equal to 30"),
        ({"acting_user": "u-2"}, "Select a valid choice"),
    ],
)
def test_what_would_stretch_is_refused_where_it_stands(
    world: World, client_for: Clients, uma: Person, said: dict[str, str], sentence: str
) -> None:
    response = client_for(uma, fresh=True).post(world.acme.url(NEW), filled(world, **said))
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert made(world) == []


def test_a_tool_that_is_defined_anew_meanwhile_is_looked_at_again(
    world: World, client_for: Clients, uma: Person
) -> None:
    seen = filled(world)
    apply(world.acme, made_of(description="Refunds, and sends a voucher"))
    response = client_for(uma, fresh=True).post(world.acme.url(NEW), seen)
    assert response.status_code == 422
    assert "The tool was defined anew while you looked." in response.content.decode()
    assert made(world) == []


def test_a_place_inside_another_and_other_types_are_asked_for_as_they_are(
    world: World, client_for: Clients, uma: Person
) -> None:
    client, url = (
        client_for(uma, fresh=True),
        world.acme.url("standing-approvals/new/?agent=refund-desk&tool=send/letter"),
    )
    page = source(client.get(url))
    assert "&lt;b&gt;Sends&lt;/b&gt; a letter" in page and "<b>Sends" not in page
    said = {
        "acting_user": "u-1",
        "kind:/to/name": "equals",
        "value:/to/name": "<i>Ann</i>",
        "kind:/to/copies": "any",
        "value:/to/copies": "",
        "kind:/urgent": "equals",
        "value:/urgent": "yes",
        "uses_most": "1",
        "days": "1",
    }
    said = {
        key: value for key, value in filled(world, "send/letter", **said).items() if key not in FILLED or key in said
    }
    refused = client.post(url, said)
    assert refused.status_code == 422 and "Write this boolean as JSON." in refused.content.decode()
    assert client.post(url, {**said, "value:/urgent": "false"}).status_code == 302
    assert [(each.pointer, each.kind, each.value) for each in queries_of(world, made(world)[0])] == [
        ("/to/copies", Kind.ANY, None),
        ("/to/name", Kind.EQUALS, "<i>Ann</i>"),
        ("/urgent", Kind.EQUALS, False),
    ]
    shown = source(client.get(world.acme.url("standing-approvals/")))
    assert "&lt;i&gt;Ann&lt;/i&gt;" in shown and "<i>Ann" not in shown


def test_tools_that_cannot_stand_are_not_offered(world: World, client_for: Clients, uma: Person) -> None:
    set_rule(world.acme, tool="refund", may_stand_at_tier_3=False)
    client = client_for(uma, fresh=True)
    chosen = source(client.get(world.acme.url("standing-approvals/new/")))
    assert "Your organisation does not allow this at tier 3." in chosen and "tool=refund" not in chosen
    assert client.post(world.acme.url(NEW), filled(world)).status_code == 422
    for query in ("agent=nobody&tool=refund", "agent=refund-desk&tool=nothing"):
        assert client.get(world.acme.url(f"standing-approvals/new/?{query}")).status_code == 404
    assert made(world) == []


def test_whoever_no_agent_knows_is_told_what_to_do(world: World, client_for: Clients) -> None:
    client = client_for(world.pete, fresh=True)
    for path in ("standing-approvals/", "standing-approvals/new/", NEW):
        assert "No agent acts in your name here" in words(client.get(world.acme.url(path)))


def test_admins_see_and_end_everybodys_and_others_only_their_own(
    world: World, client_for: Clients, uma: Person
) -> None:
    row = make(world)
    everybodys, one = world.acme.url("approvals/standing/"), world.acme.url(f"standing-approvals/{row.id}/revocation/")
    assert "Uma Rao" in words(client_for(world.audrey).get(everybodys))
    assert "revocation" not in source(client_for(world.audrey).get(everybodys))
    assert client_for(uma).get(everybodys).status_code == 403
    assert "refund-desk" not in words(client_for(world.pete).get(world.acme.url("standing-approvals/")))
    for verb in ("get", "post"):
        assert getattr(client_for(world.pete), verb)(one).status_code == 404
        assert getattr(client_for(world.audrey), verb)(one).status_code == 403
        assert (
            getattr(client_for(world.cleo), verb)(
                world.globex.url(f"standing-approvals/{row.id}/revocation/")
            ).status_code
            == 404
        )
    assert made(world)[0].ended_at is None
    assert client_for(world.ada).post(one, {"reason": "She is on leave."}).status_code == 302
    assert (made(world)[0].end_reason, made(world)[0].ended_by) == ("She is on leave.", world.ada.actor.id)


def test_a_get_ends_nothing(world: World, client_for: Clients, uma: Person) -> None:
    row = make(world)
    assert client_for(uma).get(world.acme.url(f"standing-approvals/{row.id}/revocation/")).status_code == 200
    assert made(world)[0].ended_at is None


def test_the_list_costs_as_many_statements_with_many_as_with_one(
    world: World, client_for: Clients, uma: Person
) -> None:
    client, url = client_for(uma), world.acme.url("standing-approvals/")
    make(world)
    before = statements(client, url)
    for _ in range(5):
        make(world, expires_at=clock.now() + timedelta(days=1))
    assert statements(client, url) == before
    with tenant_scope(world.acme.id):
        assert len(catalogued.agents(tenant=world.acme.id)) == 1
    assert len(re.findall("revocation", source(client.get(url)))) >= 6
