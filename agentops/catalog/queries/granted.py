"""What an agent may call now, as people choose from it."""

from __future__ import annotations

import uuid

from agentops.catalog.errors import AgentUnknown
from agentops.catalog.models import AgentVersion
from agentops.catalog.queries.policy import policy
from agentops.catalog.types import AgentPolicy


def current_policy(*, tenant: uuid.UUID, agent: str) -> AgentPolicy:
    """The policy of the agent's newest approved version. Raises AgentUnknown where there is none."""
    found = None
    if "\0" not in agent:
        found = (
            AgentVersion.objects.filter(
                tenant_id=tenant, agent__tenant_id=tenant, agent__name=agent, approved_at__isnull=False
            )
            .order_by("-created_at", "-id")
            .values_list("version", flat=True)
            .first()
        )
    if found is None:
        raise AgentUnknown(f"There is no agent {agent[:100]!r} with an approved version.")
    return policy(tenant=tenant, agent=agent, version=found)
