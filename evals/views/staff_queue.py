"""The review queue over all organisations, for our own people."""

from __future__ import annotations

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from evals.queries import queue as queries
from evals.reviewing.presenting import Line, reason_words
from evals.types import QueueReason
from tenants import queries as tenants
from tenants.access import StaffRequest


@require_GET
def staff_review(request: StaffRequest) -> HttpResponse:
    """What waits where, and the newest of it. An item opens in its organisation, which notes who looked."""
    reason = request.GET.get("reason", "")
    reason = reason if reason in QueueReason.values else ""
    counts, found = queries.open_counts(), queries.open_everywhere(reason=reason)
    names = tenants.tenants_by_id({each.tenant_id for each in counts} | {each.tenant_id for each in found})
    lines = [
        (names[each.tenant_id], Line(each, _url("review-item", names[each.tenant_id].slug, item=each.id)))
        for each in found
        if each.tenant_id in names
    ]
    context = {
        "lines": lines,
        "counts": [
            (names[each.tenant_id], each, reason_words(sorted(each.by_reason, key=lambda r: -each.by_reason[r])))
            for each in counts
            if each.tenant_id in names
        ],
        "total": sum(each.count for each in counts),
        "reason": reason,
        "reasons": [(each.value, each.label) for each in QueueReason],
        "action": reverse("staff-review"),
        "most": queries.EVERYWHERE_MOST,
    }
    return TemplateResponse(request, "evals/staff_review.html", context)


def _url(name: str, slug: str, **kwargs: object) -> str:
    return reverse(f"staff-tenant-{name}", kwargs={"slug": slug, **kwargs})
