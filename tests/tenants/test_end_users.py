"""Which of the customer's own users a member is: in whose name they confirm."""

from __future__ import annotations

import pytest

from agentops.common import clock
from agentops.common.errors import InvalidInput, NotFound
from agentops.common.scope import tenant_scope
from tenants import queries, services
from tenants.errors import EndUserTaken
from tests.world import OPERATOR, Organisation, Person, World


def link(organisation: Organisation, person: Person, name: str) -> None:
    assert person.membership_id
    with tenant_scope(organisation.id):
        services.link_end_user(
            tenant=organisation.id, member=person.membership_id, external_id=name, by=OPERATOR, at=clock.now()
        )


def unlink(organisation: Organisation, person: Person, name: str) -> None:
    assert person.membership_id
    with tenant_scope(organisation.id):
        services.unlink_end_user(
            tenant=organisation.id, member=person.membership_id, external_id=name, by=OPERATOR, at=clock.now()
        )


def known_as(organisation: Organisation, person: Person) -> list[str]:
    with tenant_scope(organisation.id):
        return queries.end_users_of(organisation.id, person.user.pk)


def account(organisation: Organisation, name: str) -> int | None:
    with tenant_scope(organisation.id):
        return queries.account_of(organisation.id, name)


def test_a_member_is_an_end_user_once_somebody_said_so(world: World) -> None:
    link(world.acme, world.uma, "u-1")
    link(world.acme, world.uma, " u-1 ")
    assert known_as(world.acme, world.uma) == ["u-1"]
    assert account(world.acme, "u-1") == world.uma.user.pk
    unlink(world.acme, world.uma, "u-1")
    assert known_as(world.acme, world.uma) == [] and account(world.acme, "u-1") is None
    assert world.acme.actions() == ["end_user.linked", "end_user.unlinked"]
    assert world.acme.entries()[0].told() == {"member": "uma@acme.example", "end_user": "u-1"}


def test_one_end_user_is_one_person(world: World) -> None:
    link(world.acme, world.uma, "u-1")
    with pytest.raises(EndUserTaken):
        link(world.acme, world.pete, "u-1")
    with pytest.raises(NotFound):
        unlink(world.acme, world.pete, "u-1")
    assert account(world.acme, "u-1") == world.uma.user.pk


def test_whoever_leaves_or_is_deactivated_is_no_end_user_any_more(world: World) -> None:
    link(world.acme, world.uma, "u-1")
    link(world.acme, world.pete, "u-2")
    world.pete.user.is_active = False
    world.pete.user.save()
    assert account(world.acme, "u-2") is None
    assert world.uma.membership_id
    with tenant_scope(world.acme.id):
        services.remove_member(tenant=world.acme.id, member=world.uma.membership_id, by=OPERATOR, at=clock.now())
    assert account(world.acme, "u-1") is None
    assert world.acme.actions()[2:] == ["end_user.unlinked", "member.removed"]


def test_the_same_id_elsewhere_is_somebody_else(world: World) -> None:
    link(world.acme, world.uma, "u-1")
    link(world.globex, world.cleo, "u-1")
    assert (account(world.acme, "u-1"), account(world.globex, "u-1")) == (world.uma.user.pk, world.cleo.user.pk)
    with pytest.raises(NotFound):
        link(world.globex, world.uma, "u-9")


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "a\0b", "a\u202eb"])
def test_an_id_that_cannot_be_read_is_none(world: World, name: str) -> None:
    with pytest.raises(InvalidInput):
        link(world.acme, world.uma, name)
