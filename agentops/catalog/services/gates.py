"""The gate before versions: whether an agent has one, and what it said of a version. `evals` decides, the catalog holds."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from agentops.catalog.errors import AgentUnknown, ContentChanged, invalid
from agentops.catalog.models import Agent, AgentVersion
from agentops.catalog.services import changes, versions
from agentops.catalog.types import Gate
from audit.types import Actor, Target

_DETAIL_MOST = 2_000


def require_gate(*, tenant: uuid.UUID, agent: str, is_required: bool = True, by: Actor, at: datetime) -> Agent:
    """Let a gate stand before every version of an agent, or take it away; the same again changes nothing.

    From this transaction on a version is born behind the gate, and comes back behind it with every change of its content.
    Versions that wait for their approval go behind it at once; what is approved stays so. Taken away, the gate lets go of
    versions that nobody tried; what has failed stays failed. Raises AgentUnknown.
    """
    changes.begin(tenant)
    found = Agent.objects.filter(tenant_id=tenant, name=agent).first()
    if found is None:
        raise AgentUnknown(f"There is no agent {agent[:100]!r}.")
    if found.is_gated == is_required:
        return found
    found.is_gated = is_required
    found.save(update_fields=["is_gated"])
    waiting = AgentVersion.objects.filter(tenant_id=tenant, agent=found, approved_at__isnull=True)
    if is_required:
        moved = waiting.filter(gate=Gate.NONE)
        labels = sorted(moved.values_list("version", flat=True))
        moved.update(**at_birth(found, by, at))
    else:
        moved = waiting.filter(gate=Gate.REQUIRED)
        labels = sorted(moved.values_list("version", flat=True))
        moved.update(gate=Gate.NONE, gate_detail="", gate_at=None, gate_by="")
    changes.record(
        tenant,
        "agent.gate_changed",
        Target(type="agent", id=agent),
        {
            "agent": agent,
            "state": "must pass a gate" if is_required else "need pass no gate",
            "versions": changes.told(labels),
        },
        by,
        at,
    )
    changes.bump(tenant, [found.id])
    return found


def at_birth(agent: Agent, by: Actor, at: datetime) -> dict[str, Any]:
    """What a version's gate is when it is made: columns of its row."""
    if not agent.is_gated:
        return {}
    return {"gate": Gate.REQUIRED, "gate_detail": "", "gate_at": at, "gate_by": by.label[:200]}


def record_gate(
    *,
    tenant: uuid.UUID,
    agent: str,
    version: str,
    verdict: Gate,
    detail: str,
    by: Actor,
    at: datetime,
    content_digest: str | None = None,
) -> AgentVersion:
    """Note that a gate stands before a version, or what it said. A version that has yet to pass, or failed, is approved
    no more. `content_digest` is what was tried; if the version is another by now, nothing is noted. Only what has failed
    can be let through in spite of it. Raises AgentUnknown, ContentChanged, InvalidInput.
    """
    changes.begin(tenant)
    found = changes.agent_version(tenant, agent, version)
    if verdict not in Gate.values or len(detail) > _DETAIL_MOST or "\0" in detail:
        raise invalid(
            "/verdict", f"one of {', '.join(Gate.values)} is expected, with a detail of at most {_DETAIL_MOST}"
        )
    if content_digest is not None and content_digest != found.content_digest:
        raise ContentChanged("This version was changed while it was looked at. Try what it is now.")
    if found.gate == verdict and found.gate_detail == detail:
        return found
    if verdict == Gate.OVERRIDDEN and found.gate not in (Gate.FAILED, Gate.OVERRIDDEN):
        raise invalid("/verdict", "only a version that failed its gate can be let through in spite of it", "state")
    if verdict == Gate.NONE and found.agent.is_gated:
        raise invalid("/verdict", "a gate stands before each version of this agent", "state")
    if verdict in (Gate.REQUIRED, Gate.FAILED):
        versions.lose_approval(found, because=f"the gate: {verdict}", by=by, at=at)
    versions.set_gate(found, verdict, detail, by, at)
    note_gate(found, by, at)
    changes.bump(tenant, [found.agent_id])
    return found


def note_gate(found: AgentVersion, by: Actor, at: datetime) -> None:
    """The entry of what a version's gate is now."""
    changes.record(
        found.tenant_id,
        "agent_version.gated",
        changes.version_target(found),
        {
            "agent": found.agent.name,
            "version": found.version,
            "content_digest": found.content_digest,
            "verdict": str(Gate(found.gate)),
        },
        by,
        at,
        found.gate_detail,
    )
