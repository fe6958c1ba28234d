"""What attribute and field names say about their values."""

from __future__ import annotations

import functools
from collections.abc import Callable

from agentops.traces.masking import rules
from agentops.traces.normalise.keys import TEXT as TEXT_SOURCES

USER_KEYS = frozenset(TEXT_SOURCES["user_id"])
# Attributes of the conventions that hold names, ids and counts: never personal data, never changed.
_PLAIN_PREFIXES = (
    "gen_ai.agent.",
    "gen_ai.request.",
    "gen_ai.response.",
    "gen_ai.usage.",
    "ai.usage.",
    "llm.token_count.",
    "mcp.method.",
    "openinference.span.",
    "telemetry.",
    "thread.",
)
_PLAIN_KEYS = frozenset(
    {
        "agentops.call_id",
        "agentops.run_id",
        "ai.model.id",
        "code.file.path",
        "code.filepath",
        "code.function",
        "code.function.name",
        "code.line.number",
        "code.lineno",
        "code.namespace",
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.system",
        "gen_ai.tool.call.id",
        "gen_ai.tool.name",
        "gen_ai.tool.type",
        "llm.model_name",
        "server.port",
        "service.version",
    }
)


_MAX_CACHED_KEYS = 100_000  # over all shapes: keys come from senders, memory must not
_cached_keys = [0]
_shapes: dict[tuple[str, ...], tuple[tuple[str, ...], bool]] = {}


def maskable(shape: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """(attribute keys whose values are looked at, whether one of them names a secret), cached by the set of keys."""
    known = _shapes.get(shape)
    if known is None:
        names = tuple(
            key for key in shape if not (key in _PLAIN_KEYS or key in USER_KEYS or key.startswith(_PLAIN_PREFIXES))
        )
        known = names, any(is_secret_key(key) for key in names)
        _cached_keys[0] += len(shape) + 1
        if _cached_keys[0] > _MAX_CACHED_KEYS:
            _shapes.clear()
            _cached_keys[0] = len(shape) + 1
        _shapes[shape] = known
    return known


def _bounded(check: Callable[[str], bool]) -> Callable[[str], bool]:
    cached = functools.lru_cache(maxsize=8192)(check)
    return lambda key: cached(key) if len(key) <= 128 else check(key[-128:])


@_bounded
def is_secret_key(key: str) -> bool:
    """Whether a value under this name is a secret: password, dbPassword, x-api-key, `http.request.header.cookie`."""
    name = key.lower().rpartition(".")[2].replace("-", "").replace("_", "").replace(" ", "")
    return name in rules.SECRET_KEYS or name.endswith(rules.SECRET_ENDINGS)


@_bounded
def is_id_key(key: str) -> bool:
    """Whether a value under this name is an identifier or a time, whose digits mean nothing."""
    return key.lower() in ("id", "ids") or key.endswith(("_id", ".id", "-id", "Id", "ID", "_ids", "_ns"))
