"""The pages on which people decide."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from agentops.catalog import queries as catalog
from tenants import machines
from tests.confirmations.deciding import Bank
from tests.traces.pages import words
from tests.world import World

Clients = Callable[..., Client]


@pytest.fixture
def bank(world: World) -> Bank:
    machines.forget_cached_keys()
    catalog.forget()
    return Bank(world)


def test_the_page_of_tier_2(bank: Bank, client_for: Clients, world: World) -> None:
    asked = bank.asked("send_letter")
    print(words(client_for(world.uma).get(asked.url())))
