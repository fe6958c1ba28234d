"""Staff's pages about organisations. Reading only; a look at one organisation is in its audit log."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from agentops.common import clock
from agentops.common.pages import question
from tenants import queries, services
from tenants.access import StaffAccess, StaffRequest, TenantRequest
from tenants.forms import SuccessManagerForm
from tenants.roles import Permission


class StaffTenantRequest(TenantRequest):
    """A request of our own people inside one tenant's pages."""

    staff: StaffAccess


@require_GET
def tenants(request: StaffRequest) -> HttpResponse:
    """Every organisation."""
    return render(request, "tenants/staff_tenants.html", {"summaries": queries.tenant_summaries()})


@require_GET
def tenant(request: StaffTenantRequest) -> HttpResponse:
    """One organisation: its people, its keys, its settings."""
    found = request.access.tenant
    context = {
        "tenant": found,
        "members": queries.members(found.id),
        "keys": queries.keys(found.id),
        "settings": queries.settings_of(found.id),
        "manager": queries.success_manager_of(found.id),
        "may_assign": request.staff.may(Permission.STAFF_SPEND_MANAGE),
        "may_spend": request.staff.may(Permission.STAFF_SPEND),
    }
    return render(request, "tenants/staff_tenant.html", context)


@require_http_methods(["GET", "POST"])
def success_manager(request: StaffTenantRequest) -> HttpResponse:
    """Say who looks after the organisation, and is told before it outgrows its plan."""
    found = request.access.tenant
    form = SuccessManagerForm(
        request.POST or None, managers=queries.success_managers(), initial={"manager": found.success_manager_id}
    )
    if request.method == "POST" and form.is_valid():
        services.assign_success_manager(
            tenant=found.id, manager=form.cleaned_data["manager"], by=request.staff.actor, at=clock.now()
        )
        messages.success(request, "Noted. Whoever looks after it is told before it outgrows its plan.")
        return redirect("staff-tenant", slug=found.slug)
    return question(
        request,
        "tenants/_success_manager.html",
        {"form": form, "tenant": found},
        title=f"Who looks after {found.name}?",
        back=(reverse("staff-tenant", kwargs={"slug": found.slug}), found.name),
        status=422 if form.is_bound else 200,
    )
