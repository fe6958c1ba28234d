"""Serves plotly.js from the plotly package as `plotly/plotly.min.js`: nothing is copied into the repository."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

NAME = "plotly.min.js"


class PlotlyFinder(BaseFinder):
    """Finds one file. The package itself is not imported: that takes a second and a lot of memory."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        spec = find_spec("plotly")
        self.folder = (
            Path(spec.submodule_search_locations[0]) / "package_data"
            if spec and spec.submodule_search_locations
            else None
        )

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        found = str(self.folder / NAME) if self.folder and path == f"plotly/{NAME}" else None
        if find_all:
            return [found] if found else []
        return found or []

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterable[Any]:
        if self.folder:
            storage = FileSystemStorage(location=self.folder)
            storage.prefix = "plotly"  # type: ignore[attr-defined]  # collectstatic reads it
            yield NAME, storage
