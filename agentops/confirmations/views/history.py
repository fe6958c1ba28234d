"""What was asked, and what came of it: a person's own, and all of an organisation."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from agentops.common import paging
from agentops.common.errors import InvalidInput
from agentops.common.pages import older_url, page_or_fragment
from agentops.confirmations import listing, queries
from agentops.confirmations.presenting import PastLine
from agentops.confirmations.views import seeing
from tenants.access import TenantRequest

PAGE = 50


@require_GET
def history(request: TenantRequest) -> HttpResponse:
    """What this person decided, stopped, or was acted for; the newest first."""
    cursor = paging.cursor(request.GET)
    found = queries.history(tenant=request.access.tenant.id, person=seeing.person(request), after=cursor, limit=PAGE)
    action = reverse("history", kwargs={"slug": request.access.tenant.slug})
    context = {
        "lines": [PastLine(past) for past in found.results],
        "older_url": older_url(action, "", found.next.encode() if found.next else ""),
        "newest_url": action if cursor else "",
    }
    return page_or_fragment(request, "confirmations/history.html", "confirmations/_history.html", context)


@require_GET
def approvals(request: TenantRequest) -> HttpResponse:
    """All of the organisation, filtered by what the address says. For htmx the results alone."""
    action = reverse("approvals", kwargs={"slug": request.access.tenant.slug})
    given = {name: request.GET[name].strip() for name in listing.LABELS if request.GET.get(name, "").strip()}
    context: dict[str, Any] = {"action": action, "filters": listing.filters(given), "given": given}
    try:
        wanted, cursor = listing.parse(given), paging.cursor(request.GET)
    except InvalidInput as error:
        context["problems"] = listing.problem_words(error.problems)
    else:
        found = queries.history(
            tenant=request.access.tenant.id, viewer=seeing.person(request), after=cursor, limit=PAGE, **wanted
        )
        query = urlencode(given)
        context |= {
            "lines": [PastLine(past) for past in found.results],
            "chips": listing.chips(given, action),
            "older_url": older_url(action, query, found.next.encode() if found.next else ""),
            "newest_url": f"{action}?{query}" if cursor else "",
        }
    return page_or_fragment(request, "confirmations/approvals.html", "confirmations/_approvals.html", context)
