"""Approver groups: whose they are, who is in them, and what becomes of them when people leave."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from agentops.common import clock
from agentops.common.errors import InvalidInput, NotFound
from agentops.common.scope import tenant_scope
from tenants import queries, services
from tenants.errors import GroupNameTaken
from tenants.models import ApproverGroup
from tests.world import OPERATOR, Organisation, Person, World


def make(organisation: Organisation, *people: Person, name: str = "Finance") -> ApproverGroup:
    with tenant_scope(organisation.id):
        return services.create_group(
            tenant=organisation.id,
            name=name,
            members=[person.user.pk for person in people],
            by=OPERATOR,
            at=clock.now(),
        )


def change(organisation: Organisation, group: uuid.UUID, *people: Person, name: str = "Finance") -> ApproverGroup:
    with tenant_scope(organisation.id):
        return services.change_group(
            tenant=organisation.id,
            group=group,
            name=name,
            members=[person.user.pk for person in people],
            by=OPERATOR,
            at=clock.now(),
        )


def in_group(organisation: Organisation, group: uuid.UUID) -> list[str]:
    with tenant_scope(organisation.id):
        return [each.user.email for each in queries.approver_group(organisation.id, group).members]


def test_a_group_has_a_name_and_members_and_leaves_its_entries(world: World) -> None:
    group = make(world.acme, world.pete, world.ben)
    assert in_group(world.acme, group.id) == ["ben@acme.example", "pete@acme.example"]
    change(world.acme, group.id, world.pete, name="Money")
    change(world.acme, group.id, world.pete, name="Money")
    with tenant_scope(world.acme.id):
        services.remove_group(tenant=world.acme.id, group=group.id, by=OPERATOR, at=clock.now())
        assert queries.approver_groups(world.acme.id) == []
    assert world.acme.actions() == ["approver_group.created", "approver_group.changed", "approver_group.removed"]
    assert world.acme.entries()[1].told() == {"name": "Money", "members": ["pete@acme.example"]}


def test_whoever_leaves_the_organisation_is_in_none_of_its_groups(world: World) -> None:
    group = make(world.acme, world.pete, world.ben)
    assert world.pete.membership_id
    with tenant_scope(world.acme.id):
        services.remove_member(tenant=world.acme.id, member=world.pete.membership_id, by=OPERATOR, at=clock.now())
    assert world.acme.actions() == ["approver_group.created", "approver_group.changed", "member.removed"]
    assert not world.pete.user.groups.exists()
    with tenant_scope(world.acme.id):
        services.add_member(tenant=world.acme.id, email=world.pete.email, role="approver", by=OPERATOR, at=clock.now())
    assert in_group(world.acme, group.id) == ["ben@acme.example"], "coming back brings nothing back"


def test_leaving_one_organisation_leaves_the_groups_of_another_alone(world: World) -> None:
    with tenant_scope(world.globex.id):
        services.add_member(
            tenant=world.globex.id, email=world.pete.email, role="approver", by=OPERATOR, at=clock.now()
        )
    theirs = make(world.globex, world.pete)
    make(world.acme, world.pete)
    assert world.pete.membership_id
    with tenant_scope(world.acme.id):
        services.remove_member(tenant=world.acme.id, member=world.pete.membership_id, by=OPERATOR, at=clock.now())
    assert in_group(world.globex, theirs.id) == ["pete@acme.example"]


def test_nobody_from_outside_gets_into_a_group(world: World) -> None:
    for stranger in (world.cleo, world.stella, world.sam):
        with pytest.raises(InvalidInput):
            make(world.acme, world.pete, stranger)
    group = make(world.acme, world.pete)
    with pytest.raises(InvalidInput):
        change(world.acme, group.id, world.cleo)
    assert in_group(world.acme, group.id) == ["pete@acme.example"]


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\0b", "a\u202eb", "tab\x07"])
def test_a_name_that_cannot_be_read_is_none(world: World, name: str) -> None:
    with pytest.raises(InvalidInput):
        make(world.acme, name=name)


def test_a_name_is_given_once_an_organisation_however_it_is_written(world: World) -> None:
    make(world.acme, name="Finance")
    with pytest.raises(GroupNameTaken):
        make(world.acme, name="finance ")
    other = make(world.acme, name="Legal")
    with pytest.raises(GroupNameTaken):
        change(world.acme, other.id, name="FINANCE")
    assert make(world.globex, name="Finance").name == "Finance"


@pytest.mark.parametrize(
    "verb", [lambda **of: services.change_group(name="X", members=[], **of), lambda **of: services.remove_group(**of)]
)
def test_anothers_group_does_not_exist(world: World, verb: Any) -> None:
    group = make(world.acme, world.pete)
    with tenant_scope(world.globex.id):
        assert queries.approver_groups(world.globex.id) == []
        with pytest.raises(NotFound):
            queries.approver_group(world.globex.id, group.id)
        with pytest.raises(NotFound):
            verb(tenant=world.globex.id, group=group.id, by=OPERATOR, at=clock.now())
    assert in_group(world.acme, group.id) == ["pete@acme.example"]
