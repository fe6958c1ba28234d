"""The review queue: what people should look at, and one run of it at hand with the form to say what it was."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET, require_http_methods

from agentops.catalog import queries as catalog
from agentops.common import clock, paging
from agentops.common.errors import DomainError, InvalidInput, NotFound
from agentops.common.ids import trace_uuid
from agentops.common.pages import older_url, page_or_fragment, place, question
from agentops.traces import queries as traces
from agentops.traces.links import TraceLinks
from evals import services
from evals.models import ReviewItem
from evals.queries import queue as queries
from evals.queries import signals as said
from evals.queries.queue import Wanted
from evals.reviewing import presenting
from evals.reviewing.presenting import Line
from evals.types import QueueReason
from tenants.access import TenantRequest
from tenants.roles import Permission

PAGE = 50
STEPS = 40  # of a run that are at hand; the run's page has all
_KEPT = ("reason", "agent", "state")


@require_GET
def review_queue(request: TenantRequest) -> HttpResponse:
    """What waits, the newest first; with `state=done` what was reviewed."""
    tenant, action = request.access.tenant.id, place(request, "review-queue")
    wanted, cursor = _wanted(request), paging.cursor(request.GET)
    found = queries.review_items(tenant=tenant, wanted=wanted, cursor=cursor, limit=PAGE)
    counts, query = queries.review_counts(tenant=tenant), _query(wanted)
    lines = [Line(item, _item_url(request, item.id, wanted)) for item in found.items]
    context = {
        "action": action,
        "wanted": wanted,
        "counts": counts,
        "lines": lines,
        "reasons": presenting.reason_options(counts),
        "agents": presenting.agent_options(counts, wanted.agent),
        "chips": _chips(wanted, action),
        "older_url": older_url(action, query, found.next.encode() if found.next else ""),
        "newest_url": f"{action}?{query}" if cursor else "",
        "first_url": lines[0].url if lines and not wanted.is_done else "",
        "may_label": _may(request, Permission.QUALITY_LABEL, Permission.STAFF_QUALITY_LABEL),
    }
    return page_or_fragment(request, "evals/review_queue.html", "evals/_review_queue.html", context)


@require_GET
def review_item(request: TenantRequest, item: uuid.UUID) -> HttpResponse:
    """One run with what is known of it, and the form."""
    return _shown(request, queries.review_item(tenant=request.access.tenant.id, item=item))


@require_http_methods(["GET", "POST"])
def review_verdict(request: TenantRequest, item: uuid.UUID) -> HttpResponse:
    """Take what the form says, and go on to the next one."""
    found = queries.review_item(tenant=request.access.tenant.id, item=item)
    if request.method == "GET":
        return _shown(request, found)
    following = queries.neighbour(tenant=found.tenant_id, item=found, wanted=_wanted(request))
    try:
        services.review(
            tenant=found.tenant_id,
            item=found.id,
            verdict=request.POST.get("verdict", ""),
            note=request.POST.get("note", ""),
            labels=_labels(request.POST),
            seen=_moment(request.POST.get("seen", "")),
            by=_actor(request),
            user=request.access.user.pk,
            at=clock.now(),
        )
    except InvalidInput as refusal:
        problem = "Choose a verdict first: good, bad, or cannot say." if _is_of(refusal, "/verdict") else refusal.detail
        return _shown(request, found, problem=problem, status=422)
    if "stay" in request.POST:
        messages.success(request, "Saved.")
        return redirect(_item_url(request, found.id, _wanted(request)))
    if following is None:
        messages.success(request, "Saved. Nothing else waits here.")
        query = _query(_wanted(request))
        return redirect(f"{place(request, 'review-queue')}{'?' if query else ''}{query}")
    return redirect(_item_url(request, following.id, _wanted(request)))


@require_http_methods(["GET", "POST"])
def review_asked(request: TenantRequest, run_id: str) -> HttpResponse:
    """Put a run into the queue because somebody asks for it."""
    try:
        run = trace_uuid(run_id)
    except ValueError as error:
        raise NotFound("A run's address ends in its id: 32 hex digits.") from error
    found = traces.get_run(tenant=request.access.tenant.id, run_id=run)
    if request.method == "POST":
        item = services.ask_review(tenant=request.access.tenant.id, run_id=run, by=_actor(request), at=clock.now())
        messages.success(request, "It is in the review queue.")
        return redirect(_item_url(request, item, Wanted()))
    back = (TraceLinks.of(request).run(run), "Run")
    context = {"run": found, "action": request.path}
    return question(request, "evals/_review_asked.html", context, title="Let people review this run?", back=back)


# -- one item ---------------------------------------------------------------------------------------------------------


def _shown(request: TenantRequest, item: ReviewItem, *, problem: str = "", status: int = 200) -> HttpResponse:
    tenant, links, wanted = item.tenant_id, TraceLinks.of(request), _wanted(request)
    run = traces.find_run(tenant=tenant, run_id=item.run_id)
    labels = queries.labels_of(tenant=tenant, run_id=item.run_id)
    rubrics = queries.rubrics_for(tenant=tenant, agent=item.agent or (run.agent if run else ""))
    given: Mapping[str, str] = request.POST.dict() if request.method == "POST" else {}
    before = queries.neighbour(tenant=tenant, item=item, wanted=wanted, is_before=True)
    after = queries.neighbour(tenant=tenant, item=item, wanted=wanted)
    context: dict[str, Any] = {
        "item": item,
        "line": Line(item, request.path),
        "links": links,
        "run_url": links.run(item.run_id),
        "trace": _trace(run, links) if run else None,
        "fact": queries.fact_of(tenant=tenant, run_id=item.run_id),
        "judged": queries.judged(tenant=tenant, run_id=item.run_id),
        "feedback": said.feedback_of_runs(tenant=tenant, runs=[item.run_id]).get(item.run_id, []),
        "signals": said.signals_of_run(tenant=tenant, run_id=item.run_id),
        "outcomes": said.outcomes_of_run(tenant=tenant, run_id=item.run_id),
        "others": [Line(each, _item_url(request, each.id, Wanted())) for each in queries.others_of_run(item=item)],
        "rubrics": presenting.asked_rubrics(rubrics, labels, request.access.user.pk, given),
        "verdicts": presenting.verdict_choices(given.get("verdict", item.verdict)),
        "note": given.get("note", item.note),
        "seen": item.reviewed_at.isoformat() if item.reviewed_at else "",
        "problem": problem,
        "before_url": _item_url(request, before.id, wanted) if before else "",
        "after_url": _item_url(request, after.id, wanted) if after else "",
        "queue_url": _with_query(place(request, "review-queue"), wanted),
        "verdict_url": _with_query(place(request, "review-verdict", item=item.id), wanted),
        "may_label": _may(request, Permission.QUALITY_LABEL, Permission.STAFF_QUALITY_LABEL),
        "is_registered": catalog.is_registered(tenant=tenant, name=item.agent),
    }
    return TemplateResponse(request, "evals/review_item.html", context, status=status)


def _trace(run: traces.Run, links: TraceLinks) -> presenting.Trace:
    page = traces.span_page(run=run, cursor=None, limit=STEPS)
    return presenting.trace_of(run, page.spans, links, has_more=page.next is not None)


def _labels(form: Mapping[str, str]) -> dict[tuple[uuid.UUID, str], str]:
    """What the form gives for criteria. Raises InvalidInput for a name that is none of the form's."""
    found = {}
    for name, value in form.items():
        if not name.startswith("label."):
            continue
        _, version, key = (*name.split(".", 2), "", "")[:3]
        try:
            found[uuid.UUID(hex=version), key] = value
        except ValueError as error:
            raise InvalidInput("The form names a rubric that there is not. Load the page anew.") from error
    return found


def _moment(text: str) -> datetime | None:
    try:
        return parse_datetime(text) if text else None
    except ValueError:
        return datetime.min.replace(
            tzinfo=clock.now().tzinfo
        )  # no item was reviewed then, so it is refused as overtaken


def _is_of(refusal: DomainError, pointer: str) -> bool:
    return any(problem.pointer == pointer for problem in refusal.problems)


# -- parts ------------------------------------------------------------------------------------------------------------


def _wanted(request: TenantRequest) -> Wanted:
    """What the address says of which items; nonsense is as if not said."""
    reason = request.GET.get("reason", "")
    return Wanted(
        is_done=request.GET.get("state") == "done",
        reason=reason if reason in QueueReason.values else "",
        agent=request.GET.get("agent", "")[:500],
    )


def _query(wanted: Wanted) -> str:
    told = {"reason": wanted.reason, "agent": wanted.agent, "state": "done" if wanted.is_done else ""}
    return urlencode({name: told[name] for name in _KEPT if told[name]})


def _with_query(url: str, wanted: Wanted) -> str:
    query = _query(wanted)
    return f"{url}?{query}" if query else url


def _item_url(request: TenantRequest, item: uuid.UUID, wanted: Wanted) -> str:
    return _with_query(place(request, "review-item", item=item), wanted)


def _chips(wanted: Wanted, action: str) -> list[dict[str, str]]:
    found = []
    if wanted.reason:
        rest = _with_query(action, Wanted(is_done=wanted.is_done, agent=wanted.agent))
        found.append({"label": "Reason", "value": QueueReason(wanted.reason).label, "remove_url": rest})
    if wanted.agent:
        rest = _with_query(action, Wanted(is_done=wanted.is_done, reason=wanted.reason))
        found.append({"label": "Agent", "value": wanted.agent, "remove_url": rest})
    return found


def _may(request: TenantRequest, permission: Permission, as_staff: Permission) -> bool:
    staff = getattr(request, "staff", None)
    return bool(staff.may(as_staff)) if staff else request.access.may(permission)


def _actor(request: TenantRequest) -> Any:
    staff = getattr(request, "staff", None)
    return staff.actor if staff else request.access.actor
