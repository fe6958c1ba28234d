"""HTTP to judges' endpoints: only to addresses that may be written to, no redirects, no proxy, answers of a bounded size.

Imported only where judges are asked: it brings the HTTP client of the model libraries along.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpcore2
import httpx2
from django.conf import settings

from agentops.outbox.addresses import Closed, resolve
from evals.judging.addresses import place_of

logging.getLogger("httpx2").setLevel(logging.WARNING)  # it tells of every request
BODY_MOST = 4_000_000  # bytes of an answer
_ADDRESSES_MOST = 4
_CONNECT_SECONDS = 10.0


class TooMuch(Exception):
    """The answer is larger than any judgement is."""


class _Judged(httpcore2.AsyncNetworkBackend):
    """Resolves a name once, judges every address of the answer, and connects to one that was judged.

    TLS is spoken to the name that was asked for: the layer above does that.
    """

    def __init__(self) -> None:
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        bracketed = f"[{host}]" if ":" in host else host
        is_trusted = place_of(f"https://{bracketed}:{port}").is_trusted
        try:
            found = await asyncio.to_thread(resolve, host, port, is_trusted=is_trusted)
        except Closed:
            raise
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError("its name could not be resolved") from error
        last: Exception = httpcore2.ConnectError("it has no address")
        for address in found[:_ADDRESSES_MOST]:
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout=min(timeout or _CONNECT_SECONDS, _CONNECT_SECONDS), socket_options=socket_options
                )  # fmt: skip
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                last = error
        raise last

    async def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> Any:
        raise Closed("a socket file is not asked")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = BODY_MOST
        async for chunk in self._inner:
            left -= len(chunk)
            if left < 0:
                raise TooMuch(f"the answer is larger than {BODY_MOST} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Transport(httpx2.AsyncHTTPTransport):
    def __init__(self, connections: int) -> None:
        limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=20)
        super().__init__(verify=_verify(), trust_env=False, limits=limits, retries=0)
        self._pool._network_backend = _Judged()  # the transport has no argument for it

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        place_of(str(request.url.copy_with(query=None, fragment=None)))  # https, or a host that is named
        response = await super().handle_async_request(request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Bounded(response.stream)
        return response


def client(*, connections: int) -> httpx2.AsyncClient:
    """For as many requests at once. To be closed."""
    return httpx2.AsyncClient(transport=_Transport(connections), follow_redirects=False, trust_env=False)


def _verify() -> Any:
    context = ssl.create_default_context()
    if settings.WEBHOOK_CA_FILE:
        context.load_verify_locations(settings.WEBHOOK_CA_FILE)
    return context
