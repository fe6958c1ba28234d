"""What attribute and field names say about their values."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

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


class Shape(NamedTuple):
    """What the keys of a set of attributes say."""

    names: tuple[str, ...]  # the keys whose values are looked at
    has_secret: bool  # one of them names a secret
    has_data: bool  # a key is data itself: settings by the customer's address, say


_MAX_CACHED_KEYS = 100_000  # over all shapes: keys come from senders, memory must not
_cached_keys = [0]
_shapes: dict[tuple[str, ...], Shape] = {}


def maskable(shape: tuple[str, ...]) -> Shape:
    """What is to be looked at in attributes with these keys; cached."""
    known = _shapes.get(shape)
    if known is None:
        names = tuple(
            key for key in shape if not (key in _PLAIN_KEYS or key in USER_KEYS or key.startswith(_PLAIN_PREFIXES))
        )
        known = Shape(names, any(is_secret_key(key) for key in names), any(_is_data(key) for key in shape))
        _cached_keys[0] += len(shape) + 1
        if _cached_keys[0] > _MAX_CACHED_KEYS:
            _shapes.clear()
            _cached_keys[0] = len(shape) + 1
        _shapes[shape] = known
    return known


def _is_data(key: str) -> bool:
    return "@" in key or any(run[0].startswith(rules.TOKEN_PREFIXES) for run in rules.RUN.finditer(key))


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
