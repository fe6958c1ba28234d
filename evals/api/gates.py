"""Gates, for machines: what versions of an agent must pass, what the gate says, and deciding it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.catalog.errors import AgentUnknown
from agentops.common import bodies, clock
from agentops.common.reading import Reading
from agentops.common.scope import tenant_scope
from evals import services
from evals.errors import Unknown
from evals.models import GateOverride, GatePolicy, GateRequirement, GateVerdict
from evals.queries import gates as queries
from evals.queries.gates import Standing
from evals.services.gates import LEAST_RATE, MARGIN, Requirement
from evals.types import SuiteMode
from tenants.machine_view import MachineView
from tenants.roles import KeyScope

MAX_BYTES = 32_768
_PROBLEM = OpenApiResponse(OpenApiTypes.OBJECT, "RFC 9457 problem; `errors` names every place that is wrong")


class GateView(MachineView):
    """A view that reads its body itself, strictly."""

    parser_classes: list[Any] = []

    @staticmethod
    def require_text(*names: str) -> None:
        if any("\0" in name for name in names):
            raise AgentUnknown("There is no such agent or version.")


class GatesView(GateView):
    """`POST /api/v1/gates`: decide on a version, now."""

    scopes = {"POST": KeyScope.ADMIN}
    http_method_names = ["post"]

    @extend_schema(
        request=OpenApiTypes.OBJECT,
        responses={
            200: OpenApiResponse(OpenApiTypes.OBJECT, "the verdict"),
            400: _PROBLEM,
            404: _PROBLEM,
            409: _PROBLEM,
        },
    )
    def post(self, request: Request) -> Response:
        """`{agent, agent_version}` → the verdict: `passed` or `failed`, with each requirement; 409 while it cannot be said."""
        read = Reading(bodies.read_json(request._request, most=MAX_BYTES, depth=4))
        agent = read.text("agent", required=True, most=500)
        version = read.text("agent_version", required=True, most=500)
        read.done()
        with tenant_scope(self.tenant):
            services.decide_gate(tenant=self.tenant, agent=agent, version=version, by=self.actor, at=clock.now())
            found = queries.standing(tenant=self.tenant, agent=agent, version=version)
        return Response(standing_json(found))


class GateOfVersionView(GateView):
    """`GET /api/v1/gates/{agent}/{version}`: where a version stands."""

    scopes = {"GET": KeyScope.EVALS}
    http_method_names = ["get"]

    @extend_schema(responses={200: OpenApiTypes.OBJECT, 404: _PROBLEM})
    def get(self, request: Request, agent_name: str, agent_version: str) -> Response:
        self.require_text(agent_name, agent_version)
        with tenant_scope(self.tenant):
            found = queries.standing(tenant=self.tenant, agent=agent_name, version=agent_version)
        return Response(standing_json(found))


class GateOfAgentView(GateView):
    """`GET`, `PUT` and `DELETE /api/v1/gates/{agent}`: what its versions must pass."""

    scopes = {"GET": KeyScope.EVALS, "PUT": KeyScope.ADMIN, "DELETE": KeyScope.ADMIN}
    http_method_names = ["get", "put", "delete"]

    @extend_schema(operation_id="api_v1_gates_of_agent", responses={200: OpenApiTypes.OBJECT, 404: _PROBLEM})
    def get(self, request: Request, gated_agent: str) -> Response:
        self.require_text(gated_agent)
        with tenant_scope(self.tenant):
            policy, requirements = queries.policy(tenant=self.tenant, agent=gated_agent)
        if policy is None:
            raise Unknown(f"No gate stands before the versions of {gated_agent[:100]}.")
        return Response(_policy_json(policy, requirements))

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: OpenApiTypes.OBJECT, 400: _PROBLEM, 404: _PROBLEM})
    def put(self, request: Request, gated_agent: str) -> Response:
        """`{requirements: [{set, mode?, least_rate?, margin?, repeats?}], reason?}`; replaces what was asked for."""
        self.require_text(gated_agent)
        read = Reading(bodies.read_json(request._request, most=MAX_BYTES, depth=6))
        requirements = _requirements(read)
        reason = read.text("reason", most=500)
        read.done()
        with tenant_scope(self.tenant):
            services.set_gate(
                tenant=self.tenant,
                agent=gated_agent,
                requirements=requirements,
                reason=reason,
                by=self.actor,
                at=clock.now(),
            )
            policy, rows = queries.policy(tenant=self.tenant, agent=gated_agent)
        assert policy is not None
        return Response(_policy_json(policy, rows))

    @extend_schema(request=OpenApiTypes.OBJECT, responses={204: None, 400: _PROBLEM, 404: _PROBLEM})
    def delete(self, request: Request, gated_agent: str) -> Response:
        """`{reason}`: its versions need pass no gate from now on."""
        self.require_text(gated_agent)
        read = Reading(bodies.read_json(request._request, most=MAX_BYTES, depth=4))
        reason = read.text("reason", required=True, most=500)
        read.done()
        with tenant_scope(self.tenant):
            services.remove_gate(tenant=self.tenant, agent=gated_agent, reason=reason, by=self.actor, at=clock.now())
        return Response(status=204)


# -- in ---------------------------------------------------------------------------------------------------------------


def _requirements(read: Reading) -> list[Requirement]:
    asked = read.anything("requirements", required=True)
    if not isinstance(asked, list):
        if asked is not None:
            read.problem("requirements", "type", "a list of suites is expected")
        return []
    found = []
    for place, each in enumerate(asked[:100]):
        one = Reading(each, pointer=f"/requirements/{place}")
        found.append(
            Requirement(
                eval_set=one.text("set", required=True),
                mode=SuiteMode(one.choice("mode", SuiteMode.values, required=False) or SuiteMode.PLAIN),
                least_rate=_share(one, "least_rate", LEAST_RATE),
                margin=_share(one, "margin", MARGIN),
                repeats=one.integer("repeats", least=1, most=20) or 1,
            )
        )
        read.problems += one.all_problems()
    return found


def _share(read: Reading, name: str, default: float) -> float:
    value = read.anything(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        read.problem(name, "range", "a share from 0 to 1 is expected")
        return default
    return float(value)


# -- out --------------------------------------------------------------------------------------------------------------


def standing_json(found: Standing) -> dict[str, Any]:
    """Where a version stands, with the newest word on what it is now."""
    word = found.newest
    return {
        "agent": found.agent.name,
        "agent_version": found.version.version,
        "content_digest": found.version.content_digest,
        "gate": str(found.version.gate),
        "approved": found.version.is_approved,
        "verdict": _verdict_json(word.verdict) if word else None,
        "override": _override_json(word.override) if word and word.override else None,
    }


def _verdict_json(found: GateVerdict) -> dict[str, Any]:
    return {
        "id": found.id.hex,
        "verdict": str(found.verdict),
        "sentence": found.sentence,
        "current": found.detail.get("current", ""),
        "requirements": found.detail.get("requirements", []),
        "at": _time(found.at),
        "by": found.by,
    }


def _override_json(found: GateOverride) -> dict[str, Any]:
    return {
        "state": str(found.state),
        "reason": found.reason,
        "asked_at": _time(found.asked_at),
        "asked_by": found.asked_by,
        "decided_at": _time(found.decided_at),
        "decided_by": found.decided_by,
    }


def _policy_json(policy: GatePolicy, requirements: list[GateRequirement]) -> dict[str, Any]:
    return {
        "agent": policy.agent,
        "requirements": [
            {
                "set": each.eval_set.name,
                "mode": each.mode,
                "least_rate": each.least_rate,
                "margin": each.margin,
                "repeats": each.repeats,
            }
            for each in requirements
        ],
        "set_at": _time(policy.set_at),
        "set_by": policy.set_by,
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
