"""Approval of agent versions, and the gate that may stand before it."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.catalog.errors import ContentChanged, GateNotPassed, invalid
from agentops.catalog.models import AgentVersion
from agentops.catalog.policies import may_be_approved
from agentops.catalog.services import changes
from agentops.catalog.types import Gate
from audit.types import Actor


def approve_agent_version(
    *,
    tenant: uuid.UUID,
    agent: str,
    version: str,
    by: Actor,
    at: datetime,
    content_digest: str | None = None,
    reason: str = "",
) -> AgentVersion:
    """Let a version's runs begin, and say why where a person does. Approving what is approved changes nothing.

    `content_digest` is what the person has looked at; if it is another by now, nothing is approved.
    Raises AgentUnknown, ContentChanged, GateNotPassed.
    """
    changes.begin(tenant)
    found = changes.agent_version(tenant, agent, version)
    if content_digest is not None and content_digest != found.content_digest:
        raise ContentChanged(
            "This version was changed while you looked at it. Look at what it is now, then approve it."
        )
    return approve(found, by=by, at=at, reason=reason.strip())


def approve(found: AgentVersion, *, by: Actor, at: datetime, reason: str = "") -> AgentVersion:
    """Write an approval down. Raises GateNotPassed."""
    if found.approved_at is not None:
        return found
    if not may_be_approved(Gate(found.gate), is_gated=found.agent.is_gated):
        said = "was failed" if found.gate == Gate.FAILED else "has not been passed yet"
        raise GateNotPassed(f"A gate stands before version {found.version} of {found.agent.name}, and {said}.")
    found.approved_at, found.approved_by = at, by.label[:200]
    found.save(update_fields=["approved_at", "approved_by"])
    _record(found, "agent_version.approved", by, at, reason)
    changes.bump(found.tenant_id, [found.agent_id])
    return found


def withdraw_approval(
    *, tenant: uuid.UUID, agent: str, version: str, reason: str, by: Actor, at: datetime
) -> AgentVersion:
    """Let no further run of a version begin, and none in progress take another step. Raises AgentUnknown, InvalidInput."""
    changes.begin(tenant)
    found = changes.agent_version(tenant, agent, version)
    if not reason.strip() or "\0" in reason:
        raise invalid("/reason", "say why", "required")
    lose_approval(found, because=reason.strip(), by=by, at=at)
    return found


def lose_approval(found: AgentVersion, *, because: str, by: Actor, at: datetime) -> bool:
    """Take an approval back, on the record; False where there is none."""
    if found.approved_at is None:
        return False
    found.approved_at, found.approved_by = None, ""
    found.save(update_fields=["approved_at", "approved_by"])
    _record(found, "agent_version.approval_withdrawn", by, at, because)
    if found.agent.is_gated and found.gate == Gate.NONE:  # it was approved before there was a gate
        set_gate(found, Gate.REQUIRED, "it was approved before there was a gate", by, at)
    changes.bump(found.tenant_id, [found.agent_id])
    return True


def set_gate(found: AgentVersion, verdict: Gate, detail: str, by: Actor, at: datetime) -> None:
    is_none = verdict == Gate.NONE
    found.gate, found.gate_detail = verdict, detail
    found.gate_at, found.gate_by = (None, "") if is_none else (at, by.label[:200])
    found.save(update_fields=["gate", "gate_detail", "gate_at", "gate_by"])


def _record(found: AgentVersion, action: str, by: Actor, at: datetime, reason: str = "") -> None:
    data = {"agent": found.agent.name, "version": found.version, "content_digest": found.content_digest}
    changes.record(found.tenant_id, action, changes.version_target(found), data, by, at, reason)
