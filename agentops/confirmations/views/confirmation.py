"""One confirmation: the page, and what people answer on it. A GET changes nothing, whoever follows the link."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.pages import is_fragment, question
from agentops.confirmations import services
from agentops.confirmations.errors import NotEligible
from agentops.confirmations.forms import CorrectnessForm, EditForm, RefusalForm, digest
from agentops.confirmations.presenting import FRESH, Sheet
from agentops.confirmations.types import Tier
from agentops.confirmations.views import seeing
from agentops.runtime.services import approvals
from tenants import sign_in
from tenants.access import TenantRequest


@never_cache
@require_GET
def confirmation(request: TenantRequest, confirmation: uuid.UUID) -> HttpResponse:
    """The page; for htmx the line that says where it stands, and whether that changed since the page was sent."""
    found = seeing.sheet(request, confirmation)
    if not is_fragment(request):
        return seeing.shown(request, found)
    has_changed = request.GET.get("seen") != found.state.value
    context = {"sheet": found, "urls": seeing.urls(request, found), "has_changed": has_changed}
    response = TemplateResponse(request, "confirmations/_standing.html", context)
    if has_changed and request.GET.get("asks") != "yes":
        response["HX-Refresh"] = "true"  # nothing was being typed there
    return response


@require_POST
def approve(request: TenantRequest, confirmation: uuid.UUID) -> HttpResponse:
    """Agree. Where the proof has grown old meanwhile, the person is asked, and the form is played again."""
    found = seeing.sheet(request, confirmation)
    if found.asks:
        _require_proof(request, found)
    return _answered(
        request,
        found,
        lambda: services.approve(
            tenant=request.access.tenant.id,
            confirmation=confirmation,
            by=found.viewer,
            proofs=seeing.proofs(request),
            action_digest=digest(request.POST.get("action_digest", "")),
            view_digest=digest(request.POST.get("view_digest", "")),
            phrase=request.POST.get("phrase", ""),
            code=request.POST.get("code", ""),
            at=clock.now(),
        ),
    )


@require_http_methods(["GET", "POST"])
def refuse(request: TenantRequest, confirmation: uuid.UUID) -> HttpResponse:
    """GET asks why; POST refuses."""
    found = seeing.sheet(request, confirmation)
    form = RefusalForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return _answered(
            request,
            found,
            lambda: services.refuse(
                tenant=request.access.tenant.id,
                confirmation=confirmation,
                by=found.viewer,
                action_digest=digest(request.POST.get("action_digest", "")),
                view_digest=digest(request.POST.get("view_digest", "")),
                reason=form.cleaned_data["reason"],
                at=clock.now(),
            ),
        )
    if not found.asks:
        return redirect(seeing.urls(request, found)["self"])
    urls = seeing.urls(request, found)
    return question(
        request,
        "confirmations/_refuse.html",
        {"form": form, "sheet": found, "urls": urls},
        title="Refuse this?",
        back=(urls["self"], "Back to it"),
        status=422 if form.is_bound else 200,
    )


@require_POST
def cancel(request: TenantRequest, confirmation: uuid.UUID) -> HttpResponse:
    """Stop it: before it is decided, and in the delay after it."""
    found = seeing.sheet(request, confirmation)
    return _answered(
        request,
        found,
        lambda: services.cancel(
            tenant=request.access.tenant.id,
            confirmation=confirmation,
            by=found.viewer,
            reason=request.POST.get("reason", "").strip()[:500],
            at=clock.now(),
        ),
    )


@require_http_methods(["GET", "POST"])
def edit(request: TenantRequest, confirmation: uuid.UUID) -> HttpResponse:
    """GET shows the values; POST has the changed ones checked as a new request, and leads to it."""
    found = seeing.sheet(request, confirmation)
    urls = seeing.urls(request, found)
    if not found.asks:
        return redirect(urls["self"])
    form = EditForm(request.POST or None, arguments=found.detail.arguments, leaves=found.view.leaves)
    if request.method == "POST" and form.is_valid():
        try:
            asked = approvals.edit(
                tenant=request.access.tenant.id,
                confirmation=confirmation,
                arguments=form.arguments,
                by=found.viewer,
                at=clock.now(),
            )
        except NotEligible:
            raise
        except DomainError as refusal:
            form.show(refusal)
        else:
            messages.success(request, "Changed. It is asked for with these values now; nothing was agreed to yet.")
            return redirect("confirmation", slug=request.access.tenant.slug, confirmation=asked.id)
    context = {"form": form, "sheet": found, "urls": urls}
    return TemplateResponse(request, "confirmations/edit.html", context, status=422 if form.is_bound else 200)


@require_POST
def code(request: TenantRequest, confirmation: uuid.UUID) -> HttpResponse:
    """Have a code mailed."""
    found = seeing.sheet(request, confirmation)
    return _answered(
        request,
        found,
        lambda: services.send_code(
            tenant=request.access.tenant.id, confirmation=confirmation, to=found.viewer, at=clock.now()
        ),
        back="#decide",
    )


@require_GET
def proof(request: TenantRequest, confirmation: uuid.UUID) -> HttpResponse:
    """Ask who it is, then lead back to the answer."""
    found = seeing.sheet(request, confirmation)
    if found.asks:
        _require_proof(request, found)
    return redirect(seeing.urls(request, found)["self"] + "#decide")


@require_POST
def correctness(request: TenantRequest, confirmation: uuid.UUID) -> HttpResponse:
    """Was this correct? Asked once of who decided, and of whom it was done for."""
    found = seeing.sheet(request, confirmation)
    form = CorrectnessForm(request.POST)
    if not form.is_valid():
        return redirect(seeing.urls(request, found)["self"])
    return _answered(
        request,
        found,
        lambda: services.answer_correctness(
            tenant=request.access.tenant.id,
            confirmation=confirmation,
            by=found.viewer,
            is_correct=form.cleaned_data["is_correct"] == "yes",
            comment=form.cleaned_data["comment"],
            at=clock.now(),
        ),
    )


def _answered(request: TenantRequest, found: Sheet, decide: Callable[[], object], *, back: str = "") -> HttpResponse:
    """Lead back to the page, which shows what came of it. Refused, the page says so and shows the present state.

    With an error's status the door takes back what was written, except for what the service kept (scope.keep).
    """
    try:
        decide()
    except NotEligible:
        raise
    except DomainError as refusal:
        now = seeing.sheet(request, found.detail.id)
        return seeing.shown(request, now, refusal=refusal, status=refusal.status)
    return redirect(seeing.urls(request, found)["self"] + back)


def _require_proof(request: TenantRequest, found: Sheet) -> None:
    """Who cannot give the proof at all reads on the page how to come by it."""
    at = clock.now()
    if found.detail.tier == Tier.FULL_DISCLOSURE:
        sign_in.require_password_or_passkey(request, within=FRESH, at=at)
    elif found.detail.tier == Tier.TWO_PEOPLE and found.sureness.has_mfa:
        sign_in.require_second_factor(request, within=FRESH, at=at)
