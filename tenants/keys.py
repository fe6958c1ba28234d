"""The text of an API key: `aok_<tenant id in base 62>_<secret>`.

The tenant stands in the text, so a key is looked up inside that tenant's scope: no customer's key lies outside
row-level security, and on a cluster one shard is asked. A token of our own machines is `aos_<secret>`.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH = 43  # 62^43 > 2^256
_TENANT_LENGTH = 22  # 62^22 > 2^128


def mint(tenant_id: uuid.UUID) -> str:
    """A new key's text."""
    return f"aok_{_encode(tenant_id.int)}_{_secret()}"


def mint_staff() -> str:
    """The text of a new token of our own machines: it names no organisation."""
    return f"aos_{_secret()}"


def tenant_of(text: str) -> uuid.UUID | None:
    """The tenant a key's text names, or None where the text is no key."""
    parts = text.split("_")
    if len(parts) != 3 or parts[0] != "aok" or len(parts[1]) != _TENANT_LENGTH or len(parts[2]) != _SECRET_LENGTH:
        return None
    if not parts[1].isascii() or not parts[1].isalnum():
        return None
    number = 0
    for character in parts[1]:
        number = number * 62 + _ALPHABET.index(character)
    return uuid.UUID(int=number) if number < 1 << 128 else None


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def prefix(text: str) -> str:
    """What people tell keys apart by: the first characters of the secret part, too few to guess the rest."""
    return f"{text[:4]}…{text.rsplit('_', 1)[1][:6]}"


def _secret() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))


def _encode(number: int) -> str:
    digits = []
    for _ in range(_TENANT_LENGTH):
        number, rest = divmod(number, 62)
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))
