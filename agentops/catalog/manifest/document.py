"""A manifest from bytes to plain values, with one reading only."""

from __future__ import annotations

from typing import Any

from agentops.common import documents

MAX_BYTES = documents.MAX_BYTES
_WHAT = "manifest"


def load_json(raw: bytes) -> Any:
    """Strict JSON. Raises InvalidInput, TooLarge."""
    return documents.load_json(raw, what=_WHAT)


def load_yaml(raw: bytes) -> Any:
    """The JSON part of YAML. Raises InvalidInput, TooLarge."""
    return documents.load_yaml(raw, what=_WHAT)
