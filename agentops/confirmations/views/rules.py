"""Rules: what an organisation asks for beyond what its tools say."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from agentops.catalog import queries as catalog
from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.pages import question, show_refusal
from agentops.confirmations import queries, services
from agentops.confirmations.admin_forms import RuleForm
from agentops.confirmations.models import Rule
from agentops.confirmations.policies.rules import DELAY_SECONDS, THRESHOLD
from tenants import sign_in
from tenants.access import TenantRequest
from tenants.roles import Permission


@require_GET
def rules(request: TenantRequest) -> HttpResponse:
    """Every rule, and what holds without any."""
    context = {
        "rules": queries.rules(tenant=request.access.tenant.id),
        "threshold": THRESHOLD,
        "delay_seconds": DELAY_SECONDS,
        "may_manage": request.access.may(Permission.CONFIRMATIONS_MANAGE),
    }
    return render(request, "confirmations/rules.html", context)


@require_http_methods(["GET", "POST"])
def rule_new(request: TenantRequest) -> HttpResponse:
    """Make a rule (`?agent=…&tool=…` names whose calls beforehand); what was said of exactly these before is replaced."""
    form = _form(request, initial={"agent": request.GET.get("agent", ""), "tool": request.GET.get("tool", "")})
    return _answer(request, form, None)


@require_http_methods(["GET", "POST"])
def rule_change(request: TenantRequest, rule: uuid.UUID) -> HttpResponse:
    """Let a rule say something else. Whose calls it is about does not change."""
    found = queries.rule(tenant=request.access.tenant.id, rule_id=rule)
    form = _form(request, initial=RuleForm.showing(found))
    for name in ("agent", "tool"):
        del form.fields[name]
    return _answer(request, form, found)


def _answer(request: TenantRequest, form: RuleForm, found: Rule | None) -> HttpResponse:
    if request.method == "POST":
        sign_in.require_recent_sign_in(request)
        if form.is_valid():
            whose = {"agent": found.agent, "tool": found.tool} if found else {}
            try:
                services.set_rule(
                    tenant=request.access.tenant.id,
                    terms=form.terms(**whose),
                    by=request.access.actor,
                    at=clock.now(),
                )
            except DomainError as refusal:
                show_refusal(form, refusal)
            else:
                messages.success(request, "Saved. It holds from the next call on.")
                return redirect("confirmation-rules", slug=request.access.tenant.slug)
    context = {"form": form, "rule": found}
    return render(request, "confirmations/rule.html", context, status=422 if form.is_bound else 200)


def _form(request: TenantRequest, *, initial: dict[str, object]) -> RuleForm:
    tenant = request.access.tenant.id
    return RuleForm(
        request.POST if request.method == "POST" else None,
        agents=[each.name for each in catalog.agents(tenant=tenant)],
        tools=sorted({each.tool for each in catalog.tool_versions(tenant=tenant)}),
        initial=initial,
    )


@require_http_methods(["GET", "POST"])
def rule_removal(request: TenantRequest, rule: uuid.UUID) -> HttpResponse:
    """Take a rule back."""
    access = request.access
    found = queries.rule(tenant=access.tenant.id, rule_id=rule)
    if request.method == "POST":
        sign_in.require_recent_sign_in(request)
        services.remove_rule(tenant=access.tenant.id, rule=rule, by=access.actor, at=clock.now())
        messages.success(request, "Removed. It holds no more from the next call on.")
        return redirect("confirmation-rules", slug=access.tenant.slug)
    return question(
        request,
        "confirmations/_rule_removal.html",
        {"rule": found},
        title="Remove this rule?",
        back=(reverse("confirmation-rules", args=[access.tenant.slug]), "Rules"),
    )
