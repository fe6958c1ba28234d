"""Who approves: what holds for each tool, in words, and who is named on an agent or a tool."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from agentops.catalog import queries as catalogued
from agentops.catalog import services as catalog
from agentops.catalog.types import ApprovedKind
from agentops.common import clock
from agentops.common.errors import DomainError, NotFound
from agentops.confirmations import queries
from tenants import queries as tenants
from tenants import sign_in
from tenants.access import TenantRequest
from tenants.roles import APPROVER_ROLES, Permission


@require_GET
def approvers(request: TenantRequest) -> HttpResponse:
    """Agents with their tools: which tier, who may approve, what raises and slows it."""
    tenant = request.access.tenant.id
    found = queries.holdings(tenant=tenant)
    context = {
        "agents": found,
        "people": [each for each in tenants.members(tenant) if each.role in APPROVER_ROLES and each.user.is_active],
        "stuck": sum(tool.is_stuck for agent in found for tool in agent.tools),
        "may_manage": request.access.may(Permission.CONFIRMATIONS_MANAGE),
    }
    return render(request, "confirmations/approvers.html", context)


@require_http_methods(["GET", "POST"])
def agent_approvers(request: TenantRequest, agent: str) -> HttpResponse:
    """Who is named on an agent."""
    return _named(request, ApprovedKind.AGENT, agent)


@require_http_methods(["GET", "POST"])
def tool_approvers(request: TenantRequest, tool_name: str) -> HttpResponse:
    """Who is named on a tool."""
    return _named(request, ApprovedKind.TOOL, tool_name)


def _named(request: TenantRequest, kind: ApprovedKind, name: str) -> HttpResponse:
    """GET shows the names and offers others; POST names one more, or takes one back."""
    tenant = request.access.tenant.id
    on = {kind.value: name}
    catalogued.require_known(tenant=tenant, **on)
    refusal: DomainError | None = None
    if request.method == "POST":
        request.access.require(Permission.CONFIRMATIONS_MANAGE)
        sign_in.require_recent_sign_in(request)
        try:
            said = _change(request, kind, name)
        except DomainError as error:
            refusal = error
        else:
            messages.success(request, said)
            return redirect(request.path)
    context = {**_context(request, kind, name), "refusal": refusal}
    return render(request, "confirmations/approvers_of.html", context, status=refusal.status if refusal else 200)


def _change(request: TenantRequest, kind: ApprovedKind, name: str) -> str:
    """Do what the form asks for; answers the sentence to show. Raises DomainError."""
    user, group = _who(request.POST.get("who", ""))
    is_taken_back = request.POST.get("action") == "unname"
    verb = catalog.unname_approver if is_taken_back else catalog.name_approver
    verb(
        tenant=request.access.tenant.id,
        kind=kind,
        name=name,
        user=user,
        group=group,
        by=request.access.actor,
        at=clock.now(),
    )
    return "Taken back." if is_taken_back else "Named."


def _who(text: str) -> tuple[int | None, uuid.UUID | None]:
    """`user:5` or `group:…`. Raises NotFound."""
    kind, _, number = text.partition(":")
    if kind == "user" and number.isascii() and number.isdigit() and len(number) < 19:
        return int(number), None
    try:
        if kind == "group":
            return None, uuid.UUID(number)
    except ValueError:
        pass
    raise NotFound("Choose a person or a group.")


def _context(request: TenantRequest, kind: ApprovedKind, name: str) -> dict[str, Any]:
    tenant = request.access.tenant.id
    book = catalogued.approver_book(tenant=tenant)
    on = book.on_tools if kind is ApprovedKind.TOOL else book.on_agents
    named = on.get(name, ())
    may = frozenset[int]().union(*(each.people for each in named)) if named else book.everybody
    return {
        "kind": kind.value,
        "name": name,
        "named": named,
        "people": len(may),
        "choices": _choices(tenant, named),
        "may_manage": request.access.may(Permission.CONFIRMATIONS_MANAGE),
        "back_url": reverse("approvers", args=[request.access.tenant.slug]),
    }


def _choices(tenant: uuid.UUID, named: Any) -> list[tuple[str, list[tuple[str, str]]]]:
    """Whom one could name: groups and people that are not named yet."""
    users, groups = {each.user for each in named}, {each.group for each in named}
    found = tenants.members(tenant)
    return [
        (
            "Groups",
            [
                (f"group:{each.group.id}", f"{each.group.name} ({len(each.approvers)})")
                for each in tenants.approver_groups(tenant)
                if each.group.id not in groups
            ],
        ),
        (
            "People",
            [
                (f"user:{each.user_id}", f"{each.user} ({each.get_role_display()})")
                for each in found
                if each.role in APPROVER_ROLES and each.user.is_active and each.user_id not in users
            ],
        ),
    ]
