"""The entries of the log, for machines: the filters of the page, and what an entry holds."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.common import clock, paging
from agentops.confirmations import queries as confirmations
from audit import queries, searching, sentences
from audit.queries import Listed
from audit.searching import Filters
from audit.types import Category, Outcome
from tenants.machine_view import MachineView
from tenants.roles import KeyScope


class EntriesView(MachineView):
    """`GET /api/v1/audit/entries`: the newest first.

    `searched_to` is set where a page is short because its search was cut off there: `next` goes on. What one of two
    people has agreed to is left out until the second has spoken.
    """

    scope = KeyScope.READ

    @extend_schema(
        operation_id="api_v1_audit_entries_list",
        parameters=[OpenApiParameter(name, str) for name in (*searching.NAMES, "cursor")]
        + [OpenApiParameter("limit", int)],
        responses={
            200: OpenApiResponse(OpenApiTypes.OBJECT, "`results`, `next`, `searched_to`"),
            400: OpenApiResponse(OpenApiTypes.OBJECT, "RFC 9457 problem"),
        },
    )
    def get(self, request: Request) -> Response:
        params, at = request._request.GET, clock.now()
        filters, limit, cursor = Filters.parse(params, at=at), paging.limit(params), paging.cursor(params)

        def read() -> dict[str, Any]:
            page = queries.find_entries(
                tenant=self.tenant,
                filters=filters,
                at=at,
                after=cursor,
                held=confirmations.half_agreed(tenant=self.tenant),
                limit=limit,
                with_data=True,
            )
            return {
                "results": [as_json(entry) for entry in page.entries],
                "next": self.next_url(page.next),
                "searched_to": clock.rfc3339(page.searched_to) if page.searched_to else None,
            }

        return self.inside(read)


def as_json(entry: Listed) -> dict[str, Any]:
    """An entry for machines; null where there is nothing, and `erased` names what is no more."""
    return {
        "id": str(entry.id),
        "leaf_index": entry.leaf,
        "recorded_at": clock.rfc3339(entry.recorded_at),
        "occurred_at": clock.rfc3339(entry.occurred_at),
        "category": Category(entry.category).name.lower(),
        "action": entry.action,
        "outcome": Outcome(entry.outcome).name.lower(),
        "sentence": sentences.sentence(entry),
        "actor": {"type": entry.actor_type, "id": entry.actor_id or None, "label": entry.actor_label or None},
        "on_behalf_of": entry.on_behalf_of_id or None,
        "run_id": entry.run_id.hex if entry.run_id else None,
        "target": {"type": entry.target_type, "id": entry.target_id or None},
        "reason": entry.reason or None,
        "src_ip": entry.src_ip or None,
        "user_agent": entry.user_agent or None,
        "auth_method": entry.auth_method or None,
        "data": entry.told(),
        "erased": sorted(sentences.erased(entry)),
    }
