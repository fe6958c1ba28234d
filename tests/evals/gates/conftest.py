"""Acme's desk, before a gate."""

from __future__ import annotations

import pytest

from tests.evals.gates.making import Desk
from tests.world import World


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world.acme)
