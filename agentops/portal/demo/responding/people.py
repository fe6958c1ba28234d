"""Who does what in the demo."""

from __future__ import annotations

from agentops.portal.demo import cast
from audit.types import Actor
from tenants.models import User
from tenants.roles import StaffRole


def person(role: StaffRole) -> User:
    """Who plays this role."""
    email = next(staff.email for staff in cast.STAFF if staff.role is role)
    return User.objects.get(email=email)


def actor(role: StaffRole) -> Actor:
    user = person(role)
    return Actor(type="staff", id=f"staff:{user.pk}", label=user.email)
