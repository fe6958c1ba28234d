"""What every write of the catalog does: wait for its turn, raise the policy version, leave its entry."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from agentops.catalog import cache
from agentops.catalog.errors import AgentUnknown, ApproversMissing
from agentops.catalog.models import AgentVersion, ToolGrant, ToolVersion
from agentops.catalog.policies import APPROVERS_NEEDED, HIGHEST_TIER
from agentops.catalog.queries.approvers import approvers
from agentops.common import scope
from audit import services as audit
from audit.types import Actor, Outcome, Target

_NAMES_MOST = 30
# Changes of a tenant's catalog are rare and touch many rows in many orders: one at a time, there is nothing to deadlock.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('agentops.catalog', 0) # hashtextextended(%s, 0))"
_BUMP = "UPDATE catalog_agent SET policy_version = policy_version + 1 WHERE tenant_id = %s AND id = ANY(%s)"


def begin(tenant: uuid.UUID) -> None:
    """Assert the tenant's scope, then wait until no other change of its catalog is under way."""
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [str(tenant)])


def bump(tenant: uuid.UUID, agents: Iterable[uuid.UUID]) -> None:
    """From the commit on, no policy of these agents that anybody has read before is used."""
    ids = sorted(set(agents))
    if ids:
        cache.note_write(ids)
        with connection.cursor() as cursor:
            cursor.execute(_BUMP, [tenant, ids])


def bump_users_of(tool_version: ToolVersion) -> None:
    """The same for every agent that was granted a tool version."""
    bump(
        tool_version.tenant_id,
        ToolGrant.objects.filter(tenant_id=tool_version.tenant_id, tool_version=tool_version).values_list(
            "agent_version__agent_id", flat=True
        ),
    )


def agent_version(tenant: uuid.UUID, agent: str, version: str) -> AgentVersion:
    """Raises AgentUnknown."""
    found = (
        AgentVersion.objects.filter(tenant_id=tenant, agent__name=agent, agent__tenant_id=tenant, version=version)
        .select_related("agent")
        .first()
    )
    if found is None:
        raise AgentUnknown(f"There is no version {version[:100]!r} of an agent {agent[:100]!r}.")
    return found


def require_approvers(tenant: uuid.UUID, tier: int, *, tool: str, agents: Iterable[str] = ()) -> None:
    """Raises ApproversMissing where a call of this tier, by any of these agents, could never be approved."""
    if tier < HIGHEST_TIER:
        return
    for agent in {*agents} or {""}:
        found = approvers(tenant=tenant, agent=agent, tool=tool)
        if len(found.user_ids) < APPROVERS_NEEDED:
            named = f" (named on the {found.named_on.value})" if found.named_on else ""
            raise ApproversMissing(
                f"{tool} is of tier {HIGHEST_TIER}, which two different people must approve, and this organisation has "
                f"{len(found.user_ids)} who could{named}. Add approvers, or choose tier 3."
            )


def record(
    tenant: uuid.UUID, action: str, target: Target, data: Mapping[str, Any], by: Actor, at: datetime, reason: str = ""
) -> None:
    audit.record(
        tenant=tenant,
        action=action,
        actor=by,
        target=target,
        outcome=Outcome.SUCCESS,
        data=data,
        at=at,
        reason=reason[:500],
    )


def version_target(version: AgentVersion) -> Target:
    return Target(type="agent_version", id=f"{version.agent.name}@{version.version}")


def tool_target(name: str, version: ToolVersion) -> Target:
    return Target(type="tool_version", id=f"{name}@{version.version}")


def told(names: Sequence[str]) -> list[str]:
    """A list for an entry, which has a limit."""
    kept = list(names[:_NAMES_MOST])
    return kept if len(names) <= _NAMES_MOST else [*kept, f"and {len(names) - _NAMES_MOST} more"]
