"""Taking a tool away from an agent version, and giving it back."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.catalog.errors import ToolUnknown, invalid
from agentops.catalog.models import ToolGrant
from agentops.catalog.services import changes
from audit.types import Actor


def revoke_grant(
    *, tenant: uuid.UUID, agent: str, version: str, tool: str, reason: str, by: Actor, at: datetime
) -> ToolGrant:
    """Take a tool away, at once and for runs in progress too; the same manifest applied again does not bring it back.

    What is revoked already stays as it is. Raises AgentUnknown, ToolUnknown, InvalidInput.
    """
    changes.begin(tenant)
    found = _grant(tenant, agent, version, tool)
    if not reason.strip() or "\0" in reason:
        raise invalid("/reason", "say why", "required")
    if found.revoked_at is None:
        found.revoked_at, found.revoked_by = at, by.label[:200]
        _write(found, "tool_grant.revoked", by, at, reason.strip())
    return found


def restore_grant(
    *, tenant: uuid.UUID, agent: str, version: str, tool: str, reason: str, by: Actor, at: datetime
) -> ToolGrant:
    """Give a tool back that was taken away. Raises AgentUnknown, ToolUnknown, InvalidInput."""
    changes.begin(tenant)
    found = _grant(tenant, agent, version, tool)
    if not reason.strip() or "\0" in reason:
        raise invalid("/reason", "say why", "required")
    if found.revoked_at is not None:
        found.revoked_at, found.revoked_by = None, ""
        _write(found, "tool_grant.restored", by, at, reason.strip())
    return found


def _grant(tenant: uuid.UUID, agent: str, version: str, tool: str) -> ToolGrant:
    holder = changes.agent_version(tenant, agent, version)
    found = (
        ToolGrant.objects.filter(tenant_id=tenant, agent_version=holder, tool__name=tool)
        .select_related("agent_version__agent", "tool", "tool_version")
        .first()
    )
    if found is None:
        raise ToolUnknown(f"Version {version[:100]} of {agent[:100]} was never granted a tool {tool[:100]!r}.")
    return found


def _write(found: ToolGrant, action: str, by: Actor, at: datetime, reason: str) -> None:
    found.save(update_fields=["revoked_at", "revoked_by"])
    changes.record(
        found.tenant_id,
        action,
        changes.version_target(found.agent_version),
        {
            "agent": found.agent_version.agent.name,
            "version": found.agent_version.version,
            "tool": found.tool.name,
            "tool_version": found.tool_version.version,
        },
        by,
        at,
        reason,
    )
    changes.bump(found.tenant_id, [found.agent_version.agent_id])
