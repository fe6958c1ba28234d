"""Staff's pages about organisations. Reading only; a look at one organisation is in its audit log."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from tenants import queries
from tenants.access import StaffRequest, TenantRequest


@require_GET
def tenants(request: StaffRequest) -> HttpResponse:
    """Every organisation."""
    return render(request, "tenants/staff_tenants.html", {"summaries": queries.tenant_summaries()})


@require_GET
def tenant(request: TenantRequest) -> HttpResponse:
    """One organisation: its people, its keys, its settings."""
    found = request.access.tenant
    context = {
        "tenant": found,
        "members": queries.members(found.id),
        "keys": queries.keys(found.id),
        "settings": queries.settings_of(found.id),
    }
    return render(request, "tenants/staff_tenant.html", context)
