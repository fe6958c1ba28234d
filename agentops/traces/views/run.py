"""One run, and one span of it."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpResponse
from django.template.response import TemplateResponse

from agentops.common import paging
from agentops.common.errors import InvalidInput, NotFound
from agentops.common.ids import span_int, trace_uuid
from agentops.common.pages import is_fragment, page_or_fragment
from agentops.traces import queries, timeline
from agentops.traces.links import TraceLinks, plain_name
from agentops.traces.models import Run
from agentops.traces.presenting import run_notes, run_stats, run_words
from agentops.traces.spanview import view_of
from agentops.traces.views.guard import events_of, guard_context, opened_decision
from evals.queries import judging_pages as quality
from tenants.access import TenantRequest


def run(request: TenantRequest, run_id: str) -> HttpResponse:
    """A run: what it did, in order, what the guard said to it, and what it cost.

    `?span=` opens one of its spans, `?decision=` one of its decisions. A run that asked the guard and sent no spans is
    shown by what the guard knows.
    """
    links = TraceLinks.of(request)
    guard = guard_context(request, _run_uuid(run_id))
    if guard["guarded"] is not None and not queries.run_exists(
        tenant=request.access.tenant.id, run_id=_run_uuid(run_id)
    ):
        return TemplateResponse(request, "runtime/guarded_run.html", {"links": links, **guard})
    found = _run(request, run_id)
    rows = timeline.rows_of(found)
    if guard["guarded"] is not None:
        rows = timeline.with_events(found, rows, events_of(request, guard["steps"]))
    chosen = request.GET.get("span", "")
    first = next((row.span.span_id for row in rows if row.span is not None), None)
    span_id = _span_id(chosen) if chosen else first
    context = {
        "run": found,
        "title": plain_name(found.agent or found.name or "(no name)")[:160],
        "words": run_words(found, links),
        "stats": run_stats(found),
        "notes": run_notes(found),
        "rows": rows,
        "ticks": timeline.ticks(found),
        "siblings": queries.neighbours_by_prompt(run=found),
        "siblings_url": links.filter_url("prompt_hash", found.prompt_hash),
        "quality": quality.run_panel(run=found),
        **guard,
        **_span_context(found, span_id, links),
        **opened_decision(request, found.run_id),
    }
    return TemplateResponse(request, "traces/run.html", context)


def run_children(request: TenantRequest, run_id: str) -> HttpResponse:
    """The rows below one span (`of`), for the timeline; without one the tops, or those whose parent never came."""
    found = _run(request, run_id)
    parent, cursor = request.GET.get("of", ""), paging.cursor(request.GET)
    if parent == timeline.ORPHANS:
        rows = timeline.orphan_rows(found, cursor=cursor)
    elif parent:
        rows = timeline.rows_below(found, parent_id=_span_id(parent), depth=_depth(request), cursor=cursor)
    else:
        rows = timeline.more_rows(found, cursor=cursor)
    return TemplateResponse(request, "traces/_rows.html", {"links": TraceLinks.of(request), "run": found, "rows": rows})


def span(request: TenantRequest, run_id: str, span_id: str) -> HttpResponse:
    """One span with its content: a page of its own, or for htmx the panel."""
    links = TraceLinks.of(request)
    found = _run(request, run_id)
    context = {"run": found, **_span_context(found, _span_id(span_id), links)}
    run_url = links.run_at(found.run_id, context["span"].span_id)
    if not is_fragment(request):
        parent, children = queries.around(run=found, span=context["span"])
        context |= {"parents": [parent] if parent else [], "children": children, "run_url": run_url}
    response = page_or_fragment(request, "traces/span.html", "traces/_span.html", context)
    response["HX-Replace-Url"] = run_url  # beside the timeline: the address bar names what is open
    return response


def _span_context(found: Run, span_id: int | None, links: TraceLinks) -> dict[str, Any]:
    if span_id is None:
        return {"links": links, "span": None, "view": None}
    row = queries.get_span(run=found, span_id=span_id)
    events = queries.events_of(run=found, span_id=span_id)
    return {"links": links, "span": row, "view": view_of(row, events, links)}


def _run(request: TenantRequest, run_id: str) -> Run:
    return queries.get_run(tenant=request.access.tenant.id, run_id=_run_uuid(run_id))


def _run_uuid(run_id: str) -> uuid.UUID:
    try:
        return trace_uuid(run_id)
    except ValueError as error:
        raise NotFound("A run's address ends in its id: 32 hex digits.") from error


def _span_id(text: str) -> int:
    try:
        return span_int(text)
    except ValueError as error:
        raise NotFound("A span's address ends in its id: 16 hex digits.") from error


def _depth(request: TenantRequest) -> int:
    text = request.GET.get("depth", "0")
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise InvalidInput("The depth is a whole number.")
    return int(text)
