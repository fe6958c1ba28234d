"""Everything that was done to one thing: a tool, a confirmation, a record in another system."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from agentops.common import clock
from agentops.common.errors import NotFound
from agentops.common.pages import page_or_fragment, place
from audit import queries
from audit.searching import Filters
from audit.sentences import plain, words_of
from audit.views.gathering import sort_lines
from audit.views.listing import held, listed
from audit.views.things import url_of
from tenants.access import TenantRequest


@require_GET
def what(request: TenantRequest) -> HttpResponse:
    """`?target_type=` and `?target_id=` name it; without its kind, whatever has this id."""
    fixed = {
        name: request.GET[name].strip() for name in ("target_type", "target_id") if request.GET.get(name, "").strip()
    }
    if "target_id" not in fixed:
        raise NotFound("The address names nothing: it takes ?target_type= and ?target_id=.")
    context: dict[str, Any] = listed(request, place(request, "audit-what"), fixed=fixed)
    filters = Filters.parse(fixed)
    gathered = queries.gather(tenant=request.access.tenant.id, filters=filters, at=clock.now(), held=held(request))
    context |= {
        "title": plain(fixed["target_id"]),
        "kind": words_of(fixed.get("target_type", "record")),
        "thing_url": url_of(request, fixed.get("target_type", ""), fixed["target_id"]),
        "gathered": gathered,
        "sorts": sort_lines(gathered, place(request, "audit-log"), filters),
        "log_url": f"{place(request, 'audit-log')}?{filters.query_string}",
    }
    return page_or_fragment(request, "audit/what.html", "audit/_log.html", context)
