"""Legal holds: what is held is neither deleted when its time is over nor erased when a person asks."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.common import scope
from agentops.common.errors import InputProblem, InvalidInput, NotFound
from audit.models import Hold
from audit.services.recording import record
from audit.types import Actor, Outcome, Target


def set_hold(*, tenant: uuid.UUID, run: uuid.UUID | None, reason: str, by: Actor, at: datetime) -> Hold:
    """Hold every entry of the tenant, or those of one run. Raises InvalidInput without a reason."""
    scope.require_tenant(tenant)
    if not reason.strip():
        problem = InputProblem("/reason", "required", "say why: the case, who asked for it")
        raise InvalidInput("A hold needs a reason.", problems=(problem,))
    hold = Hold.objects.create(tenant_id=tenant, run_id=run, reason=reason.strip(), set_at=at, set_by=by.id)
    _record(hold, "audit.hold_set", reason.strip(), by, at)
    return hold


def lift_hold(*, tenant: uuid.UUID, hold: uuid.UUID, reason: str, by: Actor, at: datetime) -> None:
    """What was held becomes like everything else. Raises NotFound; lifting twice is lifting once."""
    scope.require_tenant(tenant)
    found = Hold.objects.select_for_update().filter(tenant_id=tenant, id=hold).first()
    if found is None:
        raise NotFound("There is no such hold.")
    if found.lifted_at is not None:
        return
    found.lifted_at, found.lifted_by = at, by.id
    found.save(update_fields=["lifted_at", "lifted_by"])
    _record(found, "audit.hold_lifted", reason.strip(), by, at)


def _record(hold: Hold, action: str, reason: str, by: Actor, at: datetime) -> None:
    run = hold.run_id.hex if hold.run_id else ""
    record(
        tenant=hold.tenant_id,
        action=action,
        actor=by,
        target=Target("hold", str(hold.id)),
        outcome=Outcome.SUCCESS,
        data={"hold": str(hold.id), "scope": f"run {run}" if run else "the whole log", "run": run},
        at=at,
        reason=reason,
    )
