"""Secrets of tenants at rest: encrypted with a key derived from the installation's own (Fernet, `cryptography`).

Whoever reads the tables alone reads nothing. Earlier secret keys (AGENTOPS_SECRET_KEY_FALLBACKS) still open what they closed.
"""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_INFO = b"agentops secrets at rest, 1"


class SecretLost(Exception):
    """It was closed with a key that this installation does not have any more; it has to be given again."""


def close(text: str) -> bytes:
    """What may stand in a table."""
    return _box().encrypt(text.encode())


def open_(closed: bytes | memoryview) -> str:
    """The text again. Raises SecretLost."""
    try:
        return _box().decrypt(bytes(closed)).decode()
    except InvalidToken as error:
        raise SecretLost("the installation's secret key has changed: give the secret again") from error


def _box() -> MultiFernet:
    return MultiFernet([Fernet(_derived(key)) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _derived(key: str) -> bytes:
    return base64.urlsafe_b64encode(HKDF(algorithm=SHA256(), length=32, salt=None, info=_INFO).derive(key.encode()))
