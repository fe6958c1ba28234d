"""What an agent may see of a confirmation: its state. Deciding is for people, on their pages."""

from __future__ import annotations

import uuid

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.confirmations import queries
from tenants.machine_view import MachineView
from tenants.roles import KeyScope


class ConfirmationView(MachineView):
    """`GET /api/v1/confirmations/{id}`"""

    scope = KeyScope.GUARD

    @extend_schema(
        parameters=[OpenApiParameter("wait", int, description="how long the answer may be held back; at present 0")],
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, confirmation: uuid.UUID) -> Response:
        with tenant_scope(self.tenant):
            found = queries.asked(tenant=self.tenant, confirmation=confirmation, at=clock.now())
        return Response(
            {
                "id": str(found.id),
                "state": found.state.value,
                "tier": found.tier,
                "url": request.build_absolute_uri(queries.path_of(found.id)),
                "expires_at": clock.rfc3339(found.expires_at),
            }
        )
