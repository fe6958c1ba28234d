"""Pricing a period anew: what it would change, how far it is, and what was done before."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agentops.budgets import queries, services
from agentops.budgets.forms import RepricingForm
from agentops.budgets.models import Repricing
from agentops.budgets.policies import hour_of
from agentops.budgets.types import REPRICING_OPEN, RepricingState
from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.pages import is_fragment, page_or_fragment, show_refusal
from agentops.traces import queries as traces
from tenants.access import TenantRequest
from tenants.roles import Permission

_HOUR = timedelta(hours=1)
_SHOWN_MODELS = 50


@require_http_methods(["GET", "POST"])
def repricings(request: TenantRequest) -> HttpResponse:
    """GET asks for a period and shows what would change in it; POST begins. Below, what was priced anew before."""
    tenant = request.access.tenant.id
    sent = request.POST if request.method == "POST" else request.GET if "until" in request.GET else None
    asked = {"since": request.GET.get("since", ""), "until": clock.now()}
    zone = queries.calendar(tenant=tenant)
    form = RepricingForm(sent, initial=asked, zone=zone)
    if request.method == "POST" and form.is_valid():
        request.access.require(Permission.BUDGETS_MANAGE)
        try:
            found = services.plan_repricing(tenant=tenant, **form.cleaned_data, by=request.access.actor, at=clock.now())
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            return redirect("repricing", slug=request.access.tenant.slug, repricing=found.id)
    rows = queries.repricings(tenant=tenant)
    context: dict[str, Any] = {
        "form": form,
        "zone": zone,
        "preview": _preview(request, form) if form.is_bound and not form.errors else None,
        "is_part": is_fragment(request),
        "shown_models": _SHOWN_MODELS,
        "rows": [(row, _word(row)) for row in rows],
        "open": next((row for row in rows if row.state in REPRICING_OPEN), None),
        "may_manage": request.access.may(Permission.BUDGETS_MANAGE),
    }
    return page_or_fragment(request, "budgets/repricings.html", "budgets/_repricing_preview.html", context)


def _preview(request: TenantRequest, form: RepricingForm) -> traces.Preview | None:
    since, until = form.cleaned_data["since"], form.cleaned_data["until"]
    if since >= until:
        form.add_error("until", "It ends after it begins.")
        return None
    return traces.preview_repricing(tenant=request.access.tenant.id, since=since, until=until)


@require_GET
def repricing(request: TenantRequest, repricing: uuid.UUID) -> HttpResponse:
    """One: how far it is, and what it has changed. While it is under way, the part asks for itself again."""
    tenant = request.access.tenant.id
    found = queries.repricing(tenant=tenant, repricing_id=repricing)
    zone = queries.calendar(tenant=tenant)
    whole = queries.total(tenant=tenant, since=hour_of(found.since, zone), until=hour_of(found.until, zone) + _HOUR)
    words = {"target_type": "repricing", "target_id": str(found.id)}
    context = {
        "found": found,
        "word": _word(found),
        "zone": zone,
        "is_waiting": found.claimed_until is not None and found.claimed_until < clock.now(),
        "is_open": found.state in REPRICING_OPEN,
        "total": max(whole.calls, found.calls_seen),
        "log_url": f"{reverse('audit-what', args=[request.access.tenant.slug])}?{urlencode(words)}",
        "may_manage": request.access.may(Permission.BUDGETS_MANAGE),
        "may_read_log": request.access.may(Permission.AUDIT_READ),
    }
    return page_or_fragment(request, "budgets/repricing.html", "budgets/_repricing.html", context)


@require_POST
def repricing_stop(request: TenantRequest, repricing: uuid.UUID) -> HttpResponse:
    """POST stops it where it is."""
    tenant = request.access.tenant.id
    queries.repricing(tenant=tenant, repricing_id=repricing)
    try:
        services.stop_repricing(tenant=tenant, repricing_id=repricing, by=request.access.actor, at=clock.now())
    except DomainError as refusal:
        messages.info(request, refusal.detail)
    return redirect("repricing", slug=request.access.tenant.slug, repricing=repricing)


def _word(row: Repricing) -> str:
    return str(RepricingState(row.state).label)
