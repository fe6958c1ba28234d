"""Where entries and checkpoints may be sent to, as far as an address says by itself.

What a name leads to is judged when something is sent (agentops/outbox/addresses.py): that is when it counts.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from agentops.common.errors import InputProblem
from audit.errors import StreamRefused

LENGTH = 500


def webhook(text: str) -> str:
    """A URL to post to. Raises StreamRefused with what would be accepted."""
    address = text.strip()
    try:
        parts = urlsplit(address)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise _refused("Give a whole address, such as https://siem.example.com/agentops.") from None
    allowed = settings.WEBHOOK_ALLOWED_HOSTS
    is_trusted = host in allowed or f"{host}:{port}" in allowed
    if not host or parts.scheme not in ("https", "http") or len(address) > LENGTH or not address.isprintable():
        raise _refused("Give a whole address, such as https://siem.example.com/agentops.")
    if parts.scheme != "https" and not is_trusted:
        raise _refused("It must begin with https://: entries are not sent in the open.")
    if parts.username is not None or parts.password is not None:
        raise _refused("Leave user and password out: each request is signed instead.")
    if parts.fragment:
        raise _refused("Leave out what follows the #.")
    return address


def mailbox(text: str) -> str:
    """A mail address. Raises StreamRefused."""
    address = text.strip()
    try:
        validate_email(address)
    except ValidationError:
        raise _refused("Give a mail address, such as audit@example.com.") from None
    return address


def _refused(what: str) -> StreamRefused:
    return StreamRefused(what, problems=(InputProblem("/destination", "invalid", what),))
