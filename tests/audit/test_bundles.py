"""A bundle is checked with nothing but itself, the verifier and the keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.audit.bundling import export
from tests.audit.logs import Log
from tests.world import World


@pytest.fixture
def log(world: World) -> Log:
    """Acme's, in some batches: what the world wrote names people."""
    found = Log(world.acme)
    found.seal()
    for count in (1, 4, 20):
        found.write(count)
        found.seal()
    return found


def test_a_bundle_of_the_whole_log_is_sound_and_complete(log: Log, tmp_path: Path) -> None:
    report = export(log, tmp_path / "b").verify()
    assert report.findings == []
    assert report.proves == "complete"
    assert report.counts["entries"] == report.tree_size == log.head().tree_size
