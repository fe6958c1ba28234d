"""Organisations and their settings."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.common import clock
from agentops.common.errors import InvalidInput
from agentops.common.scope import tenant_scope
from tenants import queries, services
from tenants.errors import AlreadyStaff, SlugTaken
from tenants.models import StaffAssignment, Tenant, TenantSettings, User
from tests.world import OPERATOR, PASSWORD, World

SETTINGS: dict[str, Any] = {
    "masking": "mask",
    "pseudonymise_users": False,
    "retention_days": None,
    "time_zone": "UTC",
    "idle_minutes": 15,
}


def create(**changed: Any) -> Tenant:
    values: dict[str, Any] = {
        "slug": "initech",
        "name": "Initech",
        "plan": "free",
        "owner_email": "olga@initech.example",
        "password": PASSWORD,
    }
    return services.create_tenant(**{**values, **changed}, by=OPERATOR, at=clock.now())


def change(world: World, **changed: Any) -> TenantSettings:
    with tenant_scope(world.acme.id):
        return services.change_settings(
            tenant=world.acme.id, **{**SETTINGS, **changed}, by=world.ada.actor, at=clock.now()
        )


def test_a_new_organisation_has_its_owner_its_settings_and_a_salt_of_its_own(world: World) -> None:
    tenant = create()
    with tenant_scope(tenant.id):
        [owner] = queries.members(tenant.id)
        salt = bytes(queries.settings_of(tenant.id).masking_salt)
    with tenant_scope(world.acme.id):
        other = bytes(queries.settings_of(world.acme.id).masking_salt)
    assert (owner.user.email, owner.role) == ("olga@initech.example", "owner")
    assert len(salt) == 32 and salt != other


def test_a_person_may_own_two_organisations_with_one_account(world: World) -> None:
    tenant = create(owner_email=world.ada.email, password="something else entirely")
    with tenant_scope(tenant.id):
        [owner] = queries.members(tenant.id)
    assert owner.user_id == world.ada.user.pk
    assert owner.user.check_password(PASSWORD)


def test_a_slug_that_is_taken_leaves_nothing_behind(world: World) -> None:
    with pytest.raises(SlugTaken):
        create(slug="acme")
    assert not User.objects.filter(email="olga@initech.example").exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"slug": "Not A Slug"},
        {"slug": "-x"},
        {"slug": ""},
        {"name": ""},
        {"plan": "gold"},
        {"owner_email": "nobody"},
        {"password": "short"},
    ],
    ids=str,
)
def test_an_organisation_is_made_whole_or_not_at_all(world: World, changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        create(**changed)
    assert Tenant.objects.count() == 2


def test_a_change_of_settings_says_what_it_was_and_what_it_is(world: World) -> None:
    change(world, masking="hash", retention_days=30, time_zone="Europe/Berlin")
    [entry] = world.acme.entries()
    assert entry.action == "tenant.settings_changed"
    assert entry.data == (
        '{"changes":{"masking":{"from":"mask","to":"hash"},"retention_days":{"from":null,"to":30},'
        '"time_zone":{"from":"UTC","to":"Europe/Berlin"}}}'
    )


def test_settings_that_are_the_same_leave_no_entry(world: World) -> None:
    change(world)
    assert world.acme.actions() == []


@pytest.mark.parametrize(
    "changed",
    [
        {"masking": "perhaps"},
        {"retention_days": 91},
        {"retention_days": 0},
        {"time_zone": "Mars/Olympus"},
        {"idle_minutes": 0},
        {"idle_minutes": 1441},
    ],
    ids=str,
)
def test_settings_stay_within_the_plan_and_the_product(world: World, changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        change(world, **changed)


def test_staff_roles_are_added_and_never_given_twice(world: World) -> None:
    services.create_staff(email=world.sam.email, roles=["on_call", "cost_owner"], by=OPERATOR, at=clock.now())
    assert set(StaffAssignment.objects.values_list("role", flat=True)) == {"on_call", "cost_owner"}
    with pytest.raises(AlreadyStaff):
        services.create_staff(email=world.sam.email, roles=["on_call"], by=OPERATOR, at=clock.now())
    with pytest.raises(InvalidInput):
        services.create_staff(email=world.sam.email, roles=["king"], by=OPERATOR, at=clock.now())
