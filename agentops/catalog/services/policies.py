"""What other apps decide about agents, and the guard must know at once."""

from __future__ import annotations

import uuid

from agentops.catalog.models import Agent
from agentops.catalog.services import changes


def renew_policies(*, tenant: uuid.UUID, agent: str = "") -> None:
    """Wait for the turn of this catalog, then raise the policy version of an agent, or (without a name) of every one.

    For a caller that changes, in the same transaction, something that decisions depend on; its own audit entry says what.
    An agent that is not there has no version to raise.
    """
    changes.begin(tenant)
    found = Agent.objects.filter(tenant_id=tenant)
    changes.bump(tenant, (found.filter(name=agent) if agent else found).values_list("id", flat=True))
