"""`kill -9` while agents ask the guard. `manage.py bench guard-faults --rounds 200` does the same for longer."""

from __future__ import annotations

import pytest

from agentops.portal.bench import guard_faults

pytestmark = pytest.mark.fault


def test_no_call_is_charged_twice_none_is_free_and_no_slot_is_held_whatever_is_killed() -> None:
    found = guard_faults.run(rounds=10)
    assert found["sound"], found
    assert found["kills"] == dict.fromkeys(guard_faults.TARGETS, 2), found
    assert found["requests_sent_again"] > 0, "no kill met a request: the test shows nothing"
