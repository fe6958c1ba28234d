"""Kill switches over HTTP: an organisation's own. The product's are for our staff, in the portal."""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.common import bodies, clock
from agentops.common.reading import Reading
from agentops.common.scope import tenant_scope
from agentops.runtime import queries, services
from agentops.runtime.models import KillSwitch
from agentops.runtime.queries import Proof
from agentops.runtime.types import SwitchMode, SwitchScope
from tenants.machine_view import MachineView
from tenants.roles import KeyScope

_MOST_BYTES = 16_384
_SWITCH = OpenApiResponse(OpenApiTypes.OBJECT, "A kill switch, with the proof of what it has done")


class KillSwitchesView(MachineView):
    """`GET` and `POST /api/v1/kill-switches`"""

    scope = KeyScope.ADMIN
    parser_classes: list[Any] = []

    @extend_schema(responses={200: OpenApiTypes.OBJECT}, operation_id="kill_switches_list")
    def get(self, request: Request) -> Response:
        with tenant_scope(self.tenant):
            found = [
                _as_json(switch) if switch.lifted_at is None else _as_json(switch, with_proof=False)
                for switch in queries.switches(tenant=self.tenant)
            ]
        return Response({"results": found, "next": None})

    @extend_schema(request=OpenApiTypes.OBJECT, responses={201: _SWITCH})
    def post(self, request: Request) -> Response:
        read = Reading(bodies.read_json(request._request, most=_MOST_BYTES))
        kind = read.choice("scope", SwitchScope.values)
        mode = read.choice("mode", SwitchMode.values)
        scope_id, reason = read.text("id"), read.text("reason", required=True, most=1_000)
        read.done()
        with tenant_scope(self.tenant):
            switch, is_new = services.set_switch(
                tenant=self.tenant,
                scope_kind=SwitchScope(kind),
                scope_id=scope_id,
                mode=SwitchMode(mode),
                reason=reason,
                by=self.actor,
                at=clock.now(),
            )
            answer = _as_json(switch)
        return Response(answer, status=201 if is_new else 200)


class KillSwitchView(MachineView):
    """`GET /api/v1/kill-switches/{id}`"""

    scope = KeyScope.ADMIN

    @extend_schema(responses={200: _SWITCH})
    def get(self, request: Request, switch_id: uuid.UUID) -> Response:
        with tenant_scope(self.tenant):
            return Response(_as_json(queries.switch(tenant=self.tenant, switch_id=switch_id)))


class LiftView(MachineView):
    """`POST /api/v1/kill-switches/{id}/lift`"""

    scope = KeyScope.ADMIN
    parser_classes: list[Any] = []

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: _SWITCH})
    def post(self, request: Request, switch_id: uuid.UUID) -> Response:
        read = Reading(bodies.read_json(request._request, most=_MOST_BYTES))
        reason = read.text("reason", required=True, most=1_000)
        read.done()
        with tenant_scope(self.tenant):
            switch = services.lift_switch(
                tenant=self.tenant, switch_id=switch_id, reason=reason, by=self.actor, at=clock.now()
            )
            return Response(_as_json(switch))


def _as_json(switch: KillSwitch, *, with_proof: bool = True) -> dict[str, Any]:
    found = {
        "id": str(switch.id),
        "scope": switch.scope,
        "target": switch.scope_id or None,
        "mode": switch.mode,
        "reason": switch.reason,
        "set_at": clock.rfc3339(switch.set_at),
        "set_by": switch.set_by,
        "lifted_at": clock.rfc3339(switch.lifted_at) if switch.lifted_at else None,
        "lifted_by": switch.lifted_by or None,
        "lift_reason": switch.lift_reason or None,
    }
    return found | {"proof": _proof_json(queries.proof(switch))} if with_proof else found


def _proof_json(proof: Proof) -> dict[str, Any]:
    return {
        "refused_since": proof.refused,
        "last_step_after": clock.rfc3339(proof.last_step_at) if proof.last_step_at else None,
        "permits_alive": proof.permits_alive,
        "runs_stopped": proof.runs_stopped,
        "runs_in_progress": proof.runs_in_progress,
    }
