"""What admins decide for their organisation."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from agentops.budgets import services as budgets
from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.pages import show_refusal
from tenants import queries, services
from tenants.access import TenantRequest
from tenants.forms import SettingsForm
from tenants.roles import Permission


@require_GET
def settings(request: TenantRequest) -> HttpResponse:
    """The settings in force; a form for those who may change them."""
    tenant = request.access.tenant
    found = queries.settings_of(tenant.id)
    context = {
        "settings": found,
        "form": SettingsForm.showing(found, plan=tenant.plan),
        "may_manage": request.access.may(Permission.SETTINGS_MANAGE),
    }
    return render(request, "tenants/settings.html", context)


@require_POST
def settings_change(request: TenantRequest) -> HttpResponse:
    """Put other settings in force."""
    access = request.access
    form = SettingsForm(request.POST, plan=access.tenant.plan)
    if form.is_valid():
        try:
            found = services.change_settings(
                tenant=access.tenant.id, **form.cleaned_data, by=access.actor, at=clock.now()
            )
            budgets.adopt_calendar(tenant=access.tenant.id, time_zone=found.time_zone, at=clock.now())
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "Saved.")
            return redirect("tenant-settings", slug=access.tenant.slug)
    context = {"form": form, "settings": queries.settings_of(access.tenant.id), "may_manage": True}
    return render(request, "tenants/settings.html", context, status=422)
