"""What the catalog's pages have in common: who acts, and who may."""

from __future__ import annotations

from audit.types import Actor
from tenants.access import TenantRequest
from tenants.roles import Permission


def actor(request: TenantRequest) -> Actor:
    """Staff act as staff, not as the reader that the door makes of them."""
    staff = getattr(request, "staff", None)
    found: Actor = staff.actor if staff else request.access.actor
    return found


def may_review(request: TenantRequest) -> bool:
    staff = getattr(request, "staff", None)
    return bool(staff.may(Permission.STAFF_TOOLS_REVIEW)) if staff else request.access.may(Permission.TOOLS_REVIEW)


def may_stop(request: TenantRequest) -> bool:
    staff = getattr(request, "staff", None)
    return bool(staff.may(Permission.STAFF_KILL)) if staff else request.access.may(Permission.KILL_SWITCH)
