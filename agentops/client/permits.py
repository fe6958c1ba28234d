"""For tool servers: run a call only with a permit for exactly this tool, these arguments, this minute, and once.

    permits = PermitVerifier(url="https://portal.example", key="aok_…")

    @permits.permitted("refund")
    def refund(order_id: str, amount_minor: int) -> str: ...

    refund(permit=request.headers["Agentops-Permit"], order_id="ord_1", amount_minor=500)

A permit is a compact JWS (RFC 7515) signed with Ed25519 (RFC 8037). What it says is checked here (jws.py); that it
works once, only the portal can know. Whatever is not clear is refused, and so is everything while the portal is away.
"""

from __future__ import annotations

import functools
import inspect
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from .decorators import arguments_of
from .errors import Aborted, PortalError, Throttled, Unreachable
from .exchange import Flow, Link, Request, expect, post, send
from .jws import Claims, KeySet, PermitRefused, check, digest, key_id
from .wire import AsyncWire, Wire

__all__ = ["HEADER", "AsyncPermitVerifier", "Claims", "PermitRefused", "PermitVerifier", "digest"]

F = TypeVar("F", bound=Callable[..., Any])

HEADER = "Agentops-Permit"  # by custom, where a tool server is called over HTTP
KEYS_PATH = "/.well-known/jwks.json"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class PermitVerifier:
    """Checks and uses permits, with a key of the tenant with the scope `guard`. Thread-safe.

    `url` and `key` default to AGENTOPS_URL and AGENTOPS_KEY; `tenant` (a UUID) to the one the key belongs to.
    """

    def __init__(
        self,
        url: str = "",
        key: str = "",
        *,
        tenant: str = "",
        retry_seconds: float = 5.0,
        timeout_seconds: float = 10.0,
        http: httpx.Client | None = None,
    ) -> None:
        self._wire = Wire(url, key, Link(retry_seconds, retry_seconds, timeout_seconds), http)
        self._tenant = tenant or tenant_of(self._wire.key)
        self._keys = KeySet()

    def close(self) -> None:
        self._wire.close()

    def use(
        self, permit: str, *, tool: str, arguments: Mapping[str, Any], resource_version: str | None = None
    ) -> Claims:
        """Check a permit for a call about to run, and use it up.

        `resource_version`: of what the call acts on, as it is now. Raises PermitRefused, Unreachable, Throttled,
        PortalError; the call must not run then.
        """
        call = _Call(tool, self._tenant, arguments, resource_version)
        return self._wire.drive(_used(self._wire.link, self._keys, permit, call))

    def permitted(self, tool: str, *, resource_version: Callable[..., str] | None = None) -> Callable[[F], F]:
        """Run a function only with a permit, given as the keyword `permit`, for the other arguments as they are given.

        A parameter of the function named `claims` gets what the permit says: who acts, for which agent and run.
        `resource_version` tells, from the same arguments, the version of what they act on: people may have seen another.
        """

        def decorate(function: F) -> F:
            signature, claimed = _without_claims(function)

            @functools.wraps(function)
            def guarded(*args: Any, permit: str = "", **kwargs: Any) -> Any:
                arguments = arguments_of(signature, args, kwargs)
                version = resource_version(**arguments) if resource_version else None
                claims = self.use(permit, tool=tool, arguments=arguments, resource_version=version)
                return function(**arguments, **({"claims": claims} if claimed else {}))

            found: Any = guarded
            return found  # type: ignore[no-any-return]  # the function, with one keyword more

        return decorate


class AsyncPermitVerifier:
    """PermitVerifier for asyncio."""

    def __init__(
        self,
        url: str = "",
        key: str = "",
        *,
        tenant: str = "",
        retry_seconds: float = 5.0,
        timeout_seconds: float = 10.0,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._wire = AsyncWire(url, key, Link(retry_seconds, retry_seconds, timeout_seconds), http)
        self._tenant = tenant or tenant_of(self._wire.key)
        self._keys = KeySet()

    async def aclose(self) -> None:
        await self._wire.aclose()

    async def use(
        self, permit: str, *, tool: str, arguments: Mapping[str, Any], resource_version: str | None = None
    ) -> Claims:
        """Check a permit for a call about to run, and use it up. See PermitVerifier.use."""
        call = _Call(tool, self._tenant, arguments, resource_version)
        return await self._wire.drive(_used(self._wire.link, self._keys, permit, call))

    def permitted(
        self, tool: str, *, resource_version: Callable[..., Awaitable[str]] | None = None
    ) -> Callable[[F], F]:
        """PermitVerifier.permitted, for coroutine functions; `resource_version` is one, too."""

        def decorate(function: F) -> F:
            signature, claimed = _without_claims(function)

            @functools.wraps(function)
            async def guarded(*args: Any, permit: str = "", **kwargs: Any) -> Any:
                arguments = arguments_of(signature, args, kwargs)
                version = await resource_version(**arguments) if resource_version else None
                claims = await self.use(permit, tool=tool, arguments=arguments, resource_version=version)
                return await function(**arguments, **({"claims": claims} if claimed else {}))

            found: Any = guarded
            return found  # type: ignore[no-any-return]  # the function, with one keyword more

        return decorate


def tenant_of(key: str) -> str:
    """The tenant (a UUID) whose key this is; it stands in its text. Raises ValueError where none does."""
    parts = key.split("_")
    if len(parts) == 3 and parts[0] == "aok" and parts[1] and all(char in _ALPHABET for char in parts[1]):
        number = 0
        for char in parts[1]:
            number = number * 62 + _ALPHABET.index(char)
        if number < 1 << 128:
            return str(uuid.UUID(int=number))
    raise ValueError("the key names no tenant; give tenant= as a UUID")


@dataclass(frozen=True, slots=True)
class _Call:
    """What is about to run."""

    tool: str
    tenant: str
    arguments: Mapping[str, Any]
    resource_version: str | None


def _used(link: Link, keys: KeySet, permit: str, call: _Call) -> Flow[Claims]:
    kid = key_id(permit)
    if keys.wants(kid):
        yield from _fetch(link, keys)
    claims = check(
        permit,
        keys.get(kid),
        tool=call.tool,
        tenant=call.tenant,
        arguments=call.arguments,
        resource_version=call.resource_version,
    )
    path = f"/api/v1/permits/{quote(claims.jti, safe='')}/consumption"
    found = yield from post(link, path, {"args_digest": claims.args_digest})
    try:
        expect(found)
    except PortalError as error:
        # A resend after a lost answer may find the permit used by ourselves. It is refused all the same: never twice.
        if error.status in (404, 409):
            raise PermitRefused(error.detail, code=error.code) from error
        raise
    except Aborted as error:  # its run has ended, or was stopped
        raise PermitRefused(error.detail, code=error.code) from error
    return claims


def _fetch(link: Link, keys: KeySet) -> Flow[None]:
    """The portal's keys. Known ones stay good while it is away: it has to be asked for each use anyway."""
    try:
        found = yield from send(link, Request("GET", KEYS_PATH))
        keys.replace(expect(found))
    except (Unreachable, Throttled, PortalError):
        if not keys.has_any():
            raise


def _without_claims(function: Callable[..., Any]) -> tuple[inspect.Signature, bool]:
    signature = inspect.signature(function)
    rest = [parameter for name, parameter in signature.parameters.items() if name != "claims"]
    return signature.replace(parameters=rest), len(rest) < len(signature.parameters)
