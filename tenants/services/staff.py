"""Our own people."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from audit.types import Actor
from tenants.errors import AlreadyStaff, invalid
from tenants.models import StaffAssignment, User
from tenants.roles import StaffRole
from tenants.services.accounts import find_or_create

log = logging.getLogger(__name__)


def create_staff(
    *, email: str, roles: Iterable[str], name: str = "", password: str | None = None, by: Actor, at: datetime
) -> User:
    """Give a person staff roles, and an account where they have none; roles they have already stay.

    Staff belong to no tenant and the audit log is per tenant, so this leaves a line in the operator's log instead;
    what staff read of a tenant is in that tenant's audit log (access.py). Raises AlreadyStaff where every role was
    there, AccountDeactivated and InvalidInput.
    """
    wanted = _roles(roles)
    with transaction.atomic(durable=True):
        user, _ = find_or_create(email=email, name=name, password=password)
        had = set(StaffAssignment.objects.select_for_update().filter(user=user).values_list("role", flat=True))
        missing = [role for role in wanted if role not in had]
        if not missing:
            raise AlreadyStaff(f"{user.email} has these staff roles already: {', '.join(wanted)}.")
        StaffAssignment.objects.bulk_create(
            [StaffAssignment(user=user, role=role, assigned_at=at) for role in missing], ignore_conflicts=True
        )
    log.info("%s made %s staff: %s", by.label, user.email, ", ".join(missing))
    return user


def _roles(wanted: Iterable[str]) -> list[str]:
    chosen = set(wanted)
    unknown = sorted(chosen - set(StaffRole.values))
    if unknown or not chosen:
        raise invalid("/roles", f"{', '.join(unknown) or 'nothing'}: choose from {', '.join(StaffRole.values)}.")
    return [role for role in StaffRole.values if role in chosen]
