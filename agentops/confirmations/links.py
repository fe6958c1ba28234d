"""The text of a one-time link and of the cookie that takes its place: who holds one is let in, so only hashes are kept.

The tenant stands in the text, so that a link is looked up inside that tenant's scope.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import uuid

_SECRET_BYTES = 32
_LENGTH = 64  # of 48 bytes in base 64


def mint(tenant: uuid.UUID) -> str:
    return base64.urlsafe_b64encode(tenant.bytes + secrets.token_bytes(_SECRET_BYTES)).decode()


def tenant_of(text: str) -> uuid.UUID | None:
    """The tenant that a text names, or None where it is none of ours."""
    if len(text) != _LENGTH:
        return None
    try:
        return uuid.UUID(bytes=base64.b64decode(text, altchars=b"-_", validate=True)[:16])
    except (ValueError, binascii.Error):
        return None


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
