"""Where people are paged: the list, one target with its deliveries, a test page."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agentops.common import clock
from agentops.common.errors import DomainError, NotFound
from agentops.common.pages import show_refusal
from incidents.forms.paging import TargetForm
from incidents.models import PagingTarget
from incidents.queries import targets as queries
from incidents.services import targets as services
from incidents.types import TargetKind
from tenants import sign_in
from tenants.access import StaffRequest
from tenants.house import HOUSE_ID
from tenants.roles import Permission

_BACK = {TargetKind.PAGERDUTY: "api-paging-pagerduty", TargetKind.OPSGENIE: "api-paging-opsgenie"}


@require_GET
def targets(request: StaffRequest) -> HttpResponse:
    """Every target, and who is not woken by any."""
    found = queries.targets()
    context = {
        "targets": found,
        "unreached": queries.unreached_severities(found),
        "pages": queries.latest_pages(),
        "kinds": TargetKind.choices,
        "may_manage": request.staff.may(Permission.STAFF_ON_CALL_MANAGE),
    }
    return TemplateResponse(request, "incidents/targets.html", context)


@require_GET
def target(request: StaffRequest, target_id: uuid.UUID) -> HttpResponse:
    """One, with what it was sent and each attempt."""
    found = queries.target_of(target_id)
    back = _BACK.get(TargetKind(found.kind))
    context = {
        "target": found,
        "pages": queries.latest_pages(target_id=found.id),
        "back_url": f"{settings.PUBLIC_URL}{reverse(back, args=[found.id])}" if back else "",
        "may_manage": request.staff.may(Permission.STAFF_ON_CALL_MANAGE),
    }
    return TemplateResponse(request, "incidents/target.html", context)


@require_http_methods(["GET", "POST"])
def target_new(request: StaffRequest, target_kind: str) -> HttpResponse:
    """Make one, of a kind."""
    if target_kind not in TargetKind.values:
        raise NotFound("There is no such kind of target.")
    return _form(request, TargetKind(target_kind), None)


@require_http_methods(["GET", "POST"])
def target_edit(request: StaffRequest, target_id: uuid.UUID) -> HttpResponse:
    """Change one. Its secrets stay as they are where nothing is written."""
    found = queries.target_of(target_id)
    return _form(request, TargetKind(found.kind), found)


@require_POST
def target_switch(request: StaffRequest, target_id: uuid.UUID) -> HttpResponse:
    """Turn it on (`on=1`) or off."""
    found = services.turn_target(
        tenant=HOUSE_ID,
        target_id=target_id,
        is_on=request.POST.get("on") == "1",
        by=request.staff.actor,
        at=clock.now(),
    )
    messages.success(request, f"{found.name} is {'on' if found.is_on else 'off: nothing is sent there'}.")
    return redirect("staff-target", target_id=target_id)


@require_POST
def target_test(request: StaffRequest, target_id: uuid.UUID) -> HttpResponse:
    """Send a test page."""
    try:
        services.test_target(tenant=HOUSE_ID, target_id=target_id, by=request.staff.actor, at=clock.now())
    except DomainError as refusal:
        messages.error(request, refusal.detail)
    else:
        messages.success(request, "A test page is on its way. What became of it stands below in a moment.")
    return redirect("staff-target", target_id=target_id)


def _form(request: StaffRequest, kind: TargetKind, found: PagingTarget | None) -> HttpResponse:
    sign_in.require_recent_sign_in(request)
    initial = TargetForm.initial_of(found) if found else {"severities": ["1", "2"], "is_pager": True}
    form = TargetForm(request.POST or None, kind=kind, target=found, others=queries.targets(), initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.set_target(
                tenant=HOUSE_ID,
                terms=form.terms,
                by=request.staff.actor,
                at=clock.now(),
                target_id=found.id if found else None,
            )
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, f"{made.name} is set. Send it a test page to see that it arrives.")
            return redirect("staff-target", target_id=made.id)
    back_url = reverse("staff-target", args=[found.id]) if found else reverse("staff-targets")
    context = {"form": form, "kind": kind, "target": found, "back_url": back_url}
    return TemplateResponse(request, "incidents/target_form.html", context, status=422 if form.is_bound else 200)
