"""Where a request came from stands in the entries it leaves, as far as it can be believed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from audit.models import Entry
from tests.world import World


def saved(world: World, client: Client, **headers: str) -> Entry:
    search = {"name": f"Failed {len(world.acme.entries())}", "query": "status=error"}
    made = client.post(world.acme.url("searches/"), search, headers=headers, REMOTE_ADDR="192.0.2.7")
    assert made.status_code in (200, 302), made.content
    entry = world.acme.entries()[-1]
    assert entry.action == "search.saved"
    return entry


def test_a_persons_request_is_told_by_address_program_and_session(
    world: World, client_for: Callable[..., Client]
) -> None:
    entry = saved(world, client_for(world.ada), **{"user-agent": "Firefox/140"})
    assert (entry.src_ip, entry.user_agent, entry.auth_method) == ("192.0.2.7", "Firefox/140", "session")


def test_a_forwarded_address_is_the_clients_own_word_unless_proxies_are_ours(
    world: World, client_for: Callable[..., Client], settings: Any
) -> None:
    told = {"x-forwarded-for": "198.51.100.1, 203.0.113.9, 10.0.0.3"}
    assert saved(world, client_for(world.ada), **told).src_ip == "192.0.2.7"
    settings.TRUSTED_PROXIES = 2
    assert saved(world, client_for(world.ben), **told).src_ip == "203.0.113.9"
    settings.TRUSTED_PROXIES = 4
    assert saved(world, client_for(world.ada), **told).src_ip == "192.0.2.7"


@pytest.mark.parametrize("told", ["not an address", "<script>", "1.2.3.4.5", "x" * 5_000])
def test_what_is_no_address_is_left_out(
    world: World, client_for: Callable[..., Client], settings: Any, told: str
) -> None:
    settings.TRUSTED_PROXIES = 1
    assert saved(world, client_for(world.ada), **{"x-forwarded-for": told}).src_ip == ""


def test_a_program_that_says_too_much_is_cut(world: World, client_for: Callable[..., Client]) -> None:
    assert saved(world, client_for(world.ada), **{"user-agent": "ü" * 5_000}).user_agent == "ü" * 300


def test_a_key_that_changes_something_is_told_and_the_guard_is_not_slowed(
    world: World, key_for: Callable[..., str]
) -> None:
    key = key_for(world.acme, "admin")
    answer: Any = Client().post(
        "/api/v1/kill-switches",
        {"scope": "tenant", "mode": "block_new", "reason": "drill"},
        content_type="application/json",
        headers={"authorization": f"Bearer {key}", "user-agent": "curl/8"},
        REMOTE_ADDR="192.0.2.8",
    )
    assert answer.status_code == 201
    entry = world.acme.entries()[-1]
    assert (entry.src_ip, entry.user_agent, entry.auth_method) == ("192.0.2.8", "curl/8", "api_key")
