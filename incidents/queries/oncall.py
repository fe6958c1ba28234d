"""Who is on call."""

from __future__ import annotations

from datetime import datetime

from tenants.models import User
from tenants.roles import StaffRole


def on_call_now(*, at: datetime, role: StaffRole = StaffRole.ON_CALL) -> list[User]:
    """Who holds a role's rotations at a moment, the first rotation first; nobody where no rotation is on."""
    return []


def chain(*, at: datetime) -> list[tuple[User, int]]:
    """Whom to ask about something urgent that nobody acknowledges: each with the seconds after the first page."""
    return []
