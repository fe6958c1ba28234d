"""Somebody takes over a rotation for a while, and takes it back."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from agentops.common import scope
from agentops.common.errors import Conflict, NotFound
from audit import services as audit
from audit.types import Actor, Outcome, Target
from incidents import inputs
from incidents.errors import invalid
from incidents.models import Override, Rotation
from tenants import queries as tenants
from tenants.roles import StaffRole

LONGEST, AHEAD = timedelta(days=92), timedelta(days=366)
OPEN_MOST = 500  # overrides of a rotation that are still to come


def take_over(
    *,
    tenant: uuid.UUID,
    rotation: uuid.UUID,
    user: int,
    starts_at: datetime,
    ends_at: datetime,
    reason: str,
    by: Actor,
    at: datetime,
) -> Override:
    """Have somebody with the rotation's role take over. Raises InvalidInput, NotFound."""
    scope.require_tenant(tenant)
    found = Rotation.objects.filter(tenant_id=tenant, id=rotation).select_for_update().first()
    if found is None:
        raise NotFound("There is no such rotation.")
    role = StaffRole(found.role)
    if user not in {one.pk for one in tenants.staff_by_role().get(role, [])}:
        raise invalid("/user", f"is somebody who is active and holds the staff role “{role.label.lower()}”", "choice")
    if starts_at > at + AHEAD:
        raise invalid("/starts_at", "begins within a year from now", "range")
    if ends_at <= max(starts_at, at) or ends_at - starts_at > LONGEST:
        raise invalid("/ends_at", "ends in the future, after it begins, and at most 92 days later", "range")
    if (
        Override.objects.filter(tenant_id=tenant, rotation=found, cancelled_at=None, ends_at__gt=at).count()
        >= OPEN_MOST
    ):
        raise invalid("/starts_at", f"there are {OPEN_MOST} to come already; cancel one first", "range")
    made = Override.objects.create(
        tenant_id=tenant,
        rotation=found,
        user_id=user,
        starts_at=starts_at,
        ends_at=ends_at,
        reason=inputs.text("/reason", reason, most=200, is_needed=False),
        made_at=at,
        made_by=by.label[:200],
    )
    _record(made, found, "on_call.covered", by, at)
    return made


def cancel_cover(*, tenant: uuid.UUID, override: uuid.UUID, by: Actor, at: datetime) -> Override:
    """Take it back; what is over stays as it was. Twice is once. Raises NotFound, Conflict."""
    scope.require_tenant(tenant)
    found = (
        Override.objects.filter(tenant_id=tenant, id=override)
        .select_for_update(of=("self",))
        .select_related("rotation")
        .first()
    )
    if found is None:
        raise NotFound("There is no such override.")
    if found.cancelled_at is not None:
        return found
    if found.ends_at <= at:
        raise Conflict("It is over, and stays in the record. Only one that is running or to come can be taken back.")
    found.cancelled_at, found.cancelled_by = at, by.label[:200]
    found.save(update_fields=["cancelled_at", "cancelled_by"])
    _record(found, found.rotation, "on_call.cover_cancelled", by, at)
    return found


def _record(made: Override, rotation: Rotation, action: str, by: Actor, at: datetime) -> None:
    audit.record(
        tenant=made.tenant_id,
        action=action,
        actor=by,
        target=Target(type="rotation", id=str(rotation.id)),
        outcome=Outcome.SUCCESS,
        data={
            "rotation": rotation.name,
            "user": f"staff:{made.user_id}",
            "since": made.starts_at.isoformat(),
            "until": made.ends_at.isoformat(),
        },
        at=at,
        reason=made.reason,
    )
