"""Money of one organisation."""

from __future__ import annotations

import pytest

from tests.budgets.money import Purse
from tests.world import World


@pytest.fixture
def purse(world: World) -> Purse:
    return Purse(world.acme.id).priced()
