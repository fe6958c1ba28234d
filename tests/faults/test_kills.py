"""`kill -9` of each process under load, at random instants. `manage.py bench faults --rounds 200` does the same for longer."""

from __future__ import annotations

import pytest

from agentops.portal.bench import faults, product

pytestmark = pytest.mark.fault


def test_what_was_acknowledged_is_there_once_whatever_is_killed() -> None:
    found = faults.run(rounds=10)
    assert found["sound"], found
    assert found["kills"] == dict.fromkeys(product.TARGETS, 2), found
    assert found["batches_sent_again"] > 0, "no kill met a request: the test shows nothing"
