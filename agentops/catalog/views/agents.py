"""Agents: the list, one agent with its versions and tools, approval of a version, taking a tool away."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET, require_http_methods

from agentops.catalog import queries, services
from agentops.catalog.errors import AgentUnknown
from agentops.catalog.forms import ReasonForm
from agentops.catalog.presenting import EXAMPLE, VersionView, version_view
from agentops.catalog.types import AgentSummary, GrantDetail, VersionDetail
from agentops.catalog.views.shared import actor, may_review, may_stop
from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.pages import place, question, show_refusal
from agentops.runtime import queries as runtime
from agentops.runtime.presenting import cap_text
from agentops.runtime.queries import Enforcement
from agentops.runtime.types import CAP_WORDS
from tenants.access import TenantRequest

DAY = timedelta(hours=24)
VERIFIED_OVER = timedelta(days=7)  # enforced or advisory: by the calls of a week
USED_OVER = timedelta(days=180)
_NOTHING = Enforcement(calls=0, verified=0)


@dataclass(frozen=True, slots=True)
class AgentLine:
    """An agent in the list."""

    agent: AgentSummary
    held: Enforcement
    last_run_at: datetime | None
    decisions: int


@require_GET
def agents(request: TenantRequest) -> HttpResponse:
    """Every agent: what is in use of it, how it is held, and whether it works."""
    tenant, now = request.access.tenant.id, clock.now()
    found = queries.agents(tenant=tenant)
    names = [agent.name for agent in found]
    held = runtime.enforcement(tenant=tenant, since=now - VERIFIED_OVER) if found else {}
    last, decided = (
        runtime.last_runs(tenant=tenant, agents=names),
        runtime.decisions_since(tenant=tenant, since=now - DAY),
    )
    lines = [
        AgentLine(
            agent,
            runtime.of_agent(held.get(agent.name, {})),
            last.get(agent.name),
            decided.get(agent.name, 0),
        )
        for agent in found
    ]
    context = {"lines": lines, "example": EXAMPLE}
    return TemplateResponse(request, "catalog/agents.html", context)


@require_GET
def agent(request: TenantRequest, agent: str) -> HttpResponse:
    """One agent: its versions, what each may do, and how it is held."""
    tenant, now = request.access.tenant.id, clock.now()
    found = queries.agent(tenant=tenant, name=agent)
    by_tool = runtime.enforcement(tenant=tenant, since=now - VERIFIED_OVER, agent=agent).get(agent, {})
    tools = sorted({grant.tool for version in found.versions for grant in version.grants})
    used = runtime.last_use(tenant=tenant, tools=tools, since=now - USED_OVER)
    context = {
        "agent": found,
        "held": runtime.of_agent(by_tool),
        "by_tool": by_tool,
        "versions": [_view(version, by_tool, used) for version in found.versions],
        "last_run_at": runtime.last_runs(tenant=tenant, agents=[agent]).get(agent),
        "switches": [
            each
            for each in runtime.switches(tenant=tenant, only_on=True)
            if each.scope == "tenant" or (each.scope == "agent" and each.scope_id == agent)
        ],
        "may_review": may_review(request),
        "may_stop": may_stop(request),
    }
    return TemplateResponse(request, "catalog/agent.html", context)


@require_http_methods(["GET", "POST"])
def agent_approval(request: TenantRequest, agent: str, version: str) -> HttpResponse:
    """GET asks why; POST approves a version, or withdraws what was approved."""
    tenant = request.access.tenant.id
    found = _version(request, agent, version)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            if request.POST.get("action") == "withdraw":
                services.withdraw_approval(
                    tenant=tenant, agent=agent, version=version, reason=reason, by=actor(request), at=clock.now()
                )
                messages.success(request, f"Version {version} is approved no more: its next step is refused.")
            else:
                services.approve_agent_version(
                    tenant=tenant,
                    agent=agent,
                    version=version,
                    reason=reason,
                    content_digest=request.POST.get("content_digest", ""),
                    by=actor(request),
                    at=clock.now(),
                )
                messages.success(request, f"Version {version} is approved: its runs may begin.")
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            return redirect(place(request, "agent", agent=agent))
    context = {
        "form": form,
        "version": found,
        "agent_name": agent,
        "action": place(request, "agent-approval", agent=agent, version=version),
    }
    return _question(request, "catalog/_approval.html", context, form, agent, f"Version {version} of {agent}")


@require_http_methods(["GET", "POST"])
def agent_grant(request: TenantRequest, agent: str, version: str, grant: str) -> HttpResponse:
    """GET asks why; POST takes a tool away from a version, or gives it back."""
    tenant = request.access.tenant.id
    found = _grant(_version(request, agent, version), grant)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        write = services.restore_grant if request.POST.get("action") == "restore" else services.revoke_grant
        try:
            write(
                tenant=tenant,
                agent=agent,
                version=version,
                tool=grant,
                reason=form.cleaned_data["reason"],
                by=actor(request),
                at=clock.now(),
            )
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            was = "given back to" if request.POST.get("action") == "restore" else "taken away from"
            messages.success(request, f"{grant} was {was} version {version}.")
            return redirect(place(request, "agent", agent=agent))
    context = {
        "form": form,
        "grant": found,
        "agent_name": agent,
        "version_label": version,
        "action": place(request, "agent-grant", agent=agent, version=version, grant=grant),
    }
    return _question(request, "catalog/_grant.html", context, form, agent, f"{grant} for {agent}")


def _question(
    request: TenantRequest, fragment: str, context: dict[str, Any], form: ReasonForm, agent: str, title: str
) -> HttpResponse:
    status = 422 if form.is_bound else 200
    return question(
        request, fragment, context, title=title, back=(place(request, "agent", agent=agent), agent), status=status
    )


def _view(version: VersionDetail, by_tool: dict[str, Enforcement], used: dict[str, datetime]) -> VersionView:
    caps = [
        (CAP_WORDS[name].label, cap_text(name, value))
        for name, value in asdict(version.caps).items()
        if value is not None
    ]
    held = {tool: found.grade for tool, found in by_tool.items()}
    return version_view(version, caps=caps, held=held, used=used)


def _version(request: TenantRequest, agent: str, version: str) -> VersionDetail:
    found = queries.agent(tenant=request.access.tenant.id, name=agent)
    for each in found.versions:
        if each.version == version:
            return each
    raise AgentUnknown(f"There is no version {version[:100]} of {agent}.")


def _grant(version: VersionDetail, tool: str) -> GrantDetail:
    for each in version.grants:
        if each.tool == tool:
            return each
    raise AgentUnknown(f"Version {version.version} was never granted a tool {tool[:100]}.")
