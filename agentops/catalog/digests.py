"""What makes a definition the same definition: `sha256:` over its RFC 8785 bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import rfc8785


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of a value that the manifest's reader let in."""
    return rfc8785.dumps(value)


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def of(value: Any) -> str:
    return digest(canonical(value))


def tool_definitions(tools: Iterable[tuple[str, str, Any]]) -> str:
    """The digest of a tool list as a model is told it, (name, description, argument schema) each; "" for none.

    The same as ingest computes from spans (traces/normalise/hashes.py), so that what ran can be compared with what was
    approved.
    """
    listed = sorted(
        ({"name": name, "description": description, "parameters": schema} for name, description, schema in tools),
        key=lambda tool: str(tool["name"]),
    )
    return of(listed) if listed else ""
