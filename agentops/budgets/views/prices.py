"""What models cost here: own prices, discounts, and what a call would cost by them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET, require_http_methods

from agentops.budgets import queries, services
from agentops.budgets.callprice import CallPrice, call_price
from agentops.budgets.forms import CallForm, DiscountForm, EndForm, PriceForm
from agentops.budgets.prices import TABLE_VERSION
from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.pages import show_refusal
from tenants.access import TenantRequest
from tenants.roles import Permission

UNPRICED_SINCE = timedelta(days=7)


@require_GET
def prices(request: TenantRequest) -> HttpResponse:
    """Which models have no price, the organisation's own prices and discounts with their history, and a call's price."""
    tenant, at = request.access.tenant.id, clock.now()
    form, call = _call(request, at)
    own = queries.price_histories(tenant=tenant, at=at)
    context = {
        "prices": own,
        "has_past_prices": any(history.past for history in own),
        "discounts": queries.discount_histories(tenant=tenant, at=at),
        "unpriced": queries.unpriced_models(tenant=tenant, since=at - UNPRICED_SINCE),
        "table": TABLE_VERSION,
        "zone": queries.calendar(tenant=tenant),
        "form": form,
        "call": call,
        "may_manage": request.access.may(Permission.SETTINGS_MANAGE),
        "may_reprice": request.access.may(Permission.BUDGETS_READ),
    }
    return TemplateResponse(request, "budgets/prices.html", context)


def _call(request: TenantRequest, at: datetime) -> tuple[CallForm, CallPrice | None]:
    tenant = request.access.tenant.id
    form = CallForm(request.GET if "input" in request.GET else None, zone=queries.calendar(tenant=tenant))
    if not form.is_valid():
        return form, None
    book = queries.overrides(tenant=tenant)
    return form, call_price(**_named(form), tokens=form.tokens, at=form.cleaned_data["at"] or at, book=book)


@require_http_methods(["GET", "POST"])
def price_new(request: TenantRequest) -> HttpResponse:
    """GET asks for a price (of the model in the address); POST sets it."""
    tenant = request.access.tenant.id
    asked = {name: request.GET.get(name, "") for name in ("model", "provider")}
    form = PriceForm(request.POST or None, initial=asked, zone=queries.calendar(tenant=tenant))

    def set_it() -> str:
        price = services.set_price(
            tenant=tenant,
            **_named(form),
            rates=form.rates,
            valid_from=form.cleaned_data["valid_from"],
            by=request.access.actor,
            at=clock.now(),
        )
        return f"{price} has a price now."

    return _ask(request, form, set_it, "budgets/price_new.html", {})


@require_http_methods(["GET", "POST"])
def price_end(request: TenantRequest, price: uuid.UUID) -> HttpResponse:
    """GET asks until when a price holds; POST ends it then."""
    tenant = request.access.tenant.id
    found = queries.price_override(tenant=tenant, price_id=price)
    form = _end_form(request)

    def end_it() -> str:
        ends = form.cleaned_data["valid_until"]
        services.end_price(tenant=tenant, price_id=price, ends=ends, by=request.access.actor, at=clock.now())
        return f"The price of {found} ends."

    context = {"what": f"the price of {found}", "row": found, "removal": "price-removal"}
    return _ask(request, form, end_it, "budgets/price_end.html", context)


@require_http_methods(["GET", "POST"])
def price_removal(request: TenantRequest, price: uuid.UUID) -> HttpResponse:
    """POST takes a price back: it never held."""
    tenant = request.access.tenant.id
    queries.price_override(tenant=tenant, price_id=price)
    if request.method == "POST":
        services.remove_price(tenant=tenant, price_id=price, by=request.access.actor, at=clock.now())
        messages.success(request, f"Removed, as if it had never held. {_CHARGED}")
    return redirect("prices", slug=request.access.tenant.slug)


@require_http_methods(["GET", "POST"])
def discount_new(request: TenantRequest) -> HttpResponse:
    """GET asks for a discount; POST sets it."""
    tenant = request.access.tenant.id
    form = DiscountForm(request.POST or None, zone=queries.calendar(tenant=tenant))

    def set_it() -> str:
        discount = services.set_discount(
            tenant=tenant,
            **_named(form),
            percent=form.cleaned_data["percent"],
            valid_from=form.cleaned_data["valid_from"],
            by=request.access.actor,
            at=clock.now(),
        )
        return f"Discount set: {discount}."

    return _ask(request, form, set_it, "budgets/discount_new.html", {})


@require_http_methods(["GET", "POST"])
def discount_end(request: TenantRequest, discount: uuid.UUID) -> HttpResponse:
    """GET asks until when a discount holds; POST ends it then."""
    tenant = request.access.tenant.id
    found = queries.discount(tenant=tenant, discount_id=discount)
    form = _end_form(request)

    def end_it() -> str:
        ends = form.cleaned_data["valid_until"]
        services.end_discount(tenant=tenant, discount_id=discount, ends=ends, by=request.access.actor, at=clock.now())
        return f"The discount ends: {found}."

    context = {"what": str(found), "row": found, "removal": "discount-removal"}
    return _ask(request, form, end_it, "budgets/price_end.html", context)


@require_http_methods(["GET", "POST"])
def discount_removal(request: TenantRequest, discount: uuid.UUID) -> HttpResponse:
    """POST takes a discount back: it never held."""
    tenant = request.access.tenant.id
    queries.discount(tenant=tenant, discount_id=discount)
    if request.method == "POST":
        services.remove_discount(tenant=tenant, discount_id=discount, by=request.access.actor, at=clock.now())
        messages.success(request, f"Removed, as if it had never held. {_CHARGED}")
    return redirect("prices", slug=request.access.tenant.slug)


_CHARGED = "What was charged before stays charged, until you price these calls anew."


def _named(form: forms.Form) -> dict[str, str]:
    return {name: form.cleaned_data[name].strip() for name in ("provider", "model")}


def _end_form(request: TenantRequest) -> EndForm:
    tenant = request.access.tenant.id
    return EndForm(request.POST or None, initial={"valid_until": clock.now()}, zone=queries.calendar(tenant=tenant))


def _ask(
    request: TenantRequest, form: forms.Form, change: Callable[[], str], page: str, context: dict[str, Any]
) -> HttpResponse:
    """Show a form; where it was sent and is sound, make the change, and go back to the prices with its sentence."""
    if request.method == "POST" and form.is_valid():
        try:
            said = change()
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, f"{said} {_CHARGED}")
            return redirect("prices", slug=request.access.tenant.slug)
    return TemplateResponse(request, page, {**context, "form": form})
