"""A question to a tenant's own address, with its answer: signed as webhooks are."""

from __future__ import annotations

from collections.abc import Mapping

from agentops.common import clock
from agentops.outbox import signing, transport
from agentops.outbox.transport import Answer, NoAnswer

__all__ = ["Answer", "NoAnswer", "ask", "check"]


def check(url: str) -> None:
    """Raises ValueError for an address that is never written to. Its name is resolved when it is asked."""
    transport.target(url)


def ask(url: str, body: bytes, *, secret: str, message: str, seconds: float, most_bytes: int) -> Answer:
    """Post it, signed as webhooks are (Standard Webhooks), and read what comes back. Raises NoAnswer."""
    headers = _headers(secret, message, body)
    return transport.exchange("POST", url, headers=headers, body=body, seconds=seconds, most_bytes=most_bytes)


def _headers(secret: str, message: str, body: bytes) -> Mapping[str, str]:
    at = clock.now_ns() // clock.NANOS
    return {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "webhook-id": message,
        "webhook-timestamp": str(at),
        "webhook-signature": signing.signature(secret, message, at, body),
    }
