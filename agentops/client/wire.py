"""What drives flows (exchange.py) over HTTP: one that waits, one for asyncio."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any, TypeVar

import httpx

from .exchange import Flow, Link, Pause, Reply, Request, retry_after

T = TypeVar("T")

URL_VARIABLE, KEY_VARIABLE = "AGENTOPS_URL", "AGENTOPS_KEY"


class _Address:
    """Where the portal is, and who asks. Raises ValueError where one of them is missing."""

    def __init__(self, url: str, key: str, link: Link) -> None:
        url, key = url or os.environ.get(URL_VARIABLE, ""), key or os.environ.get(KEY_VARIABLE, "")
        if not url or not key:
            raise ValueError(f"give url and key, or set {URL_VARIABLE} and {KEY_VARIABLE}")
        self.url, self.key, self.link = url.rstrip("/"), key, link

    def _parts(self, request: Request) -> dict[str, Any]:
        return {
            "method": request.method,
            "url": self.url + request.path,
            "content": request.body,
            "timeout": request.timeout_seconds or self.link.timeout_seconds,
            "headers": {
                "Authorization": f"Bearer {self.key}",
                "Content-Type": "application/json",
                "Accept": "application/json",
            },
        }


class Wire(_Address):
    """Blocks. Thread-safe. An `http` client of the caller's stays the caller's to close."""

    def __init__(self, url: str, key: str, link: Link, http: httpx.Client | None) -> None:
        super().__init__(url, key, link)
        self._owns = http is None
        self._http = httpx.Client() if http is None else http

    def close(self) -> None:
        if self._owns:
            self._http.close()

    def drive(self, flow: Flow[T]) -> T:
        """Do what a flow wants, until it has its answer."""
        try:
            step = next(flow)
            while True:
                step = flow.send(self._do(step))
        except StopIteration as done:
            answer: T = done.value
            return answer

    def _do(self, step: Request | Pause) -> Reply:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return Reply(0)
        try:
            return _reply(self._http.request(**self._parts(step)))
        except httpx.TransportError as error:
            return _lost(error)


class AsyncWire(_Address):
    """For asyncio."""

    def __init__(self, url: str, key: str, link: Link, http: httpx.AsyncClient | None) -> None:
        super().__init__(url, key, link)
        self._owns = http is None
        self._http = httpx.AsyncClient() if http is None else http

    async def aclose(self) -> None:
        if self._owns:
            await self._http.aclose()

    async def drive(self, flow: Flow[T]) -> T:
        """Do what a flow wants, until it has its answer."""
        try:
            step = next(flow)
            while True:
                step = flow.send(await self._do(step))
        except StopIteration as done:
            answer: T = done.value
            return answer

    async def _do(self, step: Request | Pause) -> Reply:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return Reply(0)
        try:
            return _reply(await self._http.request(**self._parts(step)))
        except httpx.TransportError as error:
            return _lost(error)


def _reply(response: httpx.Response) -> Reply:
    try:
        body = response.json()
    except ValueError:
        body = None
    return Reply(response.status_code, body, retry_after(response.headers.get("Retry-After")))


def _lost(error: httpx.TransportError) -> Reply:
    return Reply(0, lost=f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
