"""Tools: what waits for a review, one definition with its review, and the quarterly audit of all of them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET, require_http_methods

from agentops.catalog import linediff, queries, services
from agentops.catalog.forms import ReasonForm, ReviewForm
from agentops.catalog.presenting import tool_facts
from agentops.catalog.types import Review, ToolVersionDetail, ToolVersionSummary
from agentops.catalog.views.shared import actor, may_review
from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.pages import page_or_fragment, place, question, show_refusal
from agentops.runtime import queries as runtime
from tenants.access import TenantRequest

QUARTER = timedelta(days=91)
USED_OVER = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class ToolLine:
    """A tool version in a list, with when it was last looked at and last allowed."""

    tool: ToolVersionSummary
    last_used_at: datetime | None
    at: datetime

    @property
    def is_due(self) -> bool:
        """Nobody has looked at it for a quarter."""
        return self.tool.reviewed_at is None or self.at - self.tool.reviewed_at > QUARTER

    @property
    def is_idle(self) -> bool:
        """It was not allowed for a quarter."""
        return self.last_used_at is None or self.at - self.last_used_at > QUARTER


@require_GET
def tools(request: TenantRequest) -> HttpResponse:
    """What waits for a review, and every definition there is (`?tool=` of one tool). For htmx the results alone."""
    tenant, name = request.access.tenant.id, request.GET.get("tool", "").strip()
    context = {
        "waiting": [] if name else queries.tools_waiting(tenant=tenant),
        "lines": lines_of(tenant, queries.tool_versions(tenant=tenant, tool=name), clock.now()),
        "name": name,
        "action": place(request, "tools"),
        "may_review": may_review(request),
    }
    return page_or_fragment(request, "catalog/tools.html", "catalog/_tools.html", context)


@require_GET
def tools_audit(request: TenantRequest) -> HttpResponse:
    """Every approved definition that an agent may call, the longest not looked at first: keep it or take it away."""
    tenant = request.access.tenant.id
    context = {"lines": audited(tenant, clock.now()), "may_review": may_review(request)}
    return TemplateResponse(request, "catalog/tools_audit.html", context)


@require_GET
def tool(request: TenantRequest, tool_version: uuid.UUID) -> HttpResponse:
    """One definition, what is different from the last approved one, its review, and the versions there were."""
    return _page(request, _detail(request, tool_version), None)


@require_http_methods(["GET", "POST"])
def tool_review(request: TenantRequest, tool_version: uuid.UUID) -> HttpResponse:
    """GET shows the definition with the form; POST writes the verdict down."""
    detail = _detail(request, tool_version)
    form = _form(detail, request.POST or None)
    if request.method == "POST" and form.is_valid():
        verdict = Review(form.cleaned_data["verdict"])
        try:
            services.review_tool_version(
                tenant=request.access.tenant.id,
                tool_version=tool_version,
                verdict=verdict,
                reason=form.cleaned_data["reason"],
                tier=form.cleaned_data["tier"] if verdict == Review.APPROVED else None,
                by=actor(request),
                at=clock.now(),
            )
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, f"{detail.summary.tool} {detail.summary.version} is {verdict.label.lower()}.")
            return redirect(place(request, "tool", tool_version=tool_version))
    return _page(request, detail, form)


@require_http_methods(["GET", "POST"])
def tool_audit(request: TenantRequest, tool_version: uuid.UUID) -> HttpResponse:
    """GET asks whether to keep an approved definition; POST keeps it, or takes the approval back."""
    tenant, detail = request.access.tenant.id, _detail(request, tool_version)
    form, back = ReasonForm(request.POST or None), place(request, "tools-audit")
    if request.method == "POST" and form.is_valid():
        said: dict[str, Any] = {
            "tenant": tenant,
            "tool_version": tool_version,
            "reason": form.cleaned_data["reason"],
            "by": actor(request),
            "at": clock.now(),
        }
        try:
            if request.POST.get("action") == "withdraw":
                services.review_tool_version(**said, verdict=Review.REJECTED)
                messages.success(request, f"{detail.summary.tool} {detail.summary.version} may not be called any more.")
            else:
                services.keep_tool_version(**said)
                messages.success(request, f"{detail.summary.tool} {detail.summary.version} is kept.")
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            return redirect(back)
    [line] = lines_of(tenant, [detail.summary], clock.now())
    context = {"form": form, "line": line, "action": place(request, "tool-audit", tool_version=tool_version)}
    return question(
        request,
        "catalog/_tool_audit.html",
        context,
        title=f"Keep {detail.summary.tool} {detail.summary.version}?",
        back=(back, "Quarterly audit"),
        status=422 if form.is_bound else 200,
    )


def lines_of(tenant: uuid.UUID, found: Sequence[ToolVersionSummary], at: datetime) -> list[ToolLine]:
    """Tool versions of one tenant with the last use of their tools."""
    used = runtime.last_use(tenant=tenant, tools=sorted({each.tool for each in found}), since=at - USED_OVER)
    return [ToolLine(each, used.get(each.tool), at) for each in found]


def audited(tenant: uuid.UUID, at: datetime) -> list[ToolLine]:
    """What a tenant's quarterly audit is about, the longest not looked at first."""
    found = [each for each in queries.tool_versions(tenant=tenant, review=Review.APPROVED) if each.agents]
    return sorted(lines_of(tenant, found, at), key=lambda line: (line.tool.reviewed_at or at, line.tool.tool))


def _detail(request: TenantRequest, tool_version: uuid.UUID) -> ToolVersionDetail:
    return queries.tool_version(tenant=request.access.tenant.id, tool_version_id=tool_version)


def _form(detail: ToolVersionDetail, data: Any) -> ReviewForm:
    return ReviewForm(data, effect=detail.summary.effect, initial={"tier": detail.summary.tier})


def _page(request: TenantRequest, detail: ToolVersionDetail, form: ReviewForm | None) -> HttpResponse:
    tenant, tool = request.access.tenant.id, detail.summary
    history = queries.tool_versions(tenant=tenant, tool=tool.tool)
    approved = next((each for each in history if _is_approved_before(each, tool)), None)
    before = queries.tool_version(tenant=tenant, tool_version_id=approved.id) if approved else None
    context = {
        "detail": detail,
        "tool": tool,
        "facts": tool_facts(detail),
        "before": before.summary if before else None,
        "difference": linediff.between(before.definition, detail.definition) if before else [],
        "lines": lines_of(tenant, history, clock.now()),
        "form": form or _form(detail, None),
        "may_review": may_review(request),
    }
    status = 422 if form is not None and form.is_bound else 200
    return TemplateResponse(request, "catalog/tool.html", context, status=status)


def _is_approved_before(other: ToolVersionSummary, tool: ToolVersionSummary) -> bool:
    return other.review == Review.APPROVED and other.id != tool.id and other.created_at <= tool.created_at
