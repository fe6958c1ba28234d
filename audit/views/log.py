"""The log: the newest first, filtered by what the address says. For htmx the results alone."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from agentops.common.pages import page_or_fragment, place
from audit import presenting
from audit.views.listing import listed
from tenants.access import TenantRequest


@require_GET
def log(request: TenantRequest) -> HttpResponse:
    """Every entry of the organisation."""
    action = place(request, "audit-log")
    context: dict[str, Any] = {**listed(request, action), "questions": presenting.QUESTIONS}
    return page_or_fragment(request, "audit/log.html", "audit/_log.html", context)
