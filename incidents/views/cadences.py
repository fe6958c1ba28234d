"""Cadences: what is due, one look with its items, following an item, deciding about a tool, and the signature."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agentops.catalog import services as catalog
from agentops.catalog.types import Review
from agentops.common import clock
from agentops.common.errors import Conflict, DomainError, NotFound
from agentops.common.scope import staff_scope, tenant_scope
from incidents.cadence_item import ItemKind
from incidents.errors import invalid
from incidents.policies import cadences as policy
from incidents.queries import cadences as queries
from incidents.services import cadences as services
from incidents.types import Cadence
from tenants.access import StaffRequest
from tenants.house import HOUSE_ID, house_scope
from tenants.roles import Permission


@require_GET
def cadences(request: StaffRequest) -> HttpResponse:
    every = queries.standing(at=clock.now())
    context = {
        "rows": [
            (one, policy.MINUTES[one], periods[0], [each for each in periods[1:] if each.review or each.is_missed])
            for one, periods in every.items()
        ],
        "may_respond": request.staff.may(Permission.STAFF_RESPOND),
    }
    return TemplateResponse(request, "incidents/cadences.html", context)


@require_POST
def cadence_open(request: StaffRequest, cadence: str) -> HttpResponse:
    """Open the period that is due: read over all organisations first, then freeze what was found in the house."""
    if cadence not in Cadence.values:
        raise NotFound("There is no such cadence.")
    at, found = clock.now(), Cadence(cadence)
    first, last = policy.period_due(found, at.date())
    with staff_scope():
        items = queries.gather(found, first, last)
    with house_scope() as tenant:
        review = services.open_review(
            tenant=tenant, cadence=found, first=first, items=items, by=request.staff.actor, at=at
        )
    return redirect("staff-cadence", review=review.id)


@require_GET
def cadence(request: StaffRequest, review: uuid.UUID) -> HttpResponse:
    return _page(request, review)


@require_http_methods(["GET", "POST"])
def cadence_sign(request: StaffRequest, review: uuid.UUID) -> HttpResponse:
    if request.method == "GET":
        return redirect("staff-cadence", review=review)
    try:
        services.sign_review(
            tenant=HOUSE_ID,
            review=review,
            notes=request.POST.get("notes", ""),
            by=request.staff.actor,
            at=clock.now(),
        )
    except DomainError as refusal:
        if isinstance(refusal, NotFound):
            raise
        return _page(request, review, refusal=refusal.problems[0].detail if refusal.problems else refusal.detail)
    messages.success(request, "Signed.")
    return redirect("staff-cadence", review=review)


@require_GET
def cadence_item(request: StaffRequest, cadence_item: uuid.UUID) -> HttpResponse:
    """Follow an item's link: that counts as opened. What a browser loads ahead by itself does not."""
    if "prefetch" in request.headers.get("Sec-Purpose", request.headers.get("Purpose", "")):
        return HttpResponse(status=503, headers={"Cache-Control": "no-store"})
    url = services.follow_item(tenant=HOUSE_ID, item=cadence_item, by=request.staff.actor, at=clock.now())
    return redirect(url)


@require_POST
def tool_decision(request: StaffRequest, cadence_item: uuid.UUID) -> HttpResponse:
    """Keep or revoke a tool: done in its organisation, where it leaves an entry, and noted in the house.

    Broken off between the two, the same again does the first once more, to no effect, and then the second.
    """
    decision, note, at = request.POST.get("decision", ""), request.POST.get("note", ""), clock.now()
    with house_scope():
        found = queries.item_of(cadence_item)
    if found.kind != ItemKind.TOOL or found.about_tenant is None:
        raise NotFound("There is no such tool in a look.")
    if found.review.signed_at is not None:
        raise Conflict("The look is signed and stays as it is. Decide on the page of the tool.")
    if decision not in services.DECISIONS:
        raise invalid("/decision", f"is one of {', '.join(services.DECISIONS)}", "choice")
    tool_version, by = uuid.UUID(found.subject), request.staff.actor
    with tenant_scope(found.about_tenant):
        if decision == "keep":
            catalog.keep_tool_version(tenant=found.about_tenant, tool_version=tool_version, reason=note, by=by, at=at)
        else:
            catalog.review_tool_version(
                tenant=found.about_tenant, tool_version=tool_version, verdict=Review.REJECTED, reason=note, by=by, at=at
            )
    with house_scope() as tenant:
        services.decide_tool(tenant=tenant, item=cadence_item, decision=decision, note=note, by=by, at=at)
    messages.success(request, f"{found.data.get('tool', 'The tool')} is {'kept' if decision == 'keep' else 'revoked'}.")
    return redirect("staff-cadence", review=found.review_id)


def _page(request: StaffRequest, review: uuid.UUID, *, refusal: str = "") -> HttpResponse:
    found = queries.review_of(review)
    groups = queries.items_of(review)
    items = [item for _, group in groups for item in group]
    context = {
        "review": found,
        "words": policy.words(Cadence(found.cadence), found.period_start),
        "groups": groups,
        "total": len(items),
        "opened": sum(item.opened_at is not None for item in items),
        "refusal": refusal,
        "notes": request.POST.get("notes", "")[:10_000],
        "may_sign": request.staff.may(Permission.STAFF_RESPOND) and found.signed_at is None,
        "may_decide": request.staff.may(Permission.STAFF_TOOLS_REVIEW) and found.signed_at is None,
    }
    return TemplateResponse(request, "incidents/cadence.html", context, status=409 if refusal else 200)
