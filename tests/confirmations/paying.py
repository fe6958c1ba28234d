"""The refund desk with a tool that pays, and people who decide about its calls."""

from __future__ import annotations

import copy
import uuid
from typing import Any

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.confirmations import queries
from agentops.confirmations.types import Asked
from tests.confirmations.asked import Desk
from tests.runtime.guarded import MANIFEST, Run

PAY: dict[str, Any] = {
    "name": "pay",
    "version": "1",
    "effect": "charge",
    "tier": 2,
    "arguments": {
        "type": "object",
        "additionalProperties": False,
        "required": ["to", "amount"],
        "properties": {
            "to": {"type": "string", "maxLength": 100},
            "amount": {"type": ["integer", "string"]},
            "invoice": {"type": "string"},
            "note": {"type": "string"},
        },
    },
    "rules": [{"code": "not_too_much", "expression": "args.to != 'nobody'", "pointer": "/to", "expected": "somebody"}],
    "cosmetic": ["/note"],
    "resource": "/invoice",
    "payee": "/to",
    "amount": "/amount",
}


def paying(**tool: Any) -> dict[str, Any]:
    """The desk's manifest with the tool `pay`, changed."""
    made = copy.deepcopy(MANIFEST)
    made["tools"].append({**copy.deepcopy(PAY), **tool})
    return made


def pay(run: Run, to: str = "ACME", amount: Any = 100, **said: Any) -> dict[str, Any]:
    arguments = {"to": to, "amount": amount, **said.pop("more", {})}
    return run.tool_call("pay", arguments, **said)


def asked_for(desk: Desk, call: dict[str, Any]) -> Asked:
    """What people were asked for a call, as it is now."""
    with tenant_scope(desk.id):
        return queries.asked(
            tenant=desk.id, confirmation=uuid.UUID(call["confirmation"]["id"]), at=clock.database_now()
        )


def because(desk: Desk, call: dict[str, Any]) -> tuple[str, ...]:
    return desk.look(asked_for(desk, call)).raised_because
