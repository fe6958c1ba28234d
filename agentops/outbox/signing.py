"""Signatures of webhooks, as Standard Webhooks describes them (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid

from django.conf import settings

_DOMAIN = b"agentops.webhook.v1\0"
SCHEME = "v1"


def secret(tenant: uuid.UUID, destination: str, *, key: str | None = None) -> str:
    """What a receiver checks signatures with. Of one organisation and destination, so no receiver can forge another's.

    Derived, not kept: it changes with the installation's secret key (`key`: an earlier one).
    """
    material = _DOMAIN + tenant.bytes + destination.encode()
    raw = hmac.new((key or settings.SECRET_KEY).encode(), material, hashlib.sha256).digest()
    return "whsec_" + base64.b64encode(raw).decode()


def headers(tenant: uuid.UUID, destination: str, message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers. While the installation's key is being changed there are two signatures, and either will do."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    signatures = [signature(secret(tenant, destination, key=key), message, timestamp, body) for key in keys]
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def signature(secret_text: str, message: str, timestamp: int, body: bytes) -> str:
    key = base64.b64decode(secret_text.removeprefix("whsec_"))
    signed = hmac.new(key, f"{message}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"{SCHEME},{base64.b64encode(signed).decode()}"
