"""The list of runs, and how many there are."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.template.response import TemplateResponse

from agentops.common import clock, paging
from agentops.common.cursors import Cursor
from agentops.common.errors import InvalidInput
from agentops.common.pages import older_url, page_or_fragment
from agentops.traces import queries, search
from agentops.traces.links import TraceLinks
from agentops.traces.presenting import chips, exporter_lines, filter_form, problem_words
from agentops.traces.search import RunSearch
from tenants.access import PersonRequest, TenantRequest
from tenants.roles import Permission

PAGE = 50
WAITING_ID = "waiting"  # the element that asks again until the first run has come
_LIST_PARAMS = frozenset({"cursor", "limit"})


def runs(request: TenantRequest) -> HttpResponse:
    """The list of runs: the page, or for htmx the results alone."""
    links = TraceLinks.of(request)
    tenant = request.access.tenant.id
    context: dict[str, Any] = {"links": links, "action": links.runs}
    try:
        wanted, cursor = _search(request), paging.cursor(request.GET)
        page = queries.find_runs(tenant=tenant, search=wanted, cursor=cursor, limit=PAGE)
        context |= _listed(wanted, page, cursor, links)
    except InvalidInput as error:
        context |= {"search": RunSearch(), "problems": problem_words(error.problems)}
    context["has_any"] = bool(context.get("runs")) or queries.has_runs(tenant=tenant)
    if not context["has_any"] and request.htmx.trigger == WAITING_ID:
        return HttpResponse(status=204)
    if not links.is_staff and request.access.may(Permission.SEARCHES_SAVE):
        context |= {"saved": queries.searches_of(access=request.access), "may_save": True}
    context |= {
        "filters": filter_form(request.GET.dict()),
        "waiting_id": WAITING_ID,
        "exporter_lines": exporter_lines(request.build_absolute_uri("/")),
        "may_make_keys": request.access.may(Permission.KEYS_MANAGE),
    }
    response = page_or_fragment(request, "traces/runs.html", "traces/_runs.html", context)
    if request.htmx.trigger == WAITING_ID:
        response["HX-Refresh"] = "true"  # the first run has come: the page now has filters too
    return response


def run_count(request: TenantRequest) -> HttpResponse:
    """How many runs a search finds, as far as a person needs to know."""
    count = queries.bounded_count(tenant=request.access.tenant.id, search=_search(request))
    return TemplateResponse(request, "traces/_run_count.html", {"count": count, "most": queries.COUNT_MOST})


def _search(request: PersonRequest) -> RunSearch:
    return search.parse(request.GET, now=clock.now(), ignore=_LIST_PARAMS)


def _listed(wanted: RunSearch, page: queries.RunPage, cursor: Cursor | None, links: TraceLinks) -> dict[str, Any]:
    query = f"?{wanted.query_string}" if wanted.given else ""
    return {
        "search": wanted,
        "runs": page.runs,
        "chips": chips(wanted, links.runs),
        "looked_back_to": page.looked_back_to,
        "older_url": older_url(links.runs, wanted.query_string, page.next.encode() if page.next else ""),
        "newest_url": links.runs + query if cursor else "",
        "count_url": links.count + query if not wanted.text else "",
    }
