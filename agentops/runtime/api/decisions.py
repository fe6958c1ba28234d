"""What the guard decided, for reading."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.common import clock, paging
from agentops.common.money import usd_text
from agentops.runtime import queries, search
from agentops.runtime.types import DecisionRow
from tenants.machine_view import MachineView
from tenants.roles import KeyScope


class DecisionsView(MachineView):
    """`GET /api/v1/decisions`: the newest first."""

    scope = KeyScope.READ

    @extend_schema(
        parameters=[OpenApiParameter(name, str) for name in (*search.NAMES, "cursor")]
        + [OpenApiParameter("limit", int)],
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        params, now = request._request.GET, clock.now()
        wanted, limit, cursor = search.parse(params, now=now), paging.limit(params), paging.cursor(params)

        def read() -> dict[str, Any]:
            found, following = queries.decisions(tenant=self.tenant, wanted=wanted, now=now, cursor=cursor, most=limit)
            return {"results": [_as_json(row) for row in found], "next": self.next_url(following)}

        return self.inside(read)


def _as_json(row: DecisionRow) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "decided_at": clock.rfc3339(row.decided_at),
        "run_id": row.run_id.hex if row.run_id else None,
        "call_id": row.call_id,
        "verb": row.verb.name.lower(),
        "decision": row.decision,
        "code": row.code or None,
        "detail": row.detail or None,
        "agent": row.agent,
        "agent_version": row.agent_version,
        "user": row.user_id,
        "tool": row.tool or None,
        "tool_version": row.tool_version or None,
        "model": row.model or None,
        "tier": row.tier or None,
        "policy_version": row.policy_version,
        "amount_usd": usd_text(row.amount_nano_usd),
        "took_us": row.took_us,
        "data": row.data,
    }
