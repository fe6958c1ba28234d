"""Which tests share a worker. A file of races or faults goes whole to the one worker that has its kind; a file of journeys
goes whole to whoever is free, as they mostly wait for the browser.

xdist's own `--dist loadgroup` (3.8) writes groups into node ids in a way that pytest 9.2 does not read: it groups nothing
and says nothing. A file is of a kind if it carries the mark, so a file that has one has only such tests.
"""

from __future__ import annotations

import functools
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

KINDS = ("race", "fault", "journey")


@functools.cache
def kind_of(file: Path) -> str | None:
    """The kind whose mark a test file carries."""
    text = file.read_text(encoding="utf-8")
    return next((kind for kind in KINDS if f"pytest.mark.{kind}" in text), None)


class ByKind(LoadScopeScheduling):
    """Each ordinary test goes to whoever is free."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        kind = kind_of(self.config.rootpath / file)
        return file if kind == "journey" else kind or nodeid
