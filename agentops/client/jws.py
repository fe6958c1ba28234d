"""What a permit is, and every way in which it may be none. Pure: bytes and a clock in, claims or a refusal out."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .errors import GuardError

TYPE, ALGORITHM, ISSUER = "agentops-permit+jwt", "EdDSA", "agentops"
LEEWAY_SECONDS = 5
LONGEST_LIFE_SECONDS = 300
_MOST_BYTES = 8_192
_KEYS_LAST_SECONDS = 300.0
_BETWEEN_FETCHES_SECONDS = 5.0
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_JTI = re.compile(r"[A-Za-z0-9_-]{1,100}")


class PermitRefused(GuardError):
    """The call must not run. Codes: permit_missing, permit_malformed, permit_forged, permit_expired, permit_mismatch,
    resource_changed, arguments_changed, already_consumed, call_over, run_finished, call_unknown."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good permit says. `said` is all of it.

    `resource` is what the call acts on and `resource_version` the version people saw, where the agent named them.
    """

    jti: str
    tool: str
    tool_version: str
    user: str
    agent: str
    agent_version: str
    run_id: str
    call_id: str
    tier: int
    action_digest: str
    args_digest: str
    resource: str
    resource_version: str
    said: Mapping[str, Any]


def digest(arguments: Any) -> str:
    """How permits name arguments: SHA-256 of their RFC 8785 bytes. Raises PermitRefused for what has no such bytes."""
    try:
        return f"sha256:{hashlib.sha256(rfc8785.dumps(arguments)).hexdigest()}"
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise PermitRefused(f"the arguments are no plain JSON: {error}", code="permit_mismatch") from error


def key_id(permit: str) -> str:
    """The id of the key that a permit says it was signed with. Raises PermitRefused."""
    if not permit:
        raise PermitRefused("this call needs a permit from the portal", code="permit_missing")
    if not isinstance(permit, str) or len(permit) > _MOST_BYTES or permit.count(".") != 2:
        raise _malformed("a compact JWS is expected")
    header = _json(permit.split(".")[0])
    # Exactly these: what is not expected (`crit`, `jwk`, `x5u`, …) could change how the rest is to be read.
    if set(header) != {"alg", "typ", "kid"} or header["typ"] != TYPE or not isinstance(header["kid"], str):
        raise _malformed("its header is not that of a permit")
    if header["alg"] != ALGORITHM:
        raise PermitRefused(f"permits are signed with {ALGORITHM}, and with nothing else", code="permit_forged")
    return header["kid"]


def check(
    permit: str,
    key: Ed25519PublicKey | None,
    *,
    tool: str,
    tenant: str,
    arguments: Any,
    resource_version: str | None = None,
    at: float | None = None,
) -> Claims:
    """Check a permit for a call about to run; `at` is Unix time. That it works once is not checked here.

    `resource_version`: of what the call acts on, as it is now; a permit for another version is refused, one that names
    no version is not. Raises PermitRefused.
    """
    key_id(permit)
    if key is None:
        raise PermitRefused("the portal publishes no such key", code="permit_forged")
    signed, _, signature = permit.rpartition(".")
    try:
        key.verify(_bytes(signature), signed.encode("ascii"))
    except InvalidSignature as error:
        raise PermitRefused("the signature is wrong", code="permit_forged") from error
    said = _json(signed.partition(".")[2])
    _check_time(said, time.time() if at is None else at)
    expected = {"iss": ISSUER, "aud": f"tool:{tool}", "tool": tool, "tenant": tenant}
    for name, value in expected.items():
        if said.get(name) != value:
            raise _mismatch(f"{name} is {said.get(name)!r}, not {value!r}")
    args_digest = digest(arguments)
    if said.get("args_digest") != args_digest:
        raise _mismatch("the arguments are not those that were allowed")
    bound = str(said.get("resource_version") or "")
    if resource_version is not None and bound not in ("", resource_version):
        detail = f"what people saw was version {bound}, and now it is {resource_version}"
        raise PermitRefused(f"the resource has changed: {detail}", code="resource_changed")
    if not isinstance(said.get("jti"), str) or not _JTI.fullmatch(said["jti"]):
        raise _malformed("it has no id")
    return Claims(
        jti=said["jti"],
        tool=tool,
        tool_version=str(said.get("tool_version", "")),
        user=str(said.get("sub", "")),
        agent=str(said.get("agent", "")),
        agent_version=str(said.get("agent_version", "")),
        run_id=str(said.get("run", "")),
        call_id=str(said.get("call", "")),
        tier=said["tier"] if isinstance(said.get("tier"), int) else 0,
        action_digest=str(said.get("action_digest", "")),
        args_digest=args_digest,
        resource=str(said.get("resource") or ""),
        resource_version=bound,
        said=said,
    )


class KeySet:
    """The portal's public keys, by id. An unknown id asks for new ones, but not with every forged permit."""

    def __init__(self) -> None:
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._fetched_at = float("-inf")
        self._lock = threading.Lock()

    def get(self, kid: str) -> Ed25519PublicKey | None:
        return self._keys.get(kid)

    def has_any(self) -> bool:
        return bool(self._keys)

    def wants(self, kid: str) -> bool:
        """Whether the keys should be fetched: they are old, or this one is unknown and the last look is a while ago."""
        with self._lock:
            age = time.monotonic() - self._fetched_at
            return age > _KEYS_LAST_SECONDS or (kid not in self._keys and age > _BETWEEN_FETCHES_SECONDS)

    def replace(self, published: Mapping[str, Any]) -> None:
        """Take a JWK set (RFC 7517); what is no Ed25519 key in it is passed over."""
        found = {}
        for jwk in published.get("keys", []):
            if jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519" and isinstance(jwk.get("kid"), str):
                try:
                    found[jwk["kid"]] = Ed25519PublicKey.from_public_bytes(_bytes(jwk.get("x", "")))
                except (ValueError, PermitRefused):
                    continue
        with self._lock:
            self._keys, self._fetched_at = found, time.monotonic()


def _check_time(said: Mapping[str, Any], now: float) -> None:
    issued, expires = said.get("iat"), said.get("exp")
    if type(issued) is not int or type(expires) is not int or not 0 <= expires - issued <= LONGEST_LIFE_SECONDS:
        raise _malformed("its times are not those of a permit")
    if issued > now + LEEWAY_SECONDS:
        raise PermitRefused("the permit is from the future; check this machine's clock", code="permit_expired")
    if expires < now - LEEWAY_SECONDS:
        raise PermitRefused(
            "the permit has expired; permits live a minute, and no longer than their run", code="permit_expired"
        )


def _json(part: str) -> dict[str, Any]:
    try:
        found = json.loads(_bytes(part), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise _malformed("it is not JSON") from error
    if not isinstance(found, dict):
        raise _malformed("it is no JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _bytes(part: str) -> bytes:
    """Base64url without padding (RFC 7515), in its one spelling."""
    if not isinstance(part, str) or not _BASE64URL.fullmatch(part):
        raise _malformed("it is not base64url")
    try:
        found = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as error:
        raise _malformed("it is not base64url") from error
    if base64.urlsafe_b64encode(found).rstrip(b"=").decode() != part:
        raise _malformed("it is not base64url in its one spelling")
    return found


def _malformed(why: str) -> PermitRefused:
    return PermitRefused(f"this is no permit: {why}", code="permit_malformed")


def _mismatch(why: str) -> PermitRefused:
    return PermitRefused(f"the permit is for something else: {why}", code="permit_mismatch")
