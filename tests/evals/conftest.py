"""Machines of both organisations, as quality meets them."""

from __future__ import annotations

import pytest

from agentops.traces import policy
from agentops.traces.services import ingest
from tenants import machines


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    """What this process remembers of organisations and keys for some seconds is of an earlier test."""
    policy.forget_cached_policies()
    machines.forget_cached_keys()
    ingest._noted.clear()
