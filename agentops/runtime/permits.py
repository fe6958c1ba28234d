"""Permits: short-lived Ed25519 tokens by which a tool server checks, by itself, that this call was allowed.

The keys are derived from SECRET_KEY (HKDF), so every web process signs with the same one and nothing new has to be
kept safe. To rotate: set a new SECRET_KEY and name the old one in SECRET_KEY_FALLBACKS; both are published then.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

LIFETIME_SECONDS = 60
TYPE = "agentops-permit+jwt"
_PURPOSE = b"agentops permit key, 1"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, its public half as a JSON Web Key (RFC 8037), and the encoded header of what it signs."""

    private: Ed25519PrivateKey
    jwk: dict[str, str]
    header: bytes


def sign(claims: dict[str, Any]) -> str:
    """A compact JWS (RFC 7515) over the claims."""
    key = _keys()[0]
    signed = key.header + b"." + _base64(orjson.dumps(claims))
    return (signed + b"." + _base64(key.private.sign(signed))).decode()


def claims_of(token: str) -> dict[str, Any]:
    """What a permit of our own says, which we kept: its signature is not looked at. Empty where there is none."""
    if not token:
        return {}
    claims = token.split(".")[1]
    found: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return found


def key_set() -> dict[str, Any]:
    """The public keys as a JWK set (RFC 7517): the signing key first, then those of earlier secrets."""
    return {"keys": [key.jwk for key in _keys()]}


def key_set_json() -> bytes:
    """The key set as it is published."""
    return orjson.dumps(key_set())


def digest(data: bytes) -> str:
    """How permits name bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _keys() -> tuple[SigningKey, ...]:
    return _derived((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


@functools.lru_cache(maxsize=4)
def _derived(secrets: tuple[str, ...]) -> tuple[SigningKey, ...]:
    return tuple(_key(secret) for secret in secrets)


def _key(secret: str) -> SigningKey:
    seed = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode())
    private = Ed25519PrivateKey.from_private_bytes(seed)
    x = _base64(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    # RFC 7638: the thumbprint over the required members, in lexical order and without spaces.
    thumbprint = hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest()
    kid = _base64(thumbprint).decode()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig", "alg": "EdDSA"}
    header = _base64(orjson.dumps({"alg": "EdDSA", "typ": TYPE, "kid": kid}))
    return SigningKey(private, jwk, header)


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
