"""Pages that cross apps: where each kind of person arrives."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from agentops.common import clock
from agentops.portal import overview
from tenants import access
from tenants.access import PersonRequest, TenantRequest
from tenants.roles import Permission


@require_GET
def home(request: PersonRequest) -> HttpResponse:
    """Straight to the one place a person has; a list for those who have several, or none."""
    memberships, is_staff = access.memberships_of(request.user), access.is_staff(request.user)
    if len(memberships) == 1 and not is_staff:
        return redirect("tenant-home", slug=memberships[0][0].slug)
    if is_staff and not memberships:
        return redirect("staff-home")
    return render(request, "portal/home.html", {"memberships": memberships, "is_staff": is_staff})


@require_GET
def tenant_home(request: TenantRequest) -> HttpResponse:
    """For those who read runs: is anything wrong, what did we spend. For all others: what waits for me."""
    if request.access.may(Permission.RUNS_READ):
        context = {
            "overview": overview.of_tenant(request.access, at=clock.now()),
            "stopped": overview.stopped(request.access.tenant.id),
            "may_make_keys": request.access.may(Permission.KEYS_MANAGE),
        }
        return render(request, "portal/overview.html", context)
    return redirect("inbox", slug=request.access.tenant.slug)
