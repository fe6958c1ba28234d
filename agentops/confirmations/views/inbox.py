"""What waits for a person."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from agentops.common import clock
from agentops.common.pages import is_fragment, page_or_fragment
from agentops.confirmations import queries
from agentops.confirmations.presenting import InboxLine
from agentops.confirmations.views import seeing
from tenants.access import TenantRequest


@never_cache
@require_GET
def inbox(request: TenantRequest) -> HttpResponse:
    """The most urgent first. For htmx the list alone, with the title that counts."""
    viewer, at = seeing.person(request), clock.database_now()
    waiting = [
        InboxLine(each, each.acting_user in viewer.end_users, at)
        for each in queries.inbox(tenant=request.access.tenant.id, person=viewer, at=at)
    ]
    context = {
        "waiting": [line for line in waiting if line.waiting.may_decide],
        "stoppable": [line for line in waiting if not line.waiting.may_decide],
        "at": at,
        "action": reverse("inbox", kwargs={"slug": request.access.tenant.slug}),
        "is_fragment": is_fragment(request),
    }
    return page_or_fragment(request, "confirmations/inbox.html", "confirmations/_inbox.html", context)
