"""Approver groups: people who may approve the same things."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.pages import question, show_refusal
from tenants import queries, services, sign_in
from tenants.access import TenantRequest
from tenants.forms import GroupForm
from tenants.roles import Permission
from tenants.types import GroupSummary


@require_GET
def groups(request: TenantRequest) -> HttpResponse:
    """The list, by name."""
    context = {
        "groups": queries.approver_groups(request.access.tenant.id),
        "may_manage": request.access.may(Permission.CONFIRMATIONS_MANAGE),
    }
    return render(request, "tenants/groups.html", context)


@require_http_methods(["GET", "POST"])
def group_new(request: TenantRequest) -> HttpResponse:
    """Make a group."""
    return _form(request, None)


@require_http_methods(["GET", "POST"])
def group(request: TenantRequest, group: uuid.UUID) -> HttpResponse:
    """Give a group another name or other people."""
    return _form(request, queries.approver_group(request.access.tenant.id, group))


def _form(request: TenantRequest, found: GroupSummary | None) -> HttpResponse:
    access = request.access
    form = GroupForm(
        request.POST if request.method == "POST" else None,
        members=queries.members(access.tenant.id),
        initial=GroupForm.showing(found) if found else None,
        present=found.members if found else (),
    )
    if request.method == "POST":
        sign_in.require_recent_sign_in(request)
        if form.is_valid():
            said = {"tenant": access.tenant.id, **form.cleaned_data, "by": access.actor, "at": clock.now()}
            try:
                if found:
                    services.change_group(group=found.group.id, **said)
                else:
                    services.create_group(**said)
            except DomainError as refusal:
                show_refusal(form, refusal)
            else:
                messages.success(request, "Saved.")
                return redirect("approver-groups", slug=access.tenant.slug)
    context = {"form": form, "group": found}
    return render(request, "tenants/group.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
def group_removal(request: TenantRequest, group: uuid.UUID) -> HttpResponse:
    """Remove a group that approves nothing any more."""
    access, found = request.access, queries.approver_group(request.access.tenant.id, group)
    context: dict[str, object] = {"group": found}
    status = 200
    if request.method == "POST":
        sign_in.require_recent_sign_in(request)
        try:
            services.remove_group(tenant=access.tenant.id, group=group, by=access.actor, at=clock.now())
        except DomainError as refusal:
            context["refusal"], status = refusal, refusal.status
        else:
            messages.success(request, f"The group {found.group.name} was removed.")
            return redirect("approver-groups", slug=access.tenant.slug)
    return question(
        request,
        "tenants/_group_removal.html",
        context,
        title=f"Remove {found.group.name}?",
        back=(reverse("approver-groups", args=[access.tenant.slug]), "Groups"),
        status=status,
    )
