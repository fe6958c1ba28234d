"""Senders and readers of one organisation, over HTTP."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from agentops.common import clock
from agentops.traces import policy
from agentops.traces.services import ingest
from tenants import machines
from tests.ingest.organisations import Travel
from tests.ingest.wire import Sender
from tests.world import World


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    """What this process remembers of organisations and keys for some seconds is of an earlier test."""
    policy.forget_cached_policies()
    machines.forget_cached_keys()
    ingest._noted.clear()


@pytest.fixture
def acme(world: World, key_for: Callable[..., str]) -> Sender:
    """Sends to Acme, and reads from it."""
    return Sender(key_for(world.acme, "ingest"), read_key=key_for(world.acme, "read"))


@pytest.fixture
def globex(world: World, key_for: Callable[..., str]) -> Sender:
    return Sender(key_for(world.globex, "ingest"), read_key=key_for(world.globex, "read"))


@pytest.fixture
def travel(monkeypatch: pytest.MonkeyPatch) -> Travel:
    """`travel(days=3)`: the product's clock is so much ahead from now on."""

    def go(**by: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: dt.datetime.now(dt.UTC) + dt.timedelta(**by))

    return go
