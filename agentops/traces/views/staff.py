"""Runs and ingest of all tenants at a glance, for our own people. What is inside opens per tenant, and is recorded there."""

from __future__ import annotations

import uuid

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from agentops.common import clock, paging
from agentops.common.ids import trace_uuid
from agentops.common.pages import older_url, page_or_fragment
from agentops.traces import queries, search
from agentops.traces.search import RunSearch
from agentops.traces.views.runs import PAGE
from tenants.access import StaffRequest


def runs(request: StaffRequest) -> HttpResponse:
    """The newest runs of all tenants; with `q` (the search box) what leads to an answer."""
    text, cursor = request.GET.get("q", "").strip(), paging.cursor(request.GET)
    if text:
        return _answer(request, text)
    page = queries.find_runs(tenant=None, search=RunSearch(), cursor=cursor, limit=PAGE)
    address = reverse("staff-runs")
    context = {
        "runs": page.runs,
        "tenants": queries.tenants_by_id(run.tenant_id for run in page.runs),
        "older_url": older_url(address, "", page.next.encode() if page.next else ""),
        "newest_url": address if cursor else "",
    }
    return page_or_fragment(request, "traces/staff_runs.html", "traces/_staff_runs.html", context)


def _answer(request: StaffRequest, text: str) -> HttpResponse:
    """A run by its id, and the organisations to look in: text is searched in one of them, because that is recorded there."""
    run_id = _run_id(text)
    found = queries.runs_by_id(run_id=run_id) if run_id else []
    context = {
        "text": text[: search.TEXT_LENGTH],
        "runs": found,
        "tenants": queries.tenants_by_id(run.tenant_id for run in found),
        "organisations": queries.all_tenants(),
    }
    return TemplateResponse(request, "traces/staff_search.html", context)


def _run_id(text: str) -> uuid.UUID | None:
    try:
        return trace_uuid(text)
    except ValueError:
        return None


def ingest(request: StaffRequest) -> HttpResponse:
    """Ingest of all tenants, the busiest first."""
    rows = queries.ingest_by_tenant(at=clock.now())
    context = {"rows": rows, "tenants": queries.tenants_by_id(row.tenant_id for row in rows)}
    return TemplateResponse(request, "traces/staff_ingest.html", context)
