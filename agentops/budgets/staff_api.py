"""Revenue, for our own machines. They bring a staff token; a customer's key opens nothing here."""

from __future__ import annotations

from typing import Any, cast

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agentops.budgets import revenue
from agentops.budgets.booking import book
from agentops.common import bodies, clock
from agentops.common.errors import InputProblem, InvalidInput
from agentops.common.reading import Reading
from tenants.roles import StaffScope
from tenants.staff_machines import HasStaffScope, StaffPrincipal, StaffTokenAuthentication


class RevenueView(APIView):
    """`PUT /api/v1/revenue`: what organisations paid for agent features, by month and source."""

    authentication_classes = [StaffTokenAuthentication]
    permission_classes = [HasStaffScope]
    parser_classes: list[Any] = []
    staff_scope = StaffScope.REVENUE

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: OpenApiTypes.OBJECT})
    def put(self, request: Request) -> Response:
        """Body: `{"lines": [{organisation, month, amount_usd, source}]}`. A line of the same month and source is replaced."""
        body = bodies.read_json(request._request, most=revenue.BYTES_MOST, depth=4)
        principal = cast(StaffPrincipal, request.user)
        booked = book(_said(body), by=principal.actor, at=clock.now())
        return Response({"booked": booked.changed, "unchanged": booked.same})


def _said(body: Any) -> list[revenue.Said]:
    read = Reading(body)
    lines = read.anything("lines", required=True)
    read.done()
    if not isinstance(lines, list) or any(not isinstance(line, dict) for line in lines):
        problem = InputProblem("/lines", "type", "a list of JSON objects is expected")
        raise InvalidInput("some of the input is not valid", problems=(problem,))
    return [revenue.Said(f"/lines/{place}", line) for place, line in enumerate(lines)]
