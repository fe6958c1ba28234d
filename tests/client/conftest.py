"""`agentops_client`, as its distribution installs it: the directory agentops/client under that name, and nothing else.

A built wheel would need a build back end on the machine; the mapping is the one of agentops/client/pyproject.toml, which
test_package.py reads.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.desk import Desk, open_desk
from tests.server import Portal
from tests.stubs.portal import StubPortal, stub_portal
from tests.world import World

PACKAGE = Path(__file__).resolve().parents[2] / "agentops" / "client"


def _install() -> None:
    if "agentops_client" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(
        "agentops_client", PACKAGE / "__init__.py", submodule_search_locations=[str(PACKAGE)]
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["agentops_client"] = module
    spec.loader.exec_module(module)


_install()
# Frameworks that report home by themselves, told not to before any test module imports them.
os.environ |= {"OPENAI_AGENTS_DISABLE_TRACING": "1", "LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false"}


@pytest.fixture
def stub() -> Iterator[StubPortal]:
    """A portal that answers what the test tells it to."""
    with stub_portal() as running:
        yield running


@pytest.fixture
def client(stub: StubPortal) -> Iterator[Any]:
    """A Client of the stub."""
    from agentops_client import Client

    with Client(stub.url, "aok_key", retry_seconds=10.0, patience_seconds=10.0, timeout_seconds=10.0) as made:
        yield made


@pytest.fixture
def run_of(client: Any) -> Callable[..., Any]:
    """`with run_of() as run:` a run of the stub."""

    def started(**more: Any) -> Any:
        return client.run(agent="support-bot", agent_version="1", user="ann", **more)

    return started


@pytest.fixture
def desk(live_portal: Portal, world: World) -> Desk:
    """The refund desk on the real portal."""
    return open_desk(live_portal, world.acme)
