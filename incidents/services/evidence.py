"""Evidence: planned in the transaction of the declaration, taken by a job."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.common import scope
from audit.types import Actor
from incidents.models import Snapshot


def plan_snapshot(*, tenant: uuid.UUID, incident_id: uuid.UUID, reason: str, by: Actor, at: datetime) -> Snapshot:
    """Freeze which runs are kept, and hold them; a job takes them after the commit."""
    scope.require_tenant(tenant)
    number = Snapshot.objects.filter(tenant_id=tenant, incident_id=incident_id).count() + 1
    return Snapshot.objects.create(
        tenant_id=tenant, incident_id=incident_id, number=number, reason=reason, planned_at=at, planned_by=by.label
    )
