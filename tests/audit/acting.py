"""A sensitive action as the guard and the people leave it in the log, and what of it was not as it should be."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

from agentops.common import clock
from agentops.common.scope import tenant_scope
from audit import services
from audit.services import NewEntry
from audit.types import Actor, Outcome, Target
from tests.audit.logs import Log

AGENT = Actor("agent", "agent:refund-desk", "refund-desk")
ADA = Actor("user", "user:901", "ada@acme.example")
STEPS = ("approval.requested", "approval.confirmed", "tool_call.redeemed", "approval.executed")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def act(log: Log, *, steps: tuple[str, ...] = STEPS, changes: Mapping[str, dict[str, Any]] | None = None) -> uuid.UUID:
    """One action through its four leaves; `changes` are of the data of a step. Answers its confirmation."""
    confirmation, at = uuid.uuid4(), clock.now()
    action, arguments = digest(f"action {confirmation}"), digest(f"arguments {confirmation}")
    data: dict[str, dict[str, Any]] = {
        "approval.requested": {
            "tool": "refund", "tool_version": "1", "tier": 3, "action_digest": action, "args_digest": arguments,
            "raised_because": [],
        },
        "approval.confirmed": {"tool": "refund", "action_digest": action, "view_digest": digest("view")},
        "tool_call.redeemed": {
            "call": "t-1", "confirmation": str(confirmation), "action_digest": action, "args_digest": arguments,
        },
        "approval.executed": {"tool": "refund", "action_digest": action, "executed_digest": arguments},
    }  # fmt: skip
    made = [
        NewEntry(
            action=step,
            actor=ADA if step == "approval.confirmed" else AGENT,
            target=Target("tool", "refund")
            if step == "tool_call.redeemed"
            else Target("confirmation", str(confirmation)),
            outcome=Outcome.SUCCESS,
            data={**data[step], **(changes or {}).get(step, {})},
            at=at,
            run=uuid.uuid5(confirmation, "run"),
            on_behalf_of="u-1",
        )
        for step in steps
    ]
    with tenant_scope(log.id):
        services.record_many(tenant=log.id, entries=made)
    return confirmation


def erase(log: Log, person: str) -> None:
    """Somebody asks, somebody else agrees, and it is done and sealed."""
    with tenant_scope(log.id):
        asked = services.ask_erasure(tenant=log.id, person=person, legal_basis="GDPR art. 17", by=AGENT, at=clock.now())
        services.approve_erasure(tenant=log.id, erasure=asked.id, by=ADA, at=clock.now())
    assert services.erase(tenant=log.id, erasure=asked.id, at=clock.now())
    log.seal()
