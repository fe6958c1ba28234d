"""A request to an address that somebody wrote down: to public addresses only, no redirect, no proxy, bounded in size and time."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from agentops.outbox.addresses import Closed, resolve

CONNECT_SECONDS = 5.0
ADDRESSES_MOST = 4
_PORTS = {"https": 443, "http": 80}


class NoAnswer(Exception):
    """Nobody answered, or not in time, or with too much; the message says which.

    `is_final`: the address is never written to, so that asking again is of no use. `is_unsent`: nobody was there to be asked,
    so that nothing can have been done.
    """

    def __init__(self, words: str, *, is_final: bool = False, is_unsent: bool = False) -> None:
        super().__init__(words)
        self.is_final, self.is_unsent = is_final, is_unsent


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    retry_after: int | None


@dataclass(frozen=True, slots=True)
class Target:
    scheme: str
    host: str
    port: int
    path: str
    authority: str  # of the Host header
    is_trusted: bool


def exchange(
    method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, seconds: float, most_bytes: int
) -> Answer:
    """Ask, and read what comes back. `Host` and `User-Agent` are added. Raises NoAnswer."""
    try:
        place = target(url)
        addresses = resolve(place.host, place.port, is_trusted=place.is_trusted)
    except (Closed, ValueError) as error:
        raise NoAnswer(f"not sent: {error}", is_final=True) from error
    except (OSError, UnicodeError) as error:
        raise NoAnswer("its name could not be resolved", is_unsent=True) from error
    until, said = time.monotonic() + seconds, "it could not be connected to"
    for address in addresses[:ADDRESSES_MOST]:
        opened = connection(place, address)
        try:
            with cut_off(opened, until):
                opened.connect()
        except (HTTPError, OSError) as error:
            said = f"it could not be connected to: {words(error)}"
            opened.close()
            continue
        sent = {"Host": place.authority, "User-Agent": f"agentops/{settings.VERSION}", **headers}
        try:
            with cut_off(opened, until):
                opened.timeout = seconds
                assert opened.sock is not None
                opened.sock.settimeout(seconds)
                opened.request(method, place.path, body=body, headers=sent, preload_content=False)
                response = opened.getresponse()
                read = response.read(most_bytes + 1)
            if time.monotonic() >= until:
                raise TimeoutError
        except (HTTPError, OSError) as error:
            raise NoAnswer(f"it did not answer: {words(error)}") from error
        finally:
            opened.close()
        if len(read) > most_bytes:
            raise NoAnswer(f"its answer is larger than {most_bytes} bytes")
        return Answer(response.status, read, waits_for(response.headers.get("retry-after", "")))
    raise NoAnswer(said, is_unsent=True)


def waits_for(wish: str) -> int | None:
    """The seconds of a Retry-After; its other form, a date, is not heeded."""
    return int(wish) if wish.isascii() and wish.isdigit() and len(wish) < 7 else None


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
