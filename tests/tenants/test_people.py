"""Who belongs to an organisation."""

from __future__ import annotations

import uuid

import pytest

from agentops.common import clock
from agentops.common.errors import Forbidden, InvalidInput, NotFound
from agentops.common.scope import ScopeError, tenant_scope
from tenants import queries, services
from tenants.errors import AccountDeactivated, AlreadyMember, LastOwner, OwnersOnly
from tenants.models import Membership, User
from tests.world import OPERATOR, PASSWORD, Person, World


def add(world: World, *, email: str, role: str, by: Person, password: str | None = None) -> User:
    with tenant_scope(world.acme.id):
        added = services.add_member(
            tenant=world.acme.id, email=email, role=role, password=password, by=by.actor, at=clock.now()
        )
    return added.user


def change(world: World, member: Person, role: str, *, by: Person) -> None:
    assert member.membership_id
    with tenant_scope(world.acme.id):
        services.change_role(tenant=world.acme.id, member=member.membership_id, role=role, by=by.actor, at=clock.now())


def remove(world: World, member: Person, *, by: Person) -> None:
    assert member.membership_id
    with tenant_scope(world.acme.id):
        services.remove_member(tenant=world.acme.id, member=member.membership_id, by=by.actor, at=clock.now())


def roles(world: World) -> dict[str, str]:
    with tenant_scope(world.acme.id):
        return {m.user.email.split("@")[0]: m.role for m in queries.members(world.acme.id)}


def test_an_admin_adds_a_person_whose_account_nobody_can_enter_yet(world: World) -> None:
    user = add(world, email=" New@Acme.example ", role="approver", by=world.ben)
    assert user.email == "new@acme.example"
    assert not user.has_usable_password()
    [entry] = world.acme.entries()
    assert (entry.action, entry.actor_label) == ("member.added", world.ben.email)
    assert entry.told() == {"member": "new@acme.example", "role": "approver"}


def test_adding_somebody_who_has_an_account_never_touches_their_password(world: World) -> None:
    user = add(world, email=world.cleo.email, role="auditor", by=world.ada, password="another long password")
    assert user.pk == world.cleo.user.pk
    assert User.objects.get(pk=user.pk).check_password(PASSWORD)


def test_a_person_is_a_member_once(world: World) -> None:
    with pytest.raises(AlreadyMember, match="already, as auditor"):
        add(world, email=world.audrey.email.upper(), role="admin", by=world.ada)
    assert world.acme.actions() == []


@pytest.mark.parametrize(
    ("email", "role", "password", "pointer"),
    [
        ("not an address", "admin", None, "/email"),
        ("new@acme.example", "king", None, "/role"),
        ("new@acme.example", "admin", "short", "/password"),
        ("new@acme.example", "admin", "new@acme.example", "/password"),
    ],
)
def test_wrong_input_is_refused_with_its_place(
    world: World, email: str, role: str, password: str | None, pointer: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        add(world, email=email, role=role, by=world.ada, password=password)
    assert refusal.value.problems[0].pointer == pointer
    assert not User.objects.filter(email="new@acme.example").exists()


def test_a_deactivated_account_is_not_added(world: World) -> None:
    User.objects.filter(pk=world.stella.user.pk).update(is_active=False)
    with pytest.raises(AccountDeactivated):
        add(world, email=world.stella.email, role="auditor", by=world.ada)


def test_only_an_owner_makes_an_owner(world: World) -> None:
    with pytest.raises(OwnersOnly):
        add(world, email="new@acme.example", role="owner", by=world.ben)
    with pytest.raises(OwnersOnly):
        change(world, world.ben, "owner", by=world.ben)
    change(world, world.ben, "owner", by=world.ada)
    assert roles(world)["ben"] == "owner"


def test_an_admin_neither_demotes_nor_removes_an_owner(world: World) -> None:
    change(world, world.audrey, "owner", by=world.ada)
    with pytest.raises(OwnersOnly):
        change(world, world.audrey, "auditor", by=world.ben)
    with pytest.raises(OwnersOnly):
        remove(world, world.audrey, by=world.ben)


@pytest.mark.parametrize("name", ["audrey", "pete", "uma", "cleo", "stella", "sam"])
def test_nobody_below_an_admin_and_nobody_from_outside_changes_members(world: World, name: str) -> None:
    with pytest.raises(Forbidden):
        change(world, world.uma, "admin", by=world.person(name))
    assert roles(world)["uma"] == "end_user"


def test_the_last_owner_stays_an_owner(world: World) -> None:
    with pytest.raises(LastOwner, match="only owner"):
        change(world, world.ada, "admin", by=world.ada)
    with pytest.raises(LastOwner):
        remove(world, world.ada, by=world.ada)
    assert world.acme.actions() == []


def test_an_owner_whose_account_is_deactivated_does_not_count_as_another_owner(world: World) -> None:
    change(world, world.ben, "owner", by=world.ada)
    User.objects.filter(pk=world.ben.user.pk).update(is_active=False)
    with pytest.raises(LastOwner):
        remove(world, world.ada, by=world.ada)


def test_the_same_role_again_changes_nothing_and_leaves_no_entry(world: World) -> None:
    change(world, world.pete, "approver", by=world.ada)
    assert world.acme.actions() == []


def test_a_change_and_a_removal_leave_their_entries_in_order(world: World) -> None:
    change(world, world.pete, "auditor", by=world.ben)
    remove(world, world.pete, by=world.ben)
    assert world.acme.actions() == ["member.role_changed", "member.removed"]
    assert "pete" not in roles(world)
    assert User.objects.filter(email=world.pete.email).exists(), "the account stays"


def test_a_member_of_another_organisation_is_not_found(world: World) -> None:
    assert world.cleo.membership_id
    for member in (world.cleo.membership_id, uuid.uuid4()):
        with tenant_scope(world.acme.id), pytest.raises(NotFound):
            services.remove_member(tenant=world.acme.id, member=member, by=world.ada.actor, at=clock.now())
    with tenant_scope(world.globex.id):
        assert Membership.objects.filter(tenant_id=world.globex.id).count() == 1


def test_members_change_only_in_their_own_scope(world: World) -> None:
    assert world.pete.membership_id
    with tenant_scope(world.globex.id), pytest.raises(ScopeError):
        services.remove_member(tenant=world.acme.id, member=world.pete.membership_id, by=OPERATOR, at=clock.now())
