"""`bench audit`: the log written, sealed, browsed and verified, and what it costs ingest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agentops.portal.bench import audit_browse, audit_ingest, audit_seal, audit_verify

PARTS = ("ingest", "seal", "browse", "verify")


def run(
    *,
    parts: list[str],
    entries: int,
    tenants: int,
    spans: int,
    many: int,
    repeat: int,
    keep: bool,
    fill_only: bool,
    say: Callable[[str], object],
) -> dict[str, Any]:
    """The figures of the parts asked for, each under its name. `entries` are for browsing, `many` for the others."""
    runs: dict[str, Callable[[], dict[str, Any]]] = {
        "ingest": lambda: audit_ingest.run(spans=spans),
        "seal": lambda: audit_seal.run(entries=many),
        "browse": lambda: audit_browse.run(
            entries=entries, tenants=tenants, repeat=repeat, keep=keep, fill_only=fill_only, say=say
        ),
        "verify": lambda: audit_verify.run(entries=many, say=say),
    }
    if fill_only:
        return {"browse": runs["browse"]()}
    figures: dict[str, Any] = {}
    for name in PARTS:
        if name in parts:
            say(f"measuring: {name}")
            figures[name] = runs[name]()
    return figures | {"sound": figures.get("verify", {}).get("sound", True)}
