"""Forgetting a person: one asks, a second agrees, and a certificate says what was done. It names nobody."""

from __future__ import annotations

import json
import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET, require_http_methods

from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.pages import page_or_fragment, place, question, show_refusal
from audit import queries, services
from audit.keeping_forms import ErasureForm, RefusalForm
from audit.types import ErasureState
from tenants import queries as tenants
from tenants.access import TenantRequest
from tenants.roles import Permission
from tenants.sign_in import require_recent_sign_in


@require_GET
def erasures(request: TenantRequest) -> HttpResponse:
    """Who was to be forgotten, the newest first."""
    context = {
        "erasures": queries.erasures(tenant=request.access.tenant.id),
        "may_manage": request.access.may(Permission.AUDIT_MANAGE),
    }
    return TemplateResponse(request, "audit/erasures.html", context)


@require_http_methods(["GET", "POST"])
def erasure_new(request: TenantRequest) -> HttpResponse:
    """GET asks whom and why; POST asks a second person to agree."""
    tenant = request.access.tenant.id
    form = ErasureForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.ask_erasure(tenant=tenant, **form.cleaned_data, by=request.access.actor, at=clock.now())
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            return redirect(place(request, "audit-erasure", erasure=made.id))
    others = tenants.members_able_to(tenant, Permission.AUDIT_MANAGE) - {request.user.pk}
    context = {"form": form, "is_alone": not others, "back_url": place(request, "audit-erasures")}
    return TemplateResponse(request, "audit/erasure_new.html", context, status=422 if form.is_bound else 200)


@require_GET
def erasure(request: TenantRequest, erasure: uuid.UUID) -> HttpResponse:
    """One request: what it would find, and who may decide on it. For htmx where it stands."""
    access = request.access
    found = queries.erasure(tenant=access.tenant.id, erasure=erasure)
    is_asked, may_manage = found.state == ErasureState.ASKED, access.may(Permission.AUDIT_MANAGE)
    context = {
        "erasure": found,
        "rows": sum(found.progress.get("rows", {}).values()),
        "mentions": queries.mentions(tenant=access.tenant.id, person=found.person) if is_asked else None,
        "is_own": found.asked_by == access.actor.id,
        "may_decide": is_asked and may_manage,
        "action": place(request, "audit-erasure", erasure=erasure),
    }
    return page_or_fragment(request, "audit/erasure.html", "audit/_erasure.html", context)


@require_http_methods(["GET", "POST"])
def erasure_approval(request: TenantRequest, erasure: uuid.UUID) -> HttpResponse:
    """GET asks once more; POST agrees, and it is done soon after. Not for whoever asked."""
    access = request.access
    found = queries.erasure(tenant=access.tenant.id, erasure=erasure)
    back = place(request, "audit-erasure", erasure=erasure)
    context: dict[str, object] = {"erasure": found, "is_own": found.asked_by == access.actor.id}
    status = 200
    if request.method == "POST":
        require_recent_sign_in(request)
        try:
            services.approve_erasure(tenant=access.tenant.id, erasure=erasure, by=access.actor, at=clock.now())
        except DomainError as refusal:
            context["refusal"], status = refusal, refusal.status
        else:
            return redirect(back)
    return question(
        request,
        "audit/_erasure_approval.html",
        {**context, "action": place(request, "audit-erasure-approval", erasure=erasure)},
        title="Erase this person for ever?",
        back=(back, "The request"),
        status=status,
    )


@require_http_methods(["GET", "POST"])
def erasure_refusal(request: TenantRequest, erasure: uuid.UUID) -> HttpResponse:
    """GET asks why not; POST refuses, or takes back what one asked for oneself."""
    access = request.access
    found = queries.erasure(tenant=access.tenant.id, erasure=erasure)
    back, form = place(request, "audit-erasure", erasure=erasure), RefusalForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason, by = form.cleaned_data["reason"], access.actor
        try:
            services.refuse_erasure(tenant=access.tenant.id, erasure=erasure, reason=reason, by=by, at=clock.now())
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "Nobody is erased. The name is gone from the request.")
            return redirect(back)
    is_own = found.asked_by == access.actor.id
    return question(
        request,
        "audit/_erasure_refusal.html",
        {
            "form": form,
            "erasure": found,
            "is_own": is_own,
            "action": place(request, "audit-erasure-refusal", erasure=erasure),
        },
        title="Take the request back?" if is_own else "Refuse to erase?",
        back=(back, "The request"),
        status=422 if form.is_bound else 200,
    )


@require_GET
def certificate(request: TenantRequest, erasure: uuid.UUID) -> HttpResponse:
    """What was done, for whoever asked to be forgotten and for their lawyer. For htmx the proof alone, while it is awaited."""
    found = queries.certificate(tenant=request.access.tenant.id, erasure=erasure)
    context = {
        "certificate": found,
        "erasure": found.erasure,
        "leaf_hash": found.proof.leaf_hash.hex() if found.proof else "",
        "path": [each.hex() for each in found.proof.path] if found.proof else [],
    }
    return page_or_fragment(request, "audit/certificate.html", "audit/_certificate_proof.html", context)


@require_GET
def certificate_json(request: TenantRequest, erasure: uuid.UUID) -> HttpResponse:
    """The same for programs, with the inclusion proof and the signed checkpoint."""
    found = queries.certificate(tenant=request.access.tenant.id, erasure=erasure)
    text = json.dumps(found.as_json(), indent=2, ensure_ascii=False)
    return _file(HttpResponse(text, content_type="application/json"), f"erasure-{erasure}.json")


@require_GET
def certificate_entries(request: TenantRequest, erasure: uuid.UUID) -> HttpResponseBase:
    """Which fields of which entries went: a text whose SHA-256 is the digest of the certificate."""
    found = queries.certificate(tenant=request.access.tenant.id, erasure=erasure)
    lines = queries.erased_lines(tenant=request.access.tenant.id, erasure=found.erasure.id)
    response = HttpResponse(content_type="text/plain; charset=utf-8")
    response.writelines(lines)  # inside the scope: streamed, they would be read after it
    return _file(response, f"erasure-{erasure}.txt")


def _file(response: HttpResponse, name: str) -> HttpResponse:
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
