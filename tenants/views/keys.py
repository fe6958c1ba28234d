"""Keys of machines."""

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
from tenants.access import TenantRequest
from tenants.forms import KeyForm
from tenants.roles import KeyScope, Permission
from tenants.types import NewKey


@require_GET
def keys(request: TenantRequest) -> HttpResponse:
    """The list: keys in use first."""
    context = {
        "keys": queries.keys(request.access.tenant.id),
        "may_manage": request.access.may(Permission.KEYS_MANAGE),
    }
    return render(request, "tenants/keys.html", context)


@never_cache
@require_http_methods(["GET", "POST"])
def key_new(request: TenantRequest) -> HttpResponse:
    """Make a key. Its text is in the answer to this POST and never again, so nothing keeps that answer."""
    sign_in.require_recent_sign_in(request)
    form = KeyForm(request.POST or None, initial={"scopes": [KeyScope.INGEST]})
    if request.method == "POST" and form.is_valid():
        try:
            made = services.create_key(
                tenant=request.access.tenant.id, **form.cleaned_data, by=request.access.actor, at=clock.now()
            )
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            return _made(request, made)
    status = 422 if form.is_bound else 200
    return render(request, "tenants/key_new.html", {"form": form}, status=status)


def _made(request: TenantRequest, made: NewKey) -> HttpResponse:
    context = {"made": made, "environment": _environment(request, made) if "ingest" in made.key.scopes else ""}
    return render(request, "tenants/key_made.html", context)


def _environment(request: TenantRequest, made: NewKey) -> str:
    """What an OpenTelemetry exporter reads. Header values are percent-encoded there (W3C Baggage, OTLP exporter specification)."""
    endpoint = request.build_absolute_uri("/").rstrip("/")
    return "\n".join(
        [
            f"OTEL_EXPORTER_OTLP_ENDPOINT={endpoint}",
            "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
            f"OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20{made.text}",
        ]
    )


@require_http_methods(["GET", "POST"])
def key_revocation(request: TenantRequest, key: uuid.UUID) -> HttpResponse:
    """End a key."""
    access = request.access
    if request.method == "POST":
        revoked = services.revoke_key(tenant=access.tenant.id, key=key, by=access.actor, at=clock.now())
        messages.success(request, f"The key {revoked.name} is revoked.")
        return redirect("keys", slug=access.tenant.slug)
    found = queries.key(access.tenant.id, key)
    return question(
        request,
        "tenants/_key_revocation.html",
        {"key": found},
        title=f"Revoke {found.name}?",
        back=(reverse("keys", args=[access.tenant.slug]), "Keys"),
    )
