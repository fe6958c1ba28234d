"""A question to a tenant's own address, with its answer: to public addresses only, no redirect, no proxy, bounded in size and time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from urllib3.exceptions import HTTPError

from agentops.common import clock
from agentops.outbox import signing, webhook
from agentops.outbox.addresses import Closed, resolve

_ADDRESSES_MOST = 4


class NoAnswer(Exception):
    """Nobody answered, or not in time, or with too much; the message says which."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    retry_after: int | None


def check(url: str) -> None:
    """Raises ValueError for an address that is never written to. Its name is resolved when it is asked."""
    webhook.target(url)


def ask(url: str, body: bytes, *, secret: str, message: str, seconds: float, most_bytes: int) -> Answer:
    """Post it, signed as webhooks are (Standard Webhooks), and read what comes back. Raises NoAnswer."""
    try:
        target = webhook.target(url)
        addresses = resolve(target.host, target.port, is_trusted=target.is_trusted)
    except (Closed, ValueError) as error:
        raise NoAnswer(f"not sent: {error}") from error
    except (OSError, UnicodeError) as error:
        raise NoAnswer("its name could not be resolved") from error
    until, words = time.monotonic() + seconds, "it could not be connected to"
    for address in addresses[:_ADDRESSES_MOST]:
        connection = webhook.connection(target, address)
        try:
            with webhook.cut_off(connection, until):
                connection.connect()
        except (HTTPError, OSError) as error:
            words = f"it could not be connected to: {webhook.words(error)}"
            connection.close()
            continue
        try:
            headers = _headers(target.authority, secret, message, body)
            with webhook.cut_off(connection, until):
                connection.timeout = seconds
                assert connection.sock is not None
                connection.sock.settimeout(seconds)
                connection.request("POST", target.path, body=body, headers=headers, preload_content=False)
                response = connection.getresponse()
                read = response.read(most_bytes + 1)
            if time.monotonic() >= until:
                raise TimeoutError
        except (HTTPError, OSError) as error:
            raise NoAnswer(f"it did not answer: {webhook.words(error)}") from error
        finally:
            connection.close()
        if len(read) > most_bytes:
            raise NoAnswer(f"its answer is larger than {most_bytes} bytes")
        wish = response.headers.get("retry-after", "")
        later = int(wish) if wish.isascii() and wish.isdigit() and len(wish) < 7 else None
        return Answer(response.status, read, later)
    raise NoAnswer(words)


def _headers(authority: str, secret: str, message: str, body: bytes) -> Mapping[str, str]:
    at = clock.now_ns() // clock.NANOS
    return {
        "Host": authority,
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": f"agentops/{settings.VERSION}",
        "webhook-id": message,
        "webhook-timestamp": str(at),
        "webhook-signature": signing.signature(secret, message, at, body),
    }
