"""An agent that was applied and reviewed, for every test here."""

from __future__ import annotations

import pytest

from agentops.catalog import queries as catalog
from tenants import machines
from tests.runtime.guarded import MANIFEST, Caller, apply
from tests.world import World


@pytest.fixture(autouse=True)
def _nothing_cached() -> None:
    machines.forget_cached_keys()
    catalog.forget()  # the world is copied back in with other agents under the same names


@pytest.fixture
def acme(world: World) -> Caller:
    """Acme's agents, with the refund desk applied and reviewed."""
    apply(world.acme, MANIFEST)
    return Caller(world.acme)


@pytest.fixture
def globex(world: World) -> Caller:
    """Another organisation with an agent of the same name."""
    apply(world.globex, MANIFEST)
    return Caller(world.globex)
