"""The base of every API view. It stands apart from machines.py, which DRF imports while it builds its own views."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Protocol, cast

from rest_framework.response import Response
from rest_framework.views import APIView

from agentops.common.scope import tenant_scope
from audit.types import Actor
from tenants.machines import KeyPrincipal


class Encodes(Protocol):
    """A place in a list, as an opaque text."""

    def encode(self) -> str: ...


class MachineView(APIView):
    """An API view of one tenant: the key says which."""

    @property
    def tenant(self) -> uuid.UUID:
        return self.principal.tenant_id

    @property
    def actor(self) -> Actor:
        """The key, as the audit log names it."""
        return Actor(type="service", id=f"api_key:{self.principal.key_id}", label=self.principal.name)

    @property
    def principal(self) -> KeyPrincipal:
        return cast(KeyPrincipal, self.request.user)

    def inside(self, read: Callable[[], Any]) -> Response:
        """The answer of a read in the tenant's scope."""
        with tenant_scope(self.tenant):
            return Response(read())

    def next_url(self, cursor: Encodes | None) -> str | None:
        """The address of a list's next page."""
        if cursor is None:
            return None
        request = self.request._request
        params = request.GET.copy()
        params["cursor"] = cursor.encode()
        return str(request.build_absolute_uri(f"{request.path}?{params.urlencode()}"))
