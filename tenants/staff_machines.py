"""The door for our own machines: a staff token becomes a principal that stands outside the organisations."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, cast

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from agentops.common import clock
from agentops.common.errors import Forbidden, NotSignedIn
from audit.types import Actor
from tenants import keys
from tenants.models import StaffToken
from tenants.roles import StaffScope

_REFUSAL = "the staff token is missing, unknown or revoked; send it as 'Authorization: Bearer aos_…'"
_LENGTH_MOST = 100


@dataclass(frozen=True, slots=True)
class StaffPrincipal:
    """Which of our machines it is. `is_authenticated` is what DRF asks for."""

    token_id: uuid.UUID
    name: str
    scopes: frozenset[str]
    is_authenticated: bool = True

    @property
    def actor(self) -> Actor:
        """As the audit log names it."""
        return Actor(type="staff", id=f"staff_token:{self.token_id}", label=self.name)


def authenticate(request: HttpRequest) -> StaffPrincipal:
    """The principal of a request's token. Missing, unknown and revoked tokens, and keys of customers, get one answer.

    Asked rarely and trusted with much: a revoked token is refused from the next request on, so nothing is cached.
    """
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    text = text.strip()
    if scheme.lower() != "bearer" or not text.startswith("aos_") or len(text) > _LENGTH_MOST:
        raise NotSignedIn(_REFUSAL)
    found = StaffToken.objects.filter(digest=keys.digest(text), revoked_at__isnull=True).first()
    if found is None:
        raise NotSignedIn(_REFUSAL)
    StaffToken.objects.filter(id=found.id).update(last_used_at=clock.now())
    return StaffPrincipal(token_id=found.id, name=found.name, scopes=frozenset(found.scopes))


class StaffTokenAuthentication(BaseAuthentication):
    """DRF's form of `authenticate`."""

    def authenticate(self, request: Request) -> tuple[Any, None]:
        return authenticate(request._request), None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="agentops staff"'


class HasStaffScope(BasePermission):
    """A view names the scope it needs as `staff_scope`; one that names none is closed to all."""

    def has_permission(self, request: Request, view: Any) -> bool:
        needed = getattr(view, "staff_scope", None)
        if needed is None:
            return False
        if needed not in cast(StaffPrincipal, request.user).scopes:
            raise Forbidden(f"this needs a staff token with the scope '{StaffScope(needed).value}'")
        return True
