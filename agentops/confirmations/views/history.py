"""What a person was asked, and said."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from agentops.common import paging
from agentops.common.pages import older_url, page_or_fragment
from agentops.confirmations import queries
from agentops.confirmations.presenting import HistoryLine
from agentops.confirmations.views import seeing
from tenants.access import TenantRequest

PAGE = 50


@require_GET
def history(request: TenantRequest) -> HttpResponse:
    """Their own, the newest first."""
    viewer, cursor = seeing.person(request), paging.cursor(request.GET)
    rows, following = queries.history(tenant=request.access.tenant.id, person=viewer, cursor=cursor, most=PAGE)
    action = reverse("history", kwargs={"slug": request.access.tenant.slug})
    context = {
        "lines": [HistoryLine(row, viewer) for row in rows],
        "older_url": older_url(action, "", following.encode() if following else ""),
        "newest_url": action if cursor else "",
    }
    return page_or_fragment(request, "confirmations/history.html", "confirmations/_history.html", context)
