"""Where a customer's agent answers when the portal runs its suites."""

from __future__ import annotations

import base64
import secrets as random
import uuid
from datetime import datetime

from django.db import IntegrityError, transaction

from agentops.common import scope, secrets
from agentops.common.errors import Conflict
from agentops.outbox import asking
from agentops.outbox.addresses import Closed
from audit import services as audit
from audit.types import Actor, Outcome, Target
from evals.errors import Unknown, invalid
from evals.models import AgentEndpoint

TIMEOUT_MOST, IN_FLIGHT_MOST = 180, 16  # a task that asks has four minutes in all (celery.py)


def set_agent_endpoint(
    *,
    tenant: uuid.UUID,
    agent: str,
    url: str,
    timeout_seconds: int,
    max_in_flight: int,
    by: Actor,
    at: datetime,
    new_secret: bool = False,
) -> tuple[AgentEndpoint, str]:
    """Set an agent's address; one an agent. Answers it with the secret that signs what is sent, where that is new, else "".

    Raises InvalidInput, Conflict.
    """
    scope.require_tenant(tenant)
    if not 1 <= len(agent.strip()) <= 100 or not agent.isprintable():
        raise invalid("/agent", "1 to 100 printable characters are expected")
    if len(url) > 1_000 or not url.isprintable():
        raise invalid("/url", "an address of at most 1,000 characters is expected")
    try:
        asking.check(url)
    except (ValueError, Closed) as error:
        raise invalid("/url", f"{error}; an https address that is reachable from here is expected") from error
    if not 1 <= timeout_seconds <= TIMEOUT_MOST:
        raise invalid("/timeout_seconds", f"a whole number from 1 to {TIMEOUT_MOST} is expected")
    if not 1 <= max_in_flight <= IN_FLIGHT_MOST:
        raise invalid("/max_in_flight", f"a whole number from 1 to {IN_FLIGHT_MOST} is expected")
    before = AgentEndpoint.objects.select_for_update().filter(tenant_id=tenant, agent=agent).first()
    secret = "whsec_" + base64.b64encode(random.token_bytes(32)).decode() if new_secret or before is None else ""
    made = before or AgentEndpoint(tenant_id=tenant, agent=agent)
    made.url, made.timeout_seconds, made.max_in_flight = url, timeout_seconds, max_in_flight
    made.set_at, made.set_by, made.paused_until = at, by.id, None
    if secret:
        made.secret_cipher = secrets.close(secret)
    try:
        with transaction.atomic():
            made.save()
    except IntegrityError as error:  # the first address of an agent, set twice at once
        raise Conflict("somebody else set it at this moment; look at what it is now") from error
    _record(made, "agent_endpoint.set", {"agent": agent, "url": url, "new_secret": bool(secret)}, by, at)
    return made, secret


def remove_agent_endpoint(*, tenant: uuid.UUID, agent: str, by: Actor, at: datetime) -> None:
    """Suites of this agent run at the client only, from now on. Raises Unknown."""
    scope.require_tenant(tenant)
    found = AgentEndpoint.objects.filter(tenant_id=tenant, agent=agent).first()
    if found is None:
        raise Unknown("There is no such address.")
    _record(found, "agent_endpoint.removed", {"agent": agent}, by, at)
    found.delete()


def _record(found: AgentEndpoint, action: str, data: dict[str, object], by: Actor, at: datetime) -> None:
    audit.record(
        tenant=found.tenant_id,
        action=action,
        actor=by,
        target=Target(type="agent_endpoint", id=str(found.id)),
        outcome=Outcome.SUCCESS,
        data=data,
        at=at,
    )
