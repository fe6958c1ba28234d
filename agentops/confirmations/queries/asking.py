"""What the guard and an agent read of a confirmation."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from agentops.common import clock
from agentops.common.errors import NotFound
from agentops.confirmations.models import Confirmation
from agentops.confirmations.types import OPEN, Asked, Held, Redeemed, State
from tenants import queries as tenants

_LIKE = """
SELECT id, state, tier, expires_at, run_id, call_id FROM confirmations_confirmation
WHERE tenant_id = %s AND run_id = %s AND likeness = %s AND tool_version_id = %s AND tier >= %s
    AND state IN ('pending', 'half', 'cooling') AND expires_at > clock_timestamp()
ORDER BY requested_at LIMIT 1
"""


_WAITED = """
SELECT coalesce(bool_or(c.state IN ('pending', 'half', 'cooling', 'approved') AND c.expires_at > clock_timestamp()), false),
    max(least(coalesce(c.redeemed_at, c.ended_at, c.decided_at, c.expires_at), c.expires_at))
FROM confirmations_confirmation c WHERE c.tenant_id = %(tenant)s AND c.run_id = ANY(%(runs)s)
"""
_DUE = """
SELECT DISTINCT tenant_id FROM confirmations_confirmation
WHERE state IN ('pending', 'half', 'cooling', 'approved') AND expires_at <= clock_timestamp()
"""


def pending_like(
    *, tenant: uuid.UUID, run: uuid.UUID, likeness: bytes, tool_version: uuid.UUID, least_tier: int
) -> Asked | None:
    """The open confirmation of the same call of a run, so that asking twice asks people once.

    Only where people look at the same definition of the tool, and at least as closely as `least_tier` asks for.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LIKE, [tenant, run, likeness, tool_version, least_tier])
        row = cursor.fetchone()
    if row is None:
        return None
    return Asked(id=row[0], state=State(row[1]), tier=row[2], expires_at=row[3], run_id=row[4], call_id=row[5])


def waited(*, tenant: uuid.UUID, runs: Sequence[uuid.UUID]) -> tuple[bool, datetime | None]:
    """Does any of these runs wait for people (or for its agent to redeem what they approved); if none does, since when."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITED, {"tenant": tenant, "runs": list(runs)})
        is_open, until = cursor.fetchone()
    return bool(is_open), until


def held(*, tenant: uuid.UUID, confirmation: uuid.UUID) -> Held | None:
    """What a confirmation is bound to, for checking it once more before it is redeemed."""
    found = Confirmation.objects.filter(tenant_id=tenant, id=confirmation).first()
    if found is None:
        return None
    return Held(
        tool=found.tool,
        tool_version_id=found.tool_version_id,
        tier=found.tier,
        arguments=bytes(found.arguments),
        is_tainted=found.is_tainted,
        resource=found.resource,
        resource_version=found.resource_version,
        is_due=found.state == State.COOLING
        and found.cooling_until is not None
        and found.cooling_until <= clock.database_now(),
    )


def asked(*, tenant: uuid.UUID, confirmation: uuid.UUID, at: datetime) -> Asked:
    """One confirmation, with the state it has at that time. Raises NotFound."""
    found = Confirmation.objects.filter(tenant_id=tenant, id=confirmation).first()
    if found is None:
        raise NotFound("There is no such confirmation.")
    return as_asked(found, state_at(State(found.state), found.expires_at, at))


def superseding(*, tenant: uuid.UUID, confirmation: uuid.UUID, at: datetime) -> Asked | None:
    """What a person made of this one by editing it, if anybody did."""
    found = Confirmation.objects.filter(tenant_id=tenant, supersedes_id=confirmation).first()
    return as_asked(found, state_at(State(found.state), found.expires_at, at)) if found else None


def redeemed(*, tenant: uuid.UUID, confirmation: uuid.UUID) -> Redeemed | None:
    """What is executing: for whoever lost the answer to its redemption."""
    found = Confirmation.objects.filter(tenant_id=tenant, id=confirmation, state=State.EXECUTING).first()
    if found is None:
        return None
    return Redeemed(
        id=found.id, arguments=bytes(found.arguments), action_digest=bytes(found.action_digest), tier=found.tier
    )


def as_asked(confirmation: Confirmation, state: State) -> Asked:
    return Asked(
        id=confirmation.id,
        state=state,
        tier=confirmation.tier,
        expires_at=confirmation.expires_at,
        run_id=confirmation.run_id,
        call_id=confirmation.call_id,
    )


def state_at(state: State, expires_at: datetime, at: datetime) -> State:
    """What lives until `expires_at` has expired afterwards, whether or not the job has said so yet."""
    return State.EXPIRED if state in (*OPEN, State.APPROVED) and at >= expires_at else state


def tenants_with_due() -> list[uuid.UUID]:
    """Tenants that have something to expire, so that the job opens no scope in vain. Needs staff's scope."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE)
        return [row[0] for row in cursor.fetchall()]


def path_of(*, tenant: uuid.UUID, confirmation: uuid.UUID) -> str:
    """Where a person looks at it. No credential is in it."""
    return f"/t/{tenants.tenants_by_id([tenant])[tenant].slug}/confirmations/{confirmation}/"
