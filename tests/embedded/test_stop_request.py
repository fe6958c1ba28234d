"""A stop while the engines start: heeded inside every wait, with nothing left running."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentops.portal.engines import embedded, processes, stop_request
from tests.embedded.conftest import left_in


def test_initdb_is_ended_with_all_it_has_started(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop_request, "_is_made", True)
    with pytest.raises(stop_request.StopRequested):
        embedded.start(place / "data", durable=False)
    assert (place / "data" / "postgres.new").exists(), "initdb was not met: the test shows nothing"
    assert processes.wait_until(lambda: not processes.running_in(place / "data" / "postgres.new", "postgres"), 5)
    assert left_in(place / "data") == []

    monkeypatch.undo()
    with embedded.start(place / "data", durable=False):
        assert not (place / "data" / "postgres.new").exists()


def test_a_waiting_start_is_ended(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop_request, "_is_made", True)
    with pytest.raises(stop_request.StopRequested):
        embedded.start(data, durable=False)
    assert left_in(data) == []
