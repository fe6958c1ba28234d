"""The same promise through every URL: with another's things in its places, a URL finds nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from tenants import machines
from tests.guards.urls import MACHINES, PAGES, Url, path_to, scope_of
from tests.world import World

PAGES_OF_THINGS = [url for url in PAGES if url.door and url.door.kind == "tenant" and url.places != {"slug"}]
MACHINES_OF_THINGS = [url for url in MACHINES if url.places and hasattr(url.view, "get")]


@pytest.mark.parametrize("url", PAGES_OF_THINGS, ids=str)
@pytest.mark.parametrize("method", ["get", "post"])
def test_anothers_things_are_not_found_under_ones_own_name(
    world: World, client_for: Callable[..., Client], url: Url, method: str
) -> None:
    path = path_to(url, world, world.globex, things_of=world.acme)
    before = world.acme.actions()
    client = client_for(world.cleo, fresh=True)
    response = getattr(client, method)(path, {"role": "auditor", "action": "delete", "name": "x"})
    assert response.status_code in (404, 405) or (method == "get" and response.status_code == 302)
    assert world.acme.actions() == before


@pytest.mark.parametrize("url", MACHINES_OF_THINGS, ids=str)
def test_anothers_things_are_not_found_with_ones_own_key(world: World, key_for: Callable[..., str], url: Url) -> None:
    machines.forget_cached_keys()
    path, scope = path_to(url, world, world.acme), scope_of(url, "get")
    mine, theirs = (
        Client().get(path, headers={"authorization": f"Bearer {key_for(organisation, scope)}"}).status_code
        for organisation in (world.acme, world.globex)
    )
    assert (mine, theirs) == (200, 404)
