"""Who of our own people looks after an organisation."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.common import scope
from audit import services as audit
from audit.types import Actor, Outcome, Target
from tenants.errors import invalid
from tenants.models import StaffAssignment, Tenant, User
from tenants.roles import StaffRole


def assign_success_manager(*, tenant: uuid.UUID, manager: int | None, by: Actor, at: datetime) -> None:
    """Say who is told before the organisation outgrows its plan; None is nobody. Raises InvalidInput.

    The log of the organisation says so, and names nobody: it is the customer's.
    """
    scope.require_tenant(tenant)
    if manager is not None and not _is_success_manager(manager):
        raise invalid("/manager", "Choose one of our success managers; roles are given by `create_staff`.")
    found = Tenant.objects.select_for_update(of=("self",)).get(id=tenant)
    if found.success_manager_id == manager:
        return
    found.success_manager = None if manager is None else User.objects.get(pk=manager)
    found.save(update_fields=["success_manager"])
    audit.record(
        tenant=tenant,
        action="tenant.success_manager_set",
        actor=by,
        target=Target(type="tenant", id=str(tenant)),
        outcome=Outcome.SUCCESS,
        data={"is_set": manager is not None},
        at=at,
    )


def _is_success_manager(user_id: int) -> bool:
    return StaffAssignment.objects.filter(user=user_id, role=StaffRole.SUCCESS_MANAGER, user__is_active=True).exists()
