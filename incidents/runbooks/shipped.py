"""The first text for each alert class, which comes with the product: `<class>.md` beside this file."""

from __future__ import annotations

import functools
from pathlib import Path

from incidents.types import AlertClass


@functools.cache
def shipped(alert_class: AlertClass) -> tuple[str, str]:
    """Title and text. The title is the first line, a heading."""
    text = (Path(__file__).parent / f"{AlertClass(alert_class).value}.md").read_text(encoding="utf-8")
    title, _, body = text.partition("\n")
    return title.removeprefix("# ").strip(), body.strip() + "\n"
