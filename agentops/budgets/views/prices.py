"""Prices, for people."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from agentops.budgets import queries, services
from agentops.budgets.forms import PriceForm
from agentops.budgets.prices import TABLE_VERSION
from agentops.common import clock
from tenants.access import TenantRequest
from tenants.roles import Permission

UNPRICED_SINCE = timedelta(days=7)


def prices(request: TenantRequest) -> HttpResponse:
    """What the organisation pays for models, where that is not what the table says, and which have no price."""
    tenant = request.access.tenant.id
    context = {
        "prices": queries.price_overrides(tenant=tenant),
        "unpriced": queries.unpriced_models(tenant=tenant, since=clock.now() - UNPRICED_SINCE),
        "table": TABLE_VERSION,
        "may_manage": request.access.may(Permission.SETTINGS_MANAGE),
    }
    return TemplateResponse(request, "budgets/prices.html", context)


def price_new(request: TenantRequest) -> HttpResponse:
    """GET asks for a price (of the model in the address); POST sets it."""
    form = PriceForm(request.POST or None, initial={name: request.GET.get(name, "") for name in ("model", "provider")})
    if request.method == "POST" and form.is_valid():
        price = services.set_price(
            tenant=request.access.tenant.id,
            provider=form.cleaned_data["provider"].strip(),
            model=form.cleaned_data["model"].strip(),
            rates=form.rates,
            by=request.access.actor,
            at=clock.now(),
        )
        messages.success(request, f"{price} has a price now; calls that come in from here on are charged with it.")
        return redirect("prices", slug=request.access.tenant.slug)
    return TemplateResponse(request, "budgets/price_new.html", {"form": form})


def price_removal(request: TenantRequest, price: uuid.UUID) -> HttpResponse:
    """POST takes a price away: the table's holds again."""
    tenant = request.access.tenant.id
    queries.price_override(tenant=tenant, price_id=price)
    if request.method == "POST":
        services.remove_price(tenant=tenant, price_id=price, by=request.access.actor, at=clock.now())
        messages.success(request, "Removed. The price table holds again for calls that come in from here on.")
    return redirect("prices", slug=request.access.tenant.slug)
