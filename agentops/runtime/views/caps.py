"""The caps of an organisation: what none of its agents passes in a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.forms import BoundField
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.pages import show_refusal
from agentops.runtime import queries, services
from agentops.runtime.forms import CapsForm
from agentops.runtime.policies.caps import NAMES, PLAN_CAPS
from agentops.runtime.presenting import cap_text
from agentops.runtime.types import CAP_WORDS, CapWords
from tenants.access import TenantRequest
from tenants.roles import Permission


@dataclass(frozen=True, slots=True)
class CapRow:
    """One cap on the page."""

    words: CapWords
    most: str  # the plan's
    chosen: str  # the organisation's, "" where it is as wide as the plan
    field: BoundField


@require_GET
def caps(request: TenantRequest) -> HttpResponse:
    """The caps in force beside the plan's; a form for those who may change them."""
    found = queries.organisation_caps(tenant=request.access.tenant.id)
    form = CapsForm.showing(found.caps if found else {}, plan=PLAN_CAPS[request.access.tenant.plan])
    return render(request, "runtime/caps.html", _context(request, form))


@require_POST
def caps_change(request: TenantRequest) -> HttpResponse:
    """Put other caps in force."""
    access = request.access
    form = CapsForm(request.POST, plan=PLAN_CAPS[access.tenant.plan])
    if form.is_valid():
        try:
            services.set_organisation_caps(tenant=access.tenant.id, caps=form.caps, by=access.actor, at=clock.now())
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "Saved. Runs in progress keep the caps they began with.")
            return redirect("caps", slug=access.tenant.slug)
    return render(request, "runtime/caps.html", _context(request, form), status=422)


def _context(request: TenantRequest, form: CapsForm) -> dict[str, Any]:
    tenant = request.access.tenant
    found = queries.organisation_caps(tenant=tenant.id)
    plan, chosen = PLAN_CAPS[tenant.plan], found.caps if found else {}
    rows = [
        CapRow(CAP_WORDS[name], cap_text(name, getattr(plan, name)), cap_text(name, chosen.get(name)), form[name])
        for name in NAMES
    ]
    return {
        "form": form,
        "rows": rows,
        "set": found,
        "may_manage": request.access.may(Permission.AGENTS_MANAGE),
    }
