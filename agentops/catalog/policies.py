"""Pure decisions of the catalog: values in, a value out."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agentops.catalog.types import GATE_OPEN, Effect, Gate

HIGHEST_TIER = 4
APPROVERS_NEEDED = 2  # for tier 4: two different people

DEFAULT_TIER: Mapping[Effect, int] = {
    Effect.READ: 1,
    Effect.WRITE: 2,
    Effect.SEND: 2,
    Effect.DELETE: 3,
    Effect.CHARGE: 3,
    Effect.ESCALATE: 3,
}
"""The tier of a tool whose manifest names none."""

_EXACT = re.compile(
    r"(?:19|20)\d{6}"  # claude-sonnet-4-5-20250929
    r"|\d{4}-\d{2}-\d{2}"  # gpt-4o-2024-08-06
    r"|[-@]\d{4}(?:$|[:@])"  # gpt-4-0613, mistral-large-2411
    r"|-\d{3}(?:$|[:@])"  # gemini-2.0-flash-001
    r"|-\d{2}-\d{2}(?:$|[:@])"  # gemini-2.5-pro-preview-05-20
    r"|-\d{2}-\d{4}(?:$|[:@])"  # gemini-2.5-flash-preview-09-2025
    r"|sha256:[0-9a-f]{12,}"
)


def is_floating(model: str) -> bool:
    """Does a model's name leave open which weights answer? Then its behaviour can change without a change here."""
    return "latest" in model.lower() or _EXACT.search(model) is None


def needs_reason(effect: Effect, tier: int) -> bool:
    """Nobody is asked before a call of tier 1: for what changes the world, somebody says why that is right."""
    return tier == 1 and effect != Effect.READ


def may_be_approved(gate: Gate, *, is_gated: bool) -> bool:
    """Does a version's gate let it be approved? An agent whose versions must pass one has no version without."""
    return gate in GATE_OPEN and not (is_gated and gate == Gate.NONE)
