"""Kill switches for our own people: the product's, and those of all organisations that are on."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.pages import page_or_fragment, question, show_refusal
from agentops.runtime import queries, services
from agentops.runtime.forms import LiftForm, ProductSwitchForm
from agentops.runtime.presenting import ProductView, SwitchView
from agentops.runtime.types import SwitchMode
from agentops.runtime.views.switches import refresh_seconds
from tenants import queries as tenants
from tenants.access import StaffRequest
from tenants.roles import Permission


@require_GET
def kill_switches(request: StaffRequest) -> HttpResponse:
    """The product's switch, and every organisation's that is on."""
    product = queries.product_switches()
    organisations = {tenant.id: tenant for tenant in tenants.active_tenants()}
    on = [SwitchView(each, queries.proof(each), organisations[each.tenant_id]) for each in queries.all_switches_on()]
    now, pressed = clock.now(), [each for each in product if each.lifted_at is None]
    context = {
        "product": [ProductView(each, queries.product_proof(each), request.user.email) for each in pressed],
        "past": [each for each in product if each.lifted_at is not None],
        "on": on,
        "organisations": list(organisations.values()),
        "every": min(refresh_seconds(pressed, now), refresh_seconds([view.switch for view in on], now)),
        "may_press": request.staff.may(Permission.STAFF_KILL),
        "is_staff": True,
        "action": reverse("staff-kill-switches"),
    }
    return page_or_fragment(request, "runtime/staff_kill_switches.html", "runtime/_staff_kill_switches.html", context)


@require_http_methods(["GET", "POST"])
def product_switch_new(request: StaffRequest) -> HttpResponse:
    """GET asks how, why, and whether all is meant; POST stops every agent of every organisation."""
    form = ProductSwitchForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            _, is_new = services.set_product_switch(
                mode=SwitchMode(form.cleaned_data["mode"]),
                reason=form.cleaned_data["reason"],
                by=request.staff.actor,
                at=clock.now(),
            )
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(
                request, "Every agent is stopped. Below is what it does." if is_new else "It was on already."
            )
            return redirect("staff-kill-switches")
    context = {"form": form, "back_url": reverse("staff-kill-switches")}
    status = 422 if form.is_bound else 200
    return TemplateResponse(request, "runtime/product_switch_new.html", context, status=status)


@require_http_methods(["GET", "POST"])
def product_switch_lift(request: StaffRequest, product_switch: uuid.UUID) -> HttpResponse:
    """The first of two people asks, with a reason; the second agrees. GET shows which of the two is due."""
    found = queries.product_switch(switch_id=product_switch)
    view = ProductView(found, None, request.user.email)
    is_agreeing = request.POST.get("action") == "agree"
    form = LiftForm(request.POST if request.method == "POST" and not is_agreeing else None)
    refused: DomainError | None = None
    if request.method == "POST":
        try:
            if is_agreeing:
                services.lift_product_switch(switch_id=product_switch, by=request.staff.actor, at=clock.now())
                messages.success(request, f"Lifted, as {found.lift_asked_by} asked. Agents may go on.")
                return redirect("staff-kill-switches")
            if form.is_valid():
                services.ask_product_lift(
                    switch_id=product_switch,
                    reason=form.cleaned_data["reason"],
                    by=request.staff.actor,
                    at=clock.now(),
                )
                messages.success(request, "Asked. It stays on until a second person agrees.")
                return redirect("staff-kill-switches")
        except DomainError as refusal:
            refused = refusal
    context = {"view": view, "form": form, "refusal": refused}
    status = refused.status if refused else 422 if form.is_bound else 200
    return question(
        request,
        "runtime/_product_switch_lift.html",
        context,
        title="Let all agents go on?",
        back=(reverse("staff-kill-switches"), "Kill switches"),
        status=status,
    )
