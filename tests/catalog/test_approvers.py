"""Who may approve: those named on the tool, else on the agent, else everybody whose role approves."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from agentops.catalog import queries, services
from agentops.catalog.errors import AgentUnknown, ApproversMissing, ToolUnknown
from agentops.catalog.types import Applied, ApprovedKind, Review
from agentops.common import clock
from agentops.common.errors import InvalidInput, NotFound
from agentops.common.scope import tenant_scope
from tenants import services as tenants
from tenants.errors import GroupInUse
from tests.tenants.test_groups import change, make
from tests.world import OPERATOR, Organisation, Person, World

Apply = Callable[..., Applied]
TOOL, AGENT = ApprovedKind.TOOL, ApprovedKind.AGENT


@pytest.fixture(autouse=True)
def _applied(world: World, apply: Apply, example: dict[str, Any]) -> None:
    for organisation in (world.acme, world.globex):
        apply(organisation, example)
        organisation.skip_entries()


def name(
    organisation: Organisation,
    who: Person | uuid.UUID,
    *,
    kind: ApprovedKind = TOOL,
    on: str = "refund",
    verb: Callable[..., None] = services.name_approver,
) -> None:
    of = {"group": who} if isinstance(who, uuid.UUID) else {"user": who.user.pk}
    with tenant_scope(organisation.id):
        verb(tenant=organisation.id, kind=kind, name=on, **of, by=OPERATOR, at=clock.now())


def may(organisation: Organisation, *, agent: str = "support-bot", tool: str = "refund") -> set[int]:
    with tenant_scope(organisation.id):
        return set(queries.approvers(tenant=organisation.id, agent=agent, tool=tool).user_ids)


def ids(*people: Person) -> set[int]:
    return {person.user.pk for person in people}


def test_with_nobody_named_every_approver_may_and_nobody_else(world: World) -> None:
    assert may(world.acme) == ids(world.ada, world.ben, world.pete)
    assert may(world.globex) == ids(world.cleo)


def test_who_is_named_on_the_tool_comes_before_who_is_named_on_the_agent(world: World) -> None:
    name(world.acme, world.ben, kind=AGENT, on="support-bot")
    assert may(world.acme) == ids(world.ben)
    name(world.acme, world.pete)
    assert may(world.acme) == ids(world.pete)
    assert may(world.acme, tool="find_order") == ids(world.ben)
    assert may(world.acme, agent="another", tool="find_order") == ids(world.ada, world.ben, world.pete)
    assert may(world.acme, agent="another") == ids(world.pete), "a tool's names hold for every agent"


def test_a_group_stands_for_its_people_as_they_are_now(world: World) -> None:
    group = make(world.acme, world.pete, world.uma)
    name(world.acme, group.id)
    assert may(world.acme) == ids(world.pete), "Uma's role approves nothing"
    change(world.acme, group.id, world.ben)
    assert may(world.acme) == ids(world.ben)
    name(world.acme, world.ada)
    assert may(world.acme) == ids(world.ben, world.ada)


def test_names_stay_when_people_leave_so_that_nobody_else_gets_their_power(world: World) -> None:
    group = make(world.acme, world.pete)
    name(world.acme, world.pete)
    name(world.acme, group.id, kind=AGENT, on="support-bot")
    assert world.pete.membership_id
    with tenant_scope(world.acme.id):
        tenants.remove_member(tenant=world.acme.id, member=world.pete.membership_id, by=OPERATOR, at=clock.now())
    assert may(world.acme) == set()
    assert may(world.acme, tool="find_order") == set()


@pytest.mark.parametrize("lost", ["role", "account"])
def test_who_lost_the_role_or_the_account_may_no_more(world: World, lost: str) -> None:
    name(world.acme, world.pete)
    if lost == "account":
        world.pete.user.is_active = False
        world.pete.user.save()
    else:
        assert world.pete.membership_id
        with tenant_scope(world.acme.id):
            tenants.change_role(
                tenant=world.acme.id, member=world.pete.membership_id, role="auditor", by=OPERATOR, at=clock.now()
            )
    assert may(world.acme) == set()


def test_with_the_last_name_taken_back_everybody_may_again(world: World) -> None:
    name(world.acme, world.pete)
    name(world.acme, world.pete)
    name(world.acme, world.pete, verb=services.unname_approver)
    assert may(world.acme) == ids(world.ada, world.ben, world.pete)
    assert world.acme.actions() == ["approvers.granted", "approvers.revoked"]
    assert world.acme.entries()[0].told() == {"who": "pete@acme.example", "kind": "tool", "name": "refund"}
    with pytest.raises(NotFound):
        name(world.acme, world.pete, verb=services.unname_approver)


def test_only_people_whose_role_approves_can_be_named(world: World) -> None:
    for person in (world.audrey, world.uma):
        with pytest.raises(InvalidInput):
            name(world.acme, person)
    for person in (world.cleo, world.stella, world.sam):
        with pytest.raises(NotFound):
            name(world.acme, person)
    assert may(world.acme) == ids(world.ada, world.ben, world.pete)


def test_what_is_not_there_has_nobody_named(world: World) -> None:
    with pytest.raises(ToolUnknown):
        name(world.acme, world.pete, on="transfer")
    with pytest.raises(AgentUnknown):
        name(world.acme, world.pete, kind=AGENT, on="refund")


def test_one_organisations_names_and_groups_mean_nothing_to_another(world: World) -> None:
    group = make(world.acme, world.pete)
    with pytest.raises(NotFound):
        name(world.globex, group.id)
    name(world.acme, group.id)
    assert may(world.globex) == ids(world.cleo)


def test_a_group_that_approves_something_cannot_be_removed(world: World) -> None:
    group = make(world.acme, world.pete)
    name(world.acme, group.id)
    with tenant_scope(world.acme.id), pytest.raises(GroupInUse) as refusal:
        tenants.remove_group(tenant=world.acme.id, group=group.id, by=OPERATOR, at=clock.now())
    assert refusal.value.detail == "Finance approves one agent or tool. Take it off there first."
    name(world.acme, group.id, verb=services.unname_approver)
    with tenant_scope(world.acme.id):
        tenants.remove_group(tenant=world.acme.id, group=group.id, by=OPERATOR, at=clock.now())


def test_a_tool_of_tier_4_needs_two_among_those_who_are_named(
    world: World, apply: Apply, example: dict[str, Any]
) -> None:
    name(world.acme, world.pete)
    example["tools"][1] |= {"tier": 4, "version": "4"}
    with pytest.raises(ApproversMissing) as refusal:
        apply(world.acme, example)
    assert "has 1 who could (named on the tool)" in refusal.value.detail
    name(world.acme, world.ben)
    assert apply(world.acme, example).tools[1].tier == 4


def test_a_reviewer_cannot_set_tier_4_either_where_an_agent_has_one_name(
    world: World, apply: Apply, example: dict[str, Any]
) -> None:
    name(world.acme, world.pete, kind=AGENT, on="support-bot")
    with tenant_scope(world.acme.id):
        tool = queries.tool_versions(tenant=world.acme.id, tool="refund")[0].id
        with pytest.raises(ApproversMissing) as refusal:
            services.review_tool_version(
                tenant=world.acme.id,
                tool_version=tool,
                verdict=Review.APPROVED,
                tier=4,
                reason="money",
                by=OPERATOR,
                at=clock.now(),
            )
    assert "named on the agent" in refusal.value.detail
