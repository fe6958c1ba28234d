"""Tokens of our own machines."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.pages import question, show_refusal
from tenants import queries, services, sign_in
from tenants.access import StaffRequest
from tenants.forms import StaffTokenForm
from tenants.roles import StaffScope


@require_GET
def tokens(request: StaffRequest) -> HttpResponse:
    """The list: tokens in use first."""
    return render(request, "tenants/staff_tokens.html", {"tokens": queries.staff_tokens()})


@never_cache
@require_http_methods(["GET", "POST"])
def token_new(request: StaffRequest) -> HttpResponse:
    """Make a token. Its text is in the answer to this POST and never again, so nothing keeps that answer."""
    sign_in.require_recent_sign_in(request)
    form = StaffTokenForm(request.POST or None, initial={"scopes": [StaffScope.REVENUE]})
    if request.method == "POST" and form.is_valid():
        try:
            made = services.create_staff_token(**form.cleaned_data, by=request.staff.actor, at=clock.now())
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            return render(request, "tenants/staff_token_made.html", {"made": made})
    return render(request, "tenants/staff_token_new.html", {"form": form}, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
def token_revocation(request: StaffRequest, staff_token: uuid.UUID) -> HttpResponse:
    """End a token."""
    if request.method == "POST":
        revoked = services.revoke_staff_token(token=staff_token, by=request.staff.actor, at=clock.now())
        messages.success(request, f"The token {revoked.name} is revoked.")
        return redirect("staff-tokens")
    found = queries.staff_token(staff_token)
    return question(
        request,
        "tenants/_staff_token_revocation.html",
        {"token": found},
        title=f"Revoke {found.name}?",
        back=(reverse("staff-tokens"), "Staff tokens"),
    )
