"""Standing approvals: one's own, and (for those who read them all) the organisation's."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from agentops.catalog import queries as catalog
from agentops.catalog.errors import AgentUnknown
from agentops.common import clock
from agentops.common.errors import DomainError, NotFound
from agentops.common.pages import question
from agentops.confirmations import queries, services
from agentops.confirmations.admin_forms import StandingForm
from agentops.confirmations.queries.standing import Standable, StandingDetail
from agentops.confirmations.types import Person
from tenants import queries as tenants
from tenants import sign_in
from tenants.access import TenantRequest
from tenants.roles import Permission


@require_GET
def standing_approvals(request: TenantRequest) -> HttpResponse:
    """One's own, those in force first."""
    access, at = request.access, clock.now()
    context = {
        "approvals": queries.standing_approvals(tenant=access.tenant.id, at=at, user_id=access.user.pk),
        "names": tenants.end_users_of(access.tenant.id, access.user.pk),
        "at": at,
        "may_end": True,
    }
    return render(request, "confirmations/standing_approvals.html", context)


@require_GET
def all_standing_approvals(request: TenantRequest) -> HttpResponse:
    """Everybody's in the organisation."""
    access, at = request.access, clock.now()
    context = {
        "approvals": queries.standing_approvals(tenant=access.tenant.id, at=at),
        "at": at,
        "is_everybodys": True,
        "may_end": access.may(Permission.CONFIRMATIONS_MANAGE),
    }
    return render(request, "confirmations/all_standing_approvals.html", context)


@require_http_methods(["GET", "POST"])
def standing_approval_new(request: TenantRequest) -> HttpResponse:
    """First which tool of which agent (`?agent=…&tool=…`), then what its calls may be. Behind a fresh proof of who it is."""
    sign_in.require_recent_sign_in(request)
    access = request.access
    names = tenants.end_users_of(access.tenant.id, access.user.pk)
    agent, tool = request.GET.get("agent", ""), request.GET.get("tool", "")
    if not names or not (agent and tool):
        return render(
            request, "confirmations/standing_choice.html", {"names": names, "agents": _agents(request, names)}
        )
    found = queries.standable_tool(tenant=access.tenant.id, agent=agent, tool=tool)
    form = StandingForm(
        request.POST if request.method == "POST" else None,
        names=names,
        tool=found.tool,
        places=catalog.places(found.tool.arguments_schema),
    )
    if request.method == "POST" and form.is_valid() and _made(request, form, agent, found):
        messages.success(request, f"{agent} may call {tool} within these limits. You can end it here at any time.")
        return redirect("standing-approvals", slug=access.tenant.slug)
    context = {"form": form, "agent": agent, "found": found, "names": names}
    return render(request, "confirmations/standing_new.html", context, status=422 if form.is_bound else 200)


def _made(request: TenantRequest, form: StandingForm, agent: str, found: Standable) -> bool:
    access, at, said = request.access, clock.now(), form.cleaned_data
    owner = Person(
        voter=f"user:{access.user.pk}",
        label=access.user.email,
        user_id=access.user.pk,
        end_users=(said["acting_user"],),
    )
    try:
        services.make_standing(
            tenant=access.tenant.id,
            owner=owner,
            acting_user=said["acting_user"],
            agent=agent,
            tool=found.tool.name,
            constraints=form.constraints,
            uses_most=said["uses_most"],
            sum_most=said.get("sum_most"),
            expires_at=form.expires_at(at),
            by=access.actor,
            at=at,
        )
    except DomainError as refusal:
        if refusal.problems:
            form.show_problems(refusal.problems)
        else:
            form.add_error(None, refusal.detail)
        return False
    return True


def _agents(request: TenantRequest, names: list[str]) -> list[tuple[str, list[Standable]]]:
    """Agents with their tools that ask people; none for somebody whom no agent knows."""
    tenant = request.access.tenant.id
    found = []
    for agent in catalog.agents(tenant=tenant, most=100) if names else ():
        try:
            tools = queries.standable_tools(tenant=tenant, agent=agent.name)
        except AgentUnknown:  # no version of it is approved
            continue
        if tools:
            found.append((agent.name, tools))
    return found


@require_http_methods(["GET", "POST"])
def standing_revocation(request: TenantRequest, standing: uuid.UUID) -> HttpResponse:
    """End one: one's own, or as somebody who manages confirmations anybody's."""
    access, at = request.access, clock.now()
    found = queries.standing_approval(tenant=access.tenant.id, standing=standing, at=at)
    is_own = found.user_id == access.user.pk
    if not is_own and not access.may(Permission.CONFIRMATIONS_MANAGE):
        raise NotFound("There is no such standing approval.")
    back = "standing-approvals" if is_own else "standing-approvals-all"
    if request.method == "POST":
        services.end_standing(
            tenant=access.tenant.id,
            standing=standing,
            by=access.actor,
            reason=request.POST.get("reason", "")[:500],
            at=at,
        )
        messages.success(request, f"Ended. Calls of {found.tool} ask again.")
        return redirect(back, slug=access.tenant.slug)
    return question(
        request,
        "confirmations/_standing_revocation.html",
        _asked(found, is_own=is_own),
        title="End this standing approval?",
        back=(reverse(back, args=[access.tenant.slug]), "Standing approvals"),
    )


def _asked(found: StandingDetail, *, is_own: bool) -> dict[str, Any]:
    return {"approval": found, "is_own": is_own}
