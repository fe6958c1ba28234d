"""What the catalog's tests start from: the example manifest of the design, and ways to change one thing in it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from agentops.catalog import manifest, queries, services
from agentops.catalog.types import Applied
from agentops.common.scope import tenant_scope
from tests.world import OPERATOR, Organisation

AT = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)

EXAMPLE: dict[str, Any] = {
    "agent": {
        "name": "support-bot",
        "version": "2026-11-20",
        "model": "claude-sonnet-4-5-20250929",
        "models": ["claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001"],
        "prompt_hash": "sha256:9d5e",
        "caps": {"llm_calls": 20, "tool_calls": 60, "depth": 3, "tokens": 200000, "cost_usd": "2.00"},
        "repetition": {"same_tool": 5},
    },
    "tools": [
        {
            "name": "find_order",
            "version": "1",
            "description": "Looks an order up",
            "effect": "read",
            "arguments": {
                "type": "object",
                "additionalProperties": False,
                "required": ["order_id"],
                "properties": {"order_id": {"type": "string"}},
            },
        },
        {
            "name": "refund",
            "version": "3",
            "effect": "charge",
            "tier": 3,
            "reversible": {"how": "void the refund", "within_seconds": 86400},
            "cosmetic": ["/note"],
            "resource": "/order_id",
            "payee": "/order_id",
            "amount": "/amount_minor",
            "phrase": "refund {amount_minor} {currency}",
            "raise_tier": [{"when": "args.amount_minor > 50000", "because": "above 500.00"}],
            "arguments": {
                "type": "object",
                "additionalProperties": False,
                "required": ["order_id", "amount_minor", "currency"],
                "properties": {
                    "order_id": {"type": "string", "pattern": "^ord_[0-9]+$"},
                    "amount_minor": {"type": "integer"},
                    "currency": {"enum": ["USD", "EUR"]},
                    "note": {"type": "string", "maxLength": 500},
                },
            },
            "rules": [
                {
                    "code": "amount_in_range",
                    "expression": "args.amount_minor > 0 && args.amount_minor <= 500000",
                    "pointer": "/amount_minor",
                    "expected": "between 1 and 500000 minor units",
                }
            ],
            "grant": {"scope": {"order_id": "user.order_ids"}},
        },
    ],
}


@pytest.fixture
def example() -> dict[str, Any]:
    """The example, to be changed at will."""
    return copy.deepcopy(EXAMPLE)


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    """Tests share a process, and their databases' ids are new each time; still, none may help another."""
    queries.forget()
    yield
    queries.forget()


@pytest.fixture
def apply(db: None) -> Callable[..., Applied]:
    """`apply(world.acme, example, approve_tools=True)`: read a manifest and apply it."""

    def applied(organisation: Organisation, value: Any, **options: Any) -> Applied:
        read = manifest.read(value)
        with tenant_scope(organisation.id):
            return services.apply_manifest(
                tenant=organisation.id, manifest=read, **{"by": OPERATOR, "at": AT, **options}
            )

    return applied
