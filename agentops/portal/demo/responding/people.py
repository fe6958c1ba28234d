"""Who does what in the demo."""

from __future__ import annotations

from agentops.portal.demo import cast
from audit.types import Actor
from tenants import queries as tenants
from tenants.roles import StaffRole
from tenants.types import User


def person(role: StaffRole) -> User:
    """Who plays this role."""
    email = next(staff.email for staff in cast.STAFF if staff.role is role)
    return next(user for user in tenants.staff_by_role()[role] if user.email == email)


def actor(role: StaffRole) -> Actor:
    user = person(role)
    return Actor(type="staff", id=f"staff:{user.pk}", label=user.email)
