"""Every page stands behind a door, and every door holds: a table of all URLs against all kinds of people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from agentops.common import clock
from tenants import services
from tenants.access import Door
from tenants.roles import ROLE_PERMISSIONS, STAFF_PERMISSIONS, Permission, Role, StaffRole
from tests.guards.urls import PAGES, URLS, Url, path_to
from tests.world import OPERATOR, PASSWORD, Person, World

SIGN_IN = {"account_", "mfa_"}  # allauth's own pages, tried in tests/tenants/test_sign_in.py
# `jwks`, `audit-keys`: public keys, which whoever checks a permit or a checkpoint needs.
FOR_ANYBODY = {"healthz", "readyz", "api-schema", "jwks", "audit-keys"}
BY_ROLE = {Role.OWNER: "ada", Role.ADMIN: "ben", Role.AUDITOR: "audrey", Role.APPROVER: "pete", Role.END_USER: "uma"}
METHODS = ("get", "post")
# Only in debug, for staff: elsewhere it is not there.
DEBUG_ONLY = {"styleguide"}

# About something that is one person's: not there for the others, whatever their roles let them do with their own.
OF_ONE_PERSON = {"standing-revocation"}

Clients = Callable[..., Client]


def of_kind(kind: str) -> list[Url]:
    return [url for url in PAGES if url.door and url.door.kind == kind]


def door_of(url: Url) -> Door:
    assert url.door
    return url.door


def is_sign_in(url: Url) -> bool:
    return any(url.name.startswith(prefix) for prefix in SIGN_IN)


def test_every_url_has_a_door_a_scope_or_a_reason() -> None:
    bare = {str(url) for url in URLS if not url.door and not url.view and not is_sign_in(url)}
    assert bare <= FOR_ANYBODY, f"behind no door: {sorted(bare - FOR_ANYBODY)}; use tenants.access in urls.py"


def test_every_page_has_a_name_of_its_own() -> None:
    names = [url.name for url in URLS]
    assert "" not in names
    assert sorted(names) == sorted(set(names))


def test_there_are_pages_of_every_kind() -> None:
    assert all(of_kind(kind) for kind in ("tenant", "staff", "own", "open"))


@pytest.mark.parametrize("url", of_kind("open"), ids=str)
def test_open_pages_open(world: World, url: Url) -> None:
    assert Client().get(path_to(url, world, world.acme)).status_code == 200


@pytest.mark.parametrize("url", of_kind("own"), ids=str)
def test_own_pages_open_for_whoever_is_signed_in(world: World, client_for: Clients, url: Url) -> None:
    path = path_to(url, world, world.acme)
    nobody_is_sent_to_sign_in(path)
    response = client_for(world.stella).get(path)
    assert response.status_code == (404 if url.name in DEBUG_ONLY else 200)


# Each page is made once, with all that it is about, and tried by everybody: making takes longer than knocking.


@pytest.mark.parametrize("url", of_kind("tenant"), ids=str)
def test_the_door_of_an_organisations_page(world: World, client_for: Clients, url: Url) -> None:
    path = path_to(url, world, world.acme)
    nobody_is_sent_to_sign_in(path)
    to_strangers_it_does_not_exist(world, client_for, path)
    a_form_without_its_token_changes_nothing(world, client_for, path)
    for role in Role:
        passes_or_not(client_for(world.person(BY_ROLE[role]), fresh=True), url, path, role, world)
    who_is_deactivated_is_signed_out_at_once(world.ada, client_for, path)
    world.acme.tenant.is_active = False
    world.acme.tenant.save()
    assert client_for(world.ada, fresh=True).get(path).status_code == 404


@pytest.mark.parametrize("url", of_kind("staff"), ids=str)
def test_the_door_of_a_page_of_staff(world: World, client_for: Clients, url: Url) -> None:
    path = path_to(url, world, world.acme)
    nobody_is_sent_to_sign_in(path)
    for name in ("ada", "audrey", "stella"):
        client = client_for(world.person(name), fresh=True)
        assert client.get(path).status_code == 404, name
        assert client.post(path).status_code == 404, name
    for role in StaffRole:
        user = services.create_staff(
            email=f"{role}@agentops.example", roles=[role], password=PASSWORD, by=OPERATOR, at=clock.now()
        )
        looked = len(looks_of_staff(world))
        response = client_for(Person(user), fresh=True).get(path)
        if door_of(url).needs in STAFF_PERMISSIONS[role]:
            assert opens(response, "/staff/"), (role, response.content)
        else:
            assert response.status_code == 403, role
        # A look at an organisation is in its audit log.
        if "slug" in url.places and response.status_code != 403:
            [entry] = looks_of_staff(world)[looked:]
            assert (entry.actor_type, entry.actor_label, entry.target_id) == (
                "staff", user.email, path.partition("?")[0],
            )  # fmt: skip
    who_is_deactivated_is_signed_out_at_once(world.sam, client_for, path)


def nobody_is_sent_to_sign_in(path: str) -> None:
    for method in METHODS:
        response = getattr(Client(), method)(path)
        assert response.status_code == 302, method
        assert response["Location"].startswith("/accounts/login/?next=/"), method


def to_strangers_it_does_not_exist(world: World, client_for: Clients, path: str) -> None:
    for name in ("stella", "cleo", "sam"):
        client = client_for(world.person(name), fresh=True)
        for method in METHODS:
            response = getattr(client, method)(path)
            assert response.status_code == 404, (name, method)
            assert "Acme" not in response.content.decode(), (name, method)


def a_form_without_its_token_changes_nothing(world: World, client_for: Clients, path: str) -> None:
    client = client_for(world.ada, fresh=True)
    client.handler.enforce_csrf_checks = True
    before = world.acme.actions()
    assert client.post(path, {"name": "x", "role": "admin"}).status_code in (403, 405)
    assert world.acme.actions() == before


def passes_or_not(client: Client, url: Url, path: str, role: Role, world: World) -> None:
    needs = door_of(url).needs
    assert needs is not None
    response = client.get(path)
    if needs in ROLE_PERMISSIONS[role] and response.status_code == 404:
        assert url.name in OF_ONE_PERSON and Permission.CONFIRMATIONS_MANAGE not in ROLE_PERMISSIONS[role]
    elif needs in ROLE_PERMISSIONS[role]:
        assert opens(response, world.acme.url()), (role, response.content)
    else:
        assert response.status_code == 403, role
        assert client.post(path).status_code == 403, role


def opens(response: Any, below: str) -> bool:
    """Does a look at the page answer? One that only takes forms says so, or leads back to its list."""
    if response.status_code == 302:
        return bool(response["Location"].startswith(below))
    return response.status_code in (200, 405)


def who_is_deactivated_is_signed_out_at_once(person: Person, client_for: Clients, path: str) -> None:
    client = client_for(person, fresh=True)
    person.user.is_active = False
    person.user.save()
    response = client.get(path)
    assert response.status_code == 302 and response["Location"].startswith("/accounts/login/")
    person.user.is_active = True
    person.user.save()


def looks_of_staff(world: World) -> list[Any]:
    """In the organisation's audit log, in their order."""
    return [entry for entry in world.acme.entries() if entry.action == "staff.read"]
