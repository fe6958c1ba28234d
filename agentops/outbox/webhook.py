"""One webhook, once: resolve, judge, connect to what was judged, post, read the status, hang up."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from agentops.common import clock
from agentops.outbox import signing
from agentops.outbox.addresses import Closed, resolve
from agentops.outbox.types import Claimed, Outcome

CONNECT_SECONDS, READ_SECONDS = 5.0, 10.0
TOTAL_SECONDS = 20.0  # a receiver that sends a byte now and then is cut off here
_ADDRESSES_MOST = 4
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Target:
    scheme: str
    host: str
    port: int
    path: str
    authority: str  # of the Host header
    is_trusted: bool


def deliver(claimed: Claimed) -> Outcome:
    """Post it. Anything but a status of 2xx is a failure; a redirect is one, too, and is not followed."""
    try:
        place = target(claimed.destination)
        addresses = resolve(place.host, place.port, is_trusted=place.is_trusted)
    except (Closed, ValueError) as error:
        return Outcome(is_sent=False, detail=f"Not sent: {error}.", is_final=True)
    except (OSError, UnicodeError):
        return Outcome(is_sent=False, detail="Its name could not be resolved.")
    body = _body(claimed)
    until = time.monotonic() + TOTAL_SECONDS
    outcome = Outcome(is_sent=False, detail="It could not be connected to.")
    for address in addresses[:_ADDRESSES_MOST]:
        opened = connection(place, address)
        try:
            with cut_off(opened, until):
                opened.connect()
        except (HTTPError, OSError) as error:
            outcome = Outcome(is_sent=False, detail=f"It could not be connected to: {words(error)}.")
            opened.close()
            continue
        return _post(opened, place, claimed, body, until)
    return outcome


def target(url: str) -> Target:
    """Raises ValueError with words for a URL that is not written to."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if not host or parts.scheme not in _PORTS:
        raise ValueError("its address is no URL of https")
    if parts.username is not None or parts.password is not None:
        raise ValueError("its address holds a user or a password")
    port = parts.port or _PORTS[parts.scheme]
    allowed = settings.WEBHOOK_ALLOWED_HOSTS
    is_trusted = host in allowed or f"{host}:{port}" in allowed
    if parts.scheme != "https" and not is_trusted:
        raise ValueError("its address is not https")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path, _authority(parts, host, port), is_trusted)


def _authority(parts: SplitResult, host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host.encode("idna").decode()
    return name if port == _PORTS[parts.scheme] else f"{name}:{port}"


def connection(place: Target, address: str) -> HTTPConnection:
    """To the address that was judged, under the name that was asked for. urllib3 heeds no proxy of the environment here."""
    if place.scheme == "http":
        return HTTPConnection(address, place.port, timeout=CONNECT_SECONDS)
    return HTTPSConnection(
        address,
        place.port,
        timeout=CONNECT_SECONDS,
        ssl_context=_tls(),
        server_hostname=place.host.encode("idna").decode() if ":" not in place.host else place.host,
    )


def _tls() -> ssl.SSLContext:
    """The system's certificates; what AGENTOPS_WEBHOOK_CA_FILE names is trusted as well."""
    context = ssl.create_default_context()
    if settings.WEBHOOK_CA_FILE:
        context.load_verify_locations(settings.WEBHOOK_CA_FILE)
    return context


def _post(opened: HTTPConnection, place: Target, claimed: Claimed, body: bytes, until: float) -> Outcome:
    message = f"msg_{claimed.id.hex}"
    headers = {
        "Host": place.authority,
        "Content-Type": "application/json",
        "User-Agent": f"agentops/{settings.VERSION}",
        **signing.headers(claimed.tenant_id, claimed.destination, message, clock.now_ns() // clock.NANOS, body),
    }
    try:
        opened.timeout = READ_SECONDS
        with cut_off(opened, until):
            opened.request("POST", place.path, body=body, headers=headers, preload_content=False)
            response = opened.getresponse()
            status, wish = response.status, response.headers.get("retry-after", "")
        if time.monotonic() >= until:  # cut off within its header, which is read as if it had ended there
            raise TimeoutError
    except (HTTPError, OSError) as error:
        return Outcome(is_sent=False, detail=f"It did not answer: {words(error)}.")
    finally:
        opened.close()  # nothing of the body is read: neither its size nor its content matters
    return _judged(status, wish)


def _judged(status: int, wish: str) -> Outcome:
    if 200 <= status < 300:
        return Outcome(is_sent=True, status=status)
    if 300 <= status < 400:
        return Outcome(is_sent=False, status=status, detail="It answered with a redirect, which is not followed.")
    # 410 is how a receiver says "never again" (Standard Webhooks).
    seconds = int(wish) if wish.isascii() and wish.isdigit() and len(wish) < 7 else None
    detail = f"It answered with the status {status}."
    return Outcome(is_sent=False, status=status, detail=detail, is_final=status == 410, retry_after=seconds)


def _body(claimed: Claimed) -> bytes:
    """The same bytes at each attempt."""
    document: dict[str, Any] = {
        "type": claimed.template,
        "timestamp": clock.rfc3339(claimed.created_at),
        "data": claimed.context,
    }
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


@contextlib.contextmanager
def cut_off(opened: HTTPConnection, until: float) -> Iterator[None]:
    """Time-outs of a socket are for one wait each; this is for all of them together."""
    timer = threading.Timer(max(0.0, until - time.monotonic()), _shut, [opened])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shut(opened: HTTPConnection) -> None:
    if opened.sock is not None:
        with contextlib.suppress(OSError):
            opened.sock.shutdown(socket.SHUT_RDWR)


def words(error: Exception) -> str:
    """What went wrong, without the address that was connected to."""
    cause = error.__cause__ or error
    match cause:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not valid ({cause.verify_message})"
        case ssl.SSLError():
            return "TLS failed"
        case TimeoutError():
            return "time-out"
        case ConnectionRefusedError():
            return "connection refused"
        case ConnectionResetError() | BrokenPipeError():
            return "connection reset"
    return type(cause).__name__
