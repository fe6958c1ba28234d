"""Attributes that carry credentials by their name: dropped before anything else looks at them."""

from __future__ import annotations

from typing import Any

_PREFIXES = ("ai.request.headers.",)
_LAST_SEGMENTS = frozenset(
    {
        "access_key",
        "access_token",
        "api-key",
        "api_key",
        "apikey",
        "auth_token",
        "authorization",
        "client_secret",
        "connection_string",
        "cookie",
        "id_token",
        "passwd",
        "password",
        "private_key",
        "proxy-authorization",
        "refresh_token",
        "secret",
        "secret_access_key",
        "secret_key",
        "set-cookie",
        "x-amz-security-token",
        "x-api-key",
        "x-auth-token",
        "x-goog-api-key",
    }
)
_WHOLE = frozenset({"ai.request.headers", "llm.headers", "ai.settings.headers"})


def is_credential(key: str) -> bool:
    """Whether an attribute of this name holds a credential, as `http.request.header.authorization` does."""
    lowered = key.lower()
    if lowered in _WHOLE or lowered.startswith(_PREFIXES):
        return True
    last = lowered.rpartition(".")[2]
    if last in _LAST_SEGMENTS:
        return True
    # Header capture of old instrumentations writes x_api_key and set_cookie.
    return ".header" in lowered and last.replace("_", "-") in _LAST_SEGMENTS


def without_credentials(value: Any) -> Any:
    """A JSON value without credential attributes, as dict entries or as OTLP's `{"key", "value"}` pairs; a new value."""
    if isinstance(value, dict):
        return {key: without_credentials(item) for key, item in value.items() if not is_credential(str(key))}
    if isinstance(value, list):
        return [
            without_credentials(item)
            for item in value
            if not (isinstance(item, dict) and isinstance(item.get("key"), str) and is_credential(item["key"]))
        ]
    return value
