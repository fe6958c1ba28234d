"""The door for machines: an API key becomes a principal of one tenant with scopes."""

from __future__ import annotations

import base64
import binascii
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any, cast

from django.db import connection
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from agentops.common import clock
from agentops.common.errors import Forbidden, NotSignedIn
from agentops.common.scope import tenant_scope
from tenants import keys
from tenants.roles import KeyScope

CACHE_SECONDS = 2.0  # how long a revoked key may still be answered
_CACHE_MOST = 10_000
_REFUSAL = "the API key is missing, unknown or revoked; send it as 'Authorization: Bearer aok_…'"


@dataclass(frozen=True, slots=True)
class KeyPrincipal:
    """Who a machine is. `is_authenticated` is what DRF asks for."""

    tenant_id: uuid.UUID
    key_id: uuid.UUID
    name: str
    scopes: frozenset[str]
    is_authenticated: bool = True


_cache: dict[bytes, tuple[float, KeyPrincipal]] = {}
_lock = threading.Lock()


def authenticate(request: HttpRequest) -> KeyPrincipal:
    """The principal of a request's key. Missing, malformed, unknown, foreign and revoked keys get one and the same answer.

    Accepts `Authorization: Bearer`, `x-api-key`, and Basic with the key as password (as Langfuse's exporters send it).
    """
    text = _key_text(request)
    tenant_id = keys.tenant_of(text) if text else None
    if text is None or tenant_id is None:
        raise NotSignedIn(_REFUSAL)
    digest = keys.digest(text)
    found = _cache.get(digest)
    if found is not None and found[0] > time.monotonic():
        return found[1]
    principal = _look_up(tenant_id, digest)
    if principal is None:
        _cache.pop(digest, None)
        raise NotSignedIn(_REFUSAL)
    with _lock:
        if len(_cache) >= _CACHE_MOST:
            _cache.clear()
        _cache[digest] = (time.monotonic() + CACHE_SECONDS, principal)
    return principal


def forget_cached_keys() -> None:
    """Empty this process's cache: for the tests, and at once after a revocation in the same process."""
    _cache.clear()


def _look_up(tenant_id: uuid.UUID, digest: bytes) -> KeyPrincipal | None:
    with tenant_scope(tenant_id), connection.cursor() as cursor:
        cursor.execute(
            "SELECT k.id, k.name, k.scopes, k.last_used_at < now() - interval '1 minute' OR k.last_used_at IS NULL "
            "FROM tenants_apikey k JOIN tenants_tenant t ON t.id = k.tenant_id AND t.is_active "
            "WHERE k.tenant_id = %s AND k.digest = %s AND k.revoked_at IS NULL",
            [tenant_id, digest],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    if row[3]:
        _touch(tenant_id, row[0])
    return KeyPrincipal(tenant_id=tenant_id, key_id=row[0], name=row[1], scopes=frozenset(row[2]))


def _touch(tenant_id: uuid.UUID, key_id: uuid.UUID) -> None:
    """Note the use, in a transaction of its own: inside the request's, every request of a key would queue on this row."""
    with tenant_scope(tenant_id), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE tenants_apikey SET last_used_at = %s WHERE tenant_id = %s AND id = %s "
            "AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')",
            [clock.now(), tenant_id, key_id],
        )


def _key_text(request: HttpRequest) -> str | None:
    header: str = request.headers.get("authorization", "")
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return None
    return request.headers.get("x-api-key")


class KeyAuthentication(BaseAuthentication):
    """DRF's form of `authenticate`."""

    def authenticate(self, request: Request) -> tuple[Any, None]:
        return authenticate(request._request), None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="agentops"'


class HasScope(BasePermission):
    """A view names the scope it needs as `scope`, or `scopes` by method; one that names none is closed to all."""

    def has_permission(self, request: Request, view: Any) -> bool:
        needed = getattr(view, "scopes", {}).get(request.method) or getattr(view, "scope", None)
        if needed is None:
            return False
        if needed not in cast(KeyPrincipal, request.user).scopes:
            raise Forbidden(f"this needs a key with the scope '{KeyScope(needed).value}'")
        return True
