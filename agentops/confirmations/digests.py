"""Digests of what people agree to."""

from __future__ import annotations

import hashlib

ACTION_DOMAIN = b"agentops.action.v1\0"


def action_digest(binding: bytes) -> bytes:
    """What an action is called by: SHA-256 over a domain tag and the bytes of B."""
    return hashlib.sha256(ACTION_DOMAIN + binding).digest()


def is_bound(binding: bytes, arguments: bytes, digest: bytes) -> bool:
    """Are these the bytes that were agreed to: the arguments as they stand in B, and B by its digest?"""
    return b',"arguments":' + arguments + b',"nonce":' in binding and action_digest(binding) == digest


def arguments_digest(arguments: bytes) -> bytes:
    """What arguments are called by, here and in permits: SHA-256 over their RFC 8785 bytes."""
    return hashlib.sha256(arguments).digest()
