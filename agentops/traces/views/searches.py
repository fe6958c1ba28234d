"""Saved searches."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from agentops.common import clock
from agentops.common.errors import Conflict, InvalidInput
from agentops.traces import queries, services
from agentops.traces.links import TraceLinks
from tenants.access import TenantRequest


def saved_searches(request: TenantRequest) -> HttpResponse:
    """POST keeps the search of the Runs page under a name."""
    links = TraceLinks.of(request)
    if request.method == "POST":
        query = request.POST.get("query", "")
        try:
            saved = services.save_search(
                by=request.access, name=request.POST.get("name", ""), query=query, at=clock.now()
            )
            messages.success(request, f"Saved as “{saved.name}”.")
        except (InvalidInput, Conflict) as refusal:
            messages.error(request, f"Not saved. {refusal.detail}")
        return HttpResponseRedirect(f"{links.runs}?{query}" if query else links.runs)
    saved_by_anybody = queries.searches_of(access=request.access)
    context = {
        "links": links,
        "saved": saved_by_anybody,
        "shares": queries.shares_of(tenant=request.access.tenant.id, searches=saved_by_anybody.own),
        "members": queries.colleagues(access=request.access),
    }
    return TemplateResponse(request, "traces/saved_searches.html", context)


def saved_search(request: TenantRequest, search_id: uuid.UUID) -> HttpResponse:
    """POST `delete`s a search, or shares it `with` a member."""
    if request.method != "POST":
        return redirect("saved-searches", slug=request.access.tenant.slug)
    if request.POST.get("action") == "delete":
        services.delete_search(by=request.access, search_id=search_id, at=clock.now())
        messages.success(request, "The search is deleted.")
    else:
        try:
            member = int(request.POST.get("with", ""))
        except ValueError as error:
            raise InvalidInput("Choose the member to share with.") from error
        services.share_search(by=request.access, search_id=search_id, with_user=member, at=clock.now())
        messages.success(request, "Shared.")
    return redirect("saved-searches", slug=request.access.tenant.slug)
