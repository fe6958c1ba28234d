"""Reads of confirmations."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import connection

from agentops.common.errors import NotFound
from agentops.confirmations.models import Confirmation
from agentops.confirmations.types import OPEN, Asked, State

_LIKE = """
SELECT id, state, tier, expires_at, run_id, call_id FROM confirmations_confirmation
WHERE tenant_id = %s AND run_id = %s AND likeness = %s AND state IN ('pending', 'half', 'cooling')
    AND expires_at > clock_timestamp()
ORDER BY requested_at LIMIT 1
"""


def pending_like(*, tenant: uuid.UUID, run: uuid.UUID, likeness: bytes) -> Asked | None:
    """The open confirmation of the same call of a run, so that asking twice asks people once."""
    with connection.cursor() as cursor:
        cursor.execute(_LIKE, [tenant, run, likeness])
        row = cursor.fetchone()
    if row is None:
        return None
    return Asked(id=row[0], state=State(row[1]), tier=row[2], expires_at=row[3], run_id=row[4], call_id=row[5])


def asked(*, tenant: uuid.UUID, confirmation: uuid.UUID, at: datetime) -> Asked:
    """One confirmation, with the state it has at that time. Raises NotFound."""
    found = Confirmation.objects.filter(tenant_id=tenant, id=confirmation).first()
    if found is None:
        raise NotFound("There is no such confirmation.")
    return Asked(
        id=found.id,
        state=state_at(State(found.state), found.expires_at, at),
        tier=found.tier,
        expires_at=found.expires_at,
        run_id=found.run_id,
        call_id=found.call_id,
    )


def state_at(state: State, expires_at: datetime, at: datetime) -> State:
    """What lives until `expires_at` has expired afterwards, whether or not the job has said so yet."""
    return State.EXPIRED if state in (*OPEN, State.APPROVED) and at >= expires_at else state


def path_of(confirmation: uuid.UUID) -> str:
    """Where a person looks at it. No credential is in it."""
    return f"/confirmations/{confirmation}/"
