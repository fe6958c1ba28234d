"""Stored answers, for people: what serves again, what that saved, and how to stop it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from agentops.common import clock
from agentops.runtime import queries, services
from tenants.access import TenantRequest
from tenants.roles import Permission


@require_GET
def stored_answers(request: TenantRequest) -> HttpResponse:
    """What is stored by agent, and the newest."""
    tenant, at = request.access.tenant.id, clock.now()
    context = {
        "agents": queries.answers_by_agent(tenant=tenant, at=at),
        "newest": queries.newest_answers(tenant=tenant, at=at),
        "may_forget": request.access.may(Permission.AGENTS_MANAGE),
    }
    return render(request, "runtime/stored_answers.html", context)


@require_POST
def stored_answers_removal(request: TenantRequest) -> HttpResponse:
    """Forget the answers of one agent."""
    access = request.access
    agent = request.POST.get("agent", "")
    count = services.forget_answers(tenant=access.tenant.id, agent=agent, by=access.actor, at=clock.now())
    messages.success(request, f"{count:,} stored answer{'' if count == 1 else 's'} of {agent} forgotten.")
    return redirect("stored-answers", slug=access.tenant.slug)
