"""Which address of an endpoint may be asked: https, and nothing of ours; or a host that the installation itself names."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

LENGTH_MOST = 500
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Place:
    host: str
    port: int
    is_trusted: bool  # named in AGENTOPS_WEBHOOK_ALLOWED_HOSTS: it may be anywhere, and need not be https


def place_of(url: str) -> Place:
    """Raises ValueError with what would be accepted."""
    if len(url) > LENGTH_MOST or not url.isprintable() or " " in url:
        raise ValueError(
            f"an address of at most {LENGTH_MOST} characters is expected, such as https://api.example.com/v1"
        )
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise ValueError("an address such as https://api.example.com/v1 is expected") from error
    if not host or parts.scheme not in _PORTS:
        raise ValueError("an address that begins with https:// is expected")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("an address without user, password, query and fragment is expected")
    allowed = settings.WEBHOOK_ALLOWED_HOSTS
    is_trusted = host in allowed or f"{host}:{port}" in allowed
    if parts.scheme != "https" and not is_trusted:
        raise ValueError("an address that begins with https:// is expected")
    return Place(host, port, is_trusted)
