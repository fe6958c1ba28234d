"""Acme's desk, where u-1 is Uma."""

from __future__ import annotations

import pytest

from agentops.catalog import queries as catalog
from agentops.confirmations import queries
from tenants import machines
from tests.confirmations.asked import Desk, link
from tests.world import World


@pytest.fixture(autouse=True)
def _nothing_cached() -> None:
    machines.forget_cached_keys()
    catalog.forget()
    queries.forget_rules()


@pytest.fixture
def desk(world: World) -> Desk:
    link(world.acme, world.uma, "u-1")
    return Desk(world.acme)
