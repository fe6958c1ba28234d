"""What the pages with lists of entries have in common."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from agentops.common import clock, paging
from agentops.common.errors import InvalidInput
from agentops.common.pages import older_url
from agentops.confirmations import queries as confirmations
from audit import presenting, queries
from audit.searching import Filters
from tenants.access import TenantRequest

PAGE = 50


def held(request: TenantRequest) -> Collection[uuid.UUID]:
    """Confirmations that wait for the second of two: what the first said is shown to nobody."""
    return confirmations.half_agreed(tenant=request.access.tenant.id)


def listed(request: TenantRequest, action: str, *, fixed: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A list of entries as the address asks for it. `fixed` are the filters that the page is about, always in force."""
    fixed = fixed or {}
    params = {**request.GET.dict(), **fixed}
    context: dict[str, Any] = {
        "action": action,
        "fixed": list(fixed.items()),
        "filters": presenting.fields(params, without=fixed),
    }
    try:
        at = clock.now()
        filters, cursor = Filters.parse(params, at=at), paging.cursor(request.GET)
        page = queries.find_entries(
            tenant=request.access.tenant.id, filters=filters, at=at, after=cursor, held=held(request), limit=PAGE
        )
    except InvalidInput as error:
        return context | {"problems": presenting.problem_words(error.problems), "search": Filters()}
    return context | {
        "search": filters,
        "days": presenting.by_day(page.entries),
        "chips": presenting.chips(filters, _address(action, fixed), fixed=fixed),
        "clear_url": _address(action, fixed),
        "searched_to": page.searched_to,
        "older_url": older_url(action, filters.query_string, page.next.encode() if page.next else ""),
        "newest_url": f"{action}?{filters.query_string}" if cursor else "",
        "is_end": page.next is None,
        "looks_back_to": None if filters.since else at - queries.LOOK_BACK,
    }


def _address(action: str, fixed: Mapping[str, str]) -> str:
    query = Filters.parse(fixed).query_string if fixed else ""
    return f"{action}?{query}" if query else action
