"""What runs in the review queue have in common, over all organisations: a flow that hits its cap is one line."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from agentops.common import clock
from agentops.common.pages import page_or_fragment
from evals.queries.patterns import ITEMS_MOST, Pattern, patterns
from evals.types import QueueReason
from incidents.links import link
from tenants import queries as tenants
from tenants.access import StaffRequest
from tenants.types import Tenant

SPANS = {"1": timedelta(days=1), "7": timedelta(days=7), "30": timedelta(days=30)}
_REASONS = (QueueReason.ABORTED, QueueReason.CHECK, QueueReason.NEGATIVE_FEEDBACK, QueueReason.DISAGREEMENT)


@require_GET
def review_patterns(request: StaffRequest) -> HttpResponse | TemplateResponse:
    at = clock.now()
    days = request.GET.get("days", "7")
    days = days if days in SPANS else "7"
    asked = request.GET.get("reason", "")
    reasons = [QueueReason(asked)] if asked in QueueReason.values else list(_REASONS)
    found = patterns(since=at - SPANS[days], at=at, reasons=reasons)
    named = tenants.tenants_by_id(example.tenant_id for one in found for example in one.examples)
    context = {
        "rows": [_row(one, named) for one in found],
        "days": days,
        "spans": [("1", "Last day"), ("7", "Last 7 days"), ("30", "Last 30 days")],
        "reason": asked if asked in QueueReason.values else "",
        "reasons": [(each.value, each.label) for each in QueueReason if each != QueueReason.RANDOM],
        "action": reverse("staff-review-patterns"),
        "is_cut": sum(one.count for one in found) >= ITEMS_MOST,
    }
    return page_or_fragment(request, "incidents/review_patterns.html", "incidents/_review_patterns.html", context)


def _row(one: Pattern, named: dict[Any, Tenant]) -> dict[str, Any]:
    examples = [(named[each.tenant_id], each) for each in one.examples if each.tenant_id in named]
    query = [("run", each.run_id.hex) for _, each in examples] + [("tenant", tenant.slug) for tenant, _ in examples]
    new_url = link("incident-new")
    return {
        "pattern": one,
        "examples": [
            (tenant.name, each.run_id, link("staff-tenant-review-item", slug=tenant.slug, item=each.item_id))
            for tenant, each in examples
        ],
        "incident_url": f"{new_url}?{urlencode(query)}" if query else "",
        "trend": one.last_day - one.day_before,
    }
