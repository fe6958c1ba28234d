"""What the guard decided: the list, and one decision."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from agentops.common import clock, paging
from agentops.common.cursors import Cursor
from agentops.common.errors import InvalidInput, NotFound
from agentops.common.pages import older_url, page_or_fragment, place
from agentops.runtime import listing, queries, search
from agentops.runtime.decisionview import Line, view_of
from tenants.access import TenantRequest

PAGE = 50


@require_GET
def decisions(request: TenantRequest) -> HttpResponse:
    """The newest first, filtered by what the address says. For htmx the results alone."""
    tenant, now, action = request.access.tenant.id, clock.now(), place(request, "decisions")
    given = {name: request.GET[name].strip() for name in search.NAMES if request.GET.get(name, "").strip()}
    context: dict[str, Any] = {"action": action, "filters": listing.filters(given), "given": given}
    try:
        wanted, cursor = search.parse(request.GET, now=now), paging.cursor(request.GET)
        rows, following = queries.decisions(tenant=tenant, wanted=wanted, now=now, cursor=cursor, most=PAGE)
    except InvalidInput as error:
        context["problems"] = listing.problem_words(error.problems)
    else:
        query = urlencode(given)
        context |= {
            "decisions": [Line(row) for row in rows],
            "chips": listing.chips(given, action),
            "older_url": older_url(action, query, following.encode() if following else ""),
            "newest_url": f"{action}?{query}" if cursor else "",
        }
    return page_or_fragment(request, "runtime/decisions.html", "runtime/_decisions.html", context)


@require_GET
def decision(request: TenantRequest, decision: str) -> HttpResponse:
    """One decision with what came of it: a page of its own, or for htmx the panel beside a run."""
    tenant = request.access.tenant.id
    try:
        key = Cursor.decode(decision)
    except InvalidInput as error:
        raise NotFound("There is no such decision.") from error
    row = queries.decision(tenant=tenant, key=key)
    view = view_of(tenant=tenant, row=row, at=clock.now())
    context: dict[str, Any] = {"decision": view, "decisions_url": place(request, "decisions")}
    if row.run_id is not None:
        context["run_url"] = f"{place(request, 'run', run_id=row.run_id.hex)}?{urlencode({'decision': decision})}"
    response = page_or_fragment(request, "runtime/decision.html", "runtime/_decision.html", context)
    if "run_url" in context:
        response["HX-Replace-Url"] = context["run_url"]  # beside the timeline: the address bar names what is open
    return response
