"""Which share of runs comes to people by chance."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from agentops.catalog import queries as catalog
from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.pages import place, show_refusal
from evals import services
from evals.queries import queue as queries
from tenants.access import TenantRequest


class SamplingForm(forms.Form):
    agent = forms.CharField(
        required=False, max_length=200, help_text="As it names itself in its traces. Empty: all agents without a line."
    )
    percent = forms.DecimalField(
        label="Percent of its runs", min_value=0, max_value=100, decimal_places=3, help_text="0 lets chance draw none."
    )


@require_http_methods(["GET", "POST"])
def review_sampling(request: TenantRequest) -> HttpResponse:
    """The shares, and the form that sets one."""
    tenant = request.access.tenant.id
    form = SamplingForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        staff = getattr(request, "staff", None)
        given: dict[str, Any] = form.cleaned_data
        try:
            services.set_sampling(
                tenant=tenant,
                agent=given["agent"].strip(),
                share=float(given["percent"]) / 100,
                by=staff.actor if staff else request.access.actor,
                at=clock.now(),
            )
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "Saved. It holds for runs that finish from now on.")
            return redirect(place(request, "review-sampling"))
    context = {
        "form": form,
        "shares": queries.sampling(tenant=tenant).items(),
        "agents": sorted(each.name for each in catalog.agents(tenant=tenant)),
        "queue_url": place(request, "review-queue"),
    }
    return TemplateResponse(request, "evals/review_sampling.html", context, status=422 if form.errors else 200)
