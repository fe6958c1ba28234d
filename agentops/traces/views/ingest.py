"""The health of ingest, and dead letters."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from agentops.common import clock, paging
from agentops.common.errors import InvalidInput
from agentops.common.pages import older_url
from agentops.traces import queries, services
from agentops.traces.links import TraceLinks
from agentops.traces.presenting import exporter_lines
from tenants.access import TenantRequest
from tenants.roles import Permission


def ingest_health(request: TenantRequest) -> HttpResponse:
    """What comes in, how late, and what was refused or not understood."""
    at, links, cursor = clock.now(), TraceLinks.of(request), paging.cursor(request.GET)
    tenant = request.access.tenant.id
    letters = queries.dead_letters(tenant=tenant, cursor=cursor)
    context = {
        "links": links,
        "at": at,
        "health": queries.ingest_health(tenant=tenant, at=at),
        "letters": letters.letters,
        "older_url": older_url(links.ingest, "", letters.next.encode() if letters.next else ""),
        "newest_url": links.ingest if cursor else "",
        "may_replay": request.access.may(Permission.INGEST_REPLAY),
        "exporter_lines": exporter_lines(request.build_absolute_uri("/")),
    }
    return TemplateResponse(request, "traces/ingest_health.html", context)


def dead_letters(request: TenantRequest) -> HttpResponse:
    """POST tries chosen dead letters again, or discards them."""
    back = HttpResponseRedirect(f"{TraceLinks.of(request).ingest}#dead-letters")
    if request.method != "POST":
        return back
    ids = _uuids(request.POST.getlist("letter"))
    tenant, by, at = request.access.tenant.id, request.access.actor, clock.now()
    if not ids:
        messages.warning(request, "Choose at least one dead letter first.")
    elif request.POST.get("action") == "discard":
        count = services.discard_dead_letters(tenant=tenant, ids=ids, by=by, at=at)
        messages.success(request, f"{count} discarded.")
    else:
        tried, taken = services.replay_dead_letters(tenant=tenant, ids=ids, by=by, at=at)
        words = f"{taken} of {tried} taken in."
        if tried == taken:
            messages.success(request, words)
        else:
            who = "The others" if taken else "They"
            messages.warning(request, f"{words} {who} are refused again, and stay here.")
    return back


def _uuids(texts: list[str]) -> list[uuid.UUID]:
    try:
        return [uuid.UUID(text) for text in texts]
    except ValueError as error:
        raise InvalidInput("A dead letter's id is a UUID.") from error
