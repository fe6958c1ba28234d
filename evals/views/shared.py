"""What the views of quality share."""

from __future__ import annotations

from audit.types import Actor
from tenants.access import TenantRequest
from tenants.roles import Permission


def actor(request: TenantRequest) -> Actor:
    """As whom the request writes: our own people act as such in a customer's pages."""
    staff = getattr(request, "staff", None)
    found: Actor = request.access.actor if staff is None else staff.actor
    return found


def may_manage(request: TenantRequest) -> bool:
    staff = getattr(request, "staff", None)
    if staff is not None:
        return bool(staff.may(Permission.STAFF_QUALITY_MANAGE))
    return request.access.may(Permission.QUALITY_MANAGE)
