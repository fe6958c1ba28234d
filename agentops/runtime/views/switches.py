"""Kill switches of one organisation: what is on, what it has done, pressing and lifting. For its people, and for staff."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET, require_http_methods

from agentops.catalog import queries as catalog
from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.pages import page_or_fragment, place, question, show_refusal
from agentops.runtime import queries, services
from agentops.runtime.forms import LiftForm, SwitchForm
from agentops.runtime.models import KillSwitch, ProductSwitch
from agentops.runtime.presenting import SwitchView, switch_sentence
from agentops.runtime.types import SwitchMode, SwitchScope
from audit.types import Actor
from tenants.access import TenantRequest
from tenants.roles import Permission

_FRESH = timedelta(minutes=15)


@require_GET
def kill_switches(request: TenantRequest) -> HttpResponse:
    """What is on, with its proof; and what was. For htmx the lists alone."""
    found = queries.switches(tenant=request.access.tenant.id)
    on = [SwitchView(each, queries.proof(each)) for each in found if each.lifted_at is None]
    context = {
        "on": on,
        "product": [each for each in queries.product_switches() if each.lifted_at is None],
        "past": [each for each in found if each.lifted_at is not None],
        "action": place(request, "kill-switches"),
        "every": refresh_seconds([view.switch for view in on], clock.now()),
        "is_staff": _is_staff(request),
        "may_press": may_press(request),
    }
    return page_or_fragment(request, "runtime/kill_switches.html", "runtime/_kill_switches.html", context)


@require_http_methods(["GET", "POST"])
def kill_switch_new(request: TenantRequest) -> HttpResponse:
    """GET asks what to stop, how and why (`?scope=agent&id=…` names it beforehand); POST stops it."""
    tenant = request.access.tenant.id
    scope, scope_id = request.GET.get("scope", ""), request.GET.get("id", "")
    initial: dict[str, Any] = {"scope": scope, **({scope: scope_id} if scope in ("agent", "user") else {})}
    form = SwitchForm(
        request.POST or None, agents=[each.name for each in catalog.agents(tenant=tenant)], initial=initial
    )
    if request.method == "POST" and form.is_valid():
        try:
            switch, is_new = services.set_switch(
                tenant=tenant,
                scope_kind=SwitchScope(form.cleaned_data["scope"]),
                scope_id=form.scope_id,
                mode=SwitchMode(form.cleaned_data["mode"]),
                reason=form.cleaned_data["reason"],
                by=actor(request),
                at=clock.now(),
            )
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            sentence = switch_sentence(switch)
            words = f"{sentence} Below is what it does." if is_new else f"It was on already. {sentence}"
            messages.success(request, words)
            return redirect(place(request, "kill-switches"))
    context = {"form": form, "back_url": place(request, "kill-switches"), "is_staff": _is_staff(request)}
    status = 422 if form.is_bound else 200
    return TemplateResponse(request, "runtime/kill_switch_new.html", context, status=status)


@require_http_methods(["GET", "POST"])
def kill_switch_lift(request: TenantRequest, switch: uuid.UUID) -> HttpResponse:
    """GET asks for the reason; POST lets go again."""
    tenant = request.access.tenant.id
    found = queries.switch(tenant=tenant, switch_id=switch)
    back = place(request, "kill-switches")
    form = LiftForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.lift_switch(
                tenant=tenant, switch_id=switch, reason=form.cleaned_data["reason"], by=actor(request), at=clock.now()
            )
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, f"Lifted: {switch_sentence(found)[:-1]} no more. New runs may begin.")
            return redirect(back)
    context = {
        "form": form,
        "view": SwitchView(found, queries.proof(found)),
        "action": place(request, "kill-switch-lift", switch=switch),
    }
    return question(
        request,
        "runtime/_kill_switch_lift.html",
        context,
        title="Lift this kill switch?",
        back=(back, "Kill switches"),
        status=422 if form.is_bound else 200,
    )


def refresh_seconds(on: list[KillSwitch] | list[ProductSwitch], now: datetime) -> int:
    """How often the page asks again: while a switch takes hold nearly at once, later now and then."""
    return 2 if any(now - each.set_at < _FRESH for each in on) else 20


def actor(request: TenantRequest) -> Actor:
    """Who acts: staff as staff, not as the reader that the door makes of them."""
    staff = getattr(request, "staff", None)
    found: Actor = staff.actor if staff else request.access.actor
    return found


def may_press(request: TenantRequest) -> bool:
    staff = getattr(request, "staff", None)
    return bool(staff.may(Permission.STAFF_KILL)) if staff else request.access.may(Permission.KILL_SWITCH)


def _is_staff(request: TenantRequest) -> bool:
    return hasattr(request, "staff")
