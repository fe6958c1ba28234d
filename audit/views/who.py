"""Everything that one did: an agent, a person, a key; or that was done on behalf of a user."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from agentops.common import clock
from agentops.common.errors import NotFound
from agentops.common.pages import page_or_fragment, place
from agentops.traces.audited import NOT_NAMED
from audit import queries
from audit.presenting import Line
from audit.searching import Filters
from audit.sentences import actor_words, plain
from audit.views.gathering import sort_lines
from audit.views.listing import held, listed
from audit.views.things import url_of
from tenants.access import TenantRequest


@require_GET
def who(request: TenantRequest) -> HttpResponse:
    """`?actor=` names who acted, `?person=` on whose behalf."""
    name = "actor" if request.GET.get("actor") else "person"
    value = request.GET.get(name, "").strip()
    if not value:
        raise NotFound("The address names nobody: it takes ?actor= or ?person=.")
    action, fixed = place(request, "audit-who"), {name: value}
    context: dict[str, Any] = listed(request, action, fixed=fixed)
    filters = Filters.parse(fixed)
    gathered = queries.gather(tenant=request.access.tenant.id, filters=filters, at=clock.now(), held=held(request))
    newest = next((line for day in context.get("days", ()) for line in day.lines), None)
    context |= {
        "title": _name(name, value, newest),
        "sentence": _sentence(name, newest),
        "gathered": gathered,
        "sorts": sort_lines(gathered, place(request, "audit-log"), filters),
        "log_url": f"{place(request, 'audit-log')}?{filters.query_string}",
        "agent_url": url_of(request, "agent", value.removeprefix("agent:")) if value.startswith("agent:") else "",
        "value": value,
        "what": "id" if name == "actor" else "user id",
    }
    return page_or_fragment(request, "audit/who.html", "audit/_log.html", context)


def _sentence(name: str, newest: Line | None) -> str:
    if name == "person":
        return "Everything that agents did on this user's behalf, the newest first."
    if newest is not None and newest.entry.actor_label == NOT_NAMED:
        return "What was recorded before it was known whose it is. Where its run was named later, an entry of the run says so."
    return "Everything it did, the newest first."


def _name(name: str, value: str, newest: Line | None) -> str:
    """How they were called last; else their id."""
    if name == "actor" and newest is not None and newest.entry.actor_label:
        return actor_words(newest.entry)
    return plain(value.partition(":")[2] if value.startswith("agent:") else value)
