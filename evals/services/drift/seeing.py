"""A person has looked at a finding. It stays open until the runs say otherwise."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.common import scope
from audit import services as audit
from audit.types import Actor, Outcome, Target
from evals.errors import Unknown
from evals.models import DriftFinding


def mark_seen(*, tenant: uuid.UUID, finding: uuid.UUID, by: Actor, at: datetime) -> DriftFinding:
    """Note who saw it first. Seen again, the first look stays. Raises Unknown."""
    scope.require_tenant(tenant)
    found = DriftFinding.objects.select_for_update().filter(tenant_id=tenant, id=finding).first()
    if found is None:
        raise Unknown("There is no such finding.")
    if found.seen_at is not None:
        return found
    found.seen_at, found.seen_by = at, by.label[:200]
    found.save(update_fields=["seen_at", "seen_by"])
    audit.record(
        tenant=tenant,
        action="drift.seen",
        actor=by,
        target=Target(type="drift_finding", id=str(found.id)),
        outcome=Outcome.SUCCESS,
        data={"agent": found.agent, "metric": found.metric, "finding": found.sentence},
        at=at,
    )
    return found
