"""Agents and known contacts, for machines with the scope `admin`."""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.catalog import manifest, queries, services
from agentops.catalog.errors import AgentUnknown, ContactsUnknown, invalid
from agentops.catalog.types import AgentSummary, Applied, Contacts
from agentops.common import bodies, clock, strictjson
from agentops.common.errors import InputProblem, InvalidInput, UnsupportedMedia
from agentops.common.reading import Reading
from agentops.common.scope import tenant_scope
from audit.types import Actor
from tenants.machine_view import MachineView
from tenants.roles import KeyScope

_YAML = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/vnd.yaml")
_JSON = ("application/json", "")
_CONTACTS_MOST_BYTES = 8 * 1024 * 1024
_PAGE = 100
_MANIFEST = {"application/json": OpenApiTypes.OBJECT, "application/yaml": OpenApiTypes.STR}
_PROBLEM = OpenApiResponse(OpenApiTypes.OBJECT, "RFC 9457 problem; `errors` names every place that is wrong")
_USER = OpenApiParameter("user", str, description="the end user whose set it is; without it, everybody's")


class AdminView(MachineView):
    """A view of the tenant's settings."""

    scope = KeyScope.ADMIN
    parser_classes: list[Any] = []

    @property
    def by(self) -> Actor:
        return Actor(type="service", id=f"api_key:{self.principal.key_id}", label=f"key {self.principal.name}")

    def param(self, name: str) -> str:
        """A query parameter; "" where absent. Raises InvalidInput for NUL, which no text here has."""
        value: str = self.request._request.GET.get(name, "")
        if "\0" in value:
            raise invalid(f"/{name}", "no NUL character may be in it", "nul")
        return value

    def body(self, *, most: int) -> bytes:
        request: HttpRequest = self.request._request
        return bodies.read(request, most=most)


class AgentsView(AdminView):
    """`GET /api/v1/agents`: by name."""

    http_method_names = ["get"]

    @extend_schema(
        operation_id="api_v1_agents_list",
        parameters=[OpenApiParameter("cursor", str)],
        responses={200: OpenApiResponse(OpenApiTypes.OBJECT, "`results`, `next`"), 400: _PROBLEM},
    )
    def get(self, request: Request) -> Response:
        after = _name_in(self.param("cursor"))
        with tenant_scope(self.tenant):
            found = queries.agents(tenant=self.tenant, after=after, most=_PAGE + 1)
        shown, following = found[:_PAGE], None
        if len(found) > _PAGE:
            cursor = base64.urlsafe_b64encode(shown[-1].name.encode()).decode()
            following = request.build_absolute_uri(f"{request.path}?cursor={cursor}")
        return Response({"results": [_summary(agent) for agent in shown], "next": following})


class AgentView(AdminView):
    """`GET` and `PUT /api/v1/agents/{name}`: a manifest, in JSON or YAML."""

    http_method_names = ["get", "put"]

    @extend_schema(
        parameters=[OpenApiParameter("version", str, description="without it, the version that was changed last")],
        responses={200: OpenApiResponse(OpenApiTypes.OBJECT, "the manifest, with `status`"), 404: _PROBLEM},
    )
    def get(self, request: Request, agent_name: str) -> Response:
        wanted = self.param("version")
        if "\0" in agent_name:
            raise AgentUnknown("There is no such agent.")
        with tenant_scope(self.tenant):
            agent = queries.agent(tenant=self.tenant, name=agent_name)
        for version in agent.versions:
            if wanted in ("", version.version):
                return Response(manifest.write(agent, version))
        known = ", ".join(version.version for version in agent.versions[:20])
        raise AgentUnknown(f"There is no version {wanted[:100]!r} of {agent_name}; there are: {known}.")

    @extend_schema(
        request=_MANIFEST,
        responses={
            200: OpenApiResponse(OpenApiTypes.OBJECT, "what it came to"),
            201: OpenApiResponse(OpenApiTypes.OBJECT, "the same, for a version that was not known before"),
            400: _PROBLEM,
            409: _PROBLEM,
            413: _PROBLEM,
            415: _PROBLEM,
        },
    )
    def put(self, request: Request, agent_name: str) -> Response:
        read = manifest.read(self._value())
        if read.agent.name != agent_name:
            raise InvalidInput(
                "the agent in the manifest is another than the one in the address",
                problems=(
                    InputProblem("/agent/name", "name_differs", f"{agent_name[:100]!r} is expected, as in the address"),
                ),
            )
        with tenant_scope(self.tenant):
            applied = services.apply_manifest(tenant=self.tenant, manifest=read, by=self.by, at=clock.now())
        return Response(applied_json(applied), status=201 if applied.is_new else 200)

    def _value(self) -> Any:
        kind = bodies.media_type(self.request._request)
        if kind not in _YAML and kind not in _JSON:
            raise UnsupportedMedia(
                f"Content-Type {kind[:100]!r} is not taken; send application/json or application/yaml"
            )
        raw = self.body(most=manifest.MAX_BYTES)
        return manifest.load_yaml(raw) if kind in _YAML else manifest.load_json(raw)


class ContactsView(AdminView):
    """`GET`, `PUT` and `DELETE /api/v1/contacts/{set}`: whom everybody, or one end user, knows."""

    http_method_names = ["get", "put", "delete"]

    @extend_schema(parameters=[_USER], responses={200: OpenApiTypes.OBJECT, 404: _PROBLEM})
    def get(self, request: Request, contact_set: str) -> Response:
        user = self.param("user")
        self._require_name(contact_set)
        with tenant_scope(self.tenant):
            found = queries.contact_set(tenant=self.tenant, name=contact_set, user=user)
        return Response(_contacts(found) | {"contacts": found.contacts})

    @extend_schema(
        request={"application/json": OpenApiTypes.OBJECT}, responses={200: OpenApiTypes.OBJECT, 400: _PROBLEM}
    )
    def put(self, request: Request, contact_set: str) -> Response:
        value = strictjson.loads(self.body(most=_CONTACTS_MOST_BYTES), max_bytes=_CONTACTS_MOST_BYTES, max_depth=4)
        read = Reading(value)
        user = read.text("user")
        contacts = read.anything("contacts", required=True)
        if "contacts" in (value if isinstance(value, dict) else {}) and not isinstance(contacts, list):
            read.problem("contacts", "type", "a list of texts is expected")
        read.done()
        with tenant_scope(self.tenant):
            found = services.set_contacts(
                tenant=self.tenant, name=contact_set, user=user, contacts=contacts, by=self.by, at=clock.now()
            )
        return Response(_contacts(found))

    @extend_schema(parameters=[_USER], responses={204: None, 404: _PROBLEM})
    def delete(self, request: Request, contact_set: str) -> Response:
        user = self.param("user")
        self._require_name(contact_set)
        with tenant_scope(self.tenant):
            services.remove_contacts(tenant=self.tenant, name=contact_set, user=user, by=self.by, at=clock.now())
        return Response(status=204)

    @staticmethod
    def _require_name(name: str) -> None:
        if "\0" in name:
            raise ContactsUnknown("There is no such set of contacts.")


def applied_json(applied: Applied) -> dict[str, Any]:
    """What a manifest came to, for machines and for the command."""
    return {
        "agent": applied.agent,
        "version": applied.version,
        "policy_version": applied.policy_version,
        "approved": applied.is_approved,
        "created": applied.is_new,
        "changed": applied.was_changed,
        "lost_approval": applied.lost_approval,
        "tools": [
            {
                "name": tool.name,
                "version": tool.version,
                "revision": tool.revision,
                "digest": tool.digest,
                "tier": tool.tier,
                "review": str(tool.review),
                "new": tool.is_new,
            }
            for tool in applied.tools
        ],
        "revoked": list(applied.revoked),
        "warnings": [problem.as_json() for problem in applied.warnings],
    }


def _summary(agent: AgentSummary) -> dict[str, Any]:
    found = asdict(agent)
    del found["id"]
    found["changed_at"] = agent.changed_at.isoformat().replace("+00:00", "Z")
    return found


def _contacts(found: Contacts) -> dict[str, Any]:
    return {
        "name": found.name,
        "user": found.user,
        "count": len(found.contacts),
        "set_at": found.set_at.isoformat().replace("+00:00", "Z"),
        "set_by": found.set_by,
    }


def _name_in(cursor: str) -> str:
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True).decode().replace("\0", "")
    except (ValueError, binascii.Error) as error:
        raise invalid("/cursor", "use the 'next' address as it was given", "cursor_invalid") from error
