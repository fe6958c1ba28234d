"""Digests that name a prompt and a tool list, whichever dialect reported them.

`sha256:` over the RFC 8785 form. The prompt's is over its text parts `[{"content", "type": "text"}]`; the tool
list's over `[{"name", "description", "parameters"}]` sorted by name.
"""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import orjson
import rfc8785

from agentops.traces.normalise.messages import system_parts
from agentops.traces.normalise.values import parsed

MAX_CACHED_TEXT = 32 * 1024  # characters; a longer prompt is hashed every time


def sha256(value: Any) -> str:
    """`sha256:<hex>` of the RFC 8785 form; of sorted JSON where RFC 8785 has none (integers beyond 2^53)."""
    try:
        data = rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError):
        data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return "sha256:" + hashlib.sha256(data).hexdigest()


def prompt_hash(parts: Any) -> str:
    """The digest of a system prompt's text parts, or "" where it has none."""
    if not isinstance(parts, list):
        return ""
    texts = tuple(
        part["content"]
        for part in parts
        if part.__class__ is dict and part.get("type") == "text" and part.get("content").__class__ is str
    )
    if not texts:
        return ""
    if sum(map(len, texts)) > MAX_CACHED_TEXT:
        return sha256([{"type": "text", "content": content} for content in texts])
    return _hash_of_texts(texts)


@functools.lru_cache(maxsize=128)
def _hash_of_texts(texts: tuple[str, ...]) -> str:
    return sha256([{"type": "text", "content": content} for content in texts])


def system(value: Any) -> tuple[Any, str]:
    """(system instructions as parts, their digest). The list may be shared between spans: never mutate it."""
    if value.__class__ is str and len(value) <= MAX_CACHED_TEXT:
        return _system_of_text(value)
    parts = system_parts(value)
    return parts, prompt_hash(parts)


@functools.lru_cache(maxsize=128)
def _system_of_text(text: str) -> tuple[Any, str]:
    parts = system_parts(text)
    return parts, prompt_hash(parts)


def tool_definitions(value: Any) -> tuple[Any, str]:
    """(tool list with flat definitions, its digest). The list may be shared between spans: never mutate it."""
    if value.__class__ is str and len(value) <= MAX_CACHED_TEXT:
        return _of_text(value)
    return _defined(parsed(value))


@functools.lru_cache(maxsize=128)
def _of_text(text: str) -> tuple[Any, str]:
    return _defined(parsed(text))


def _defined(found: Any) -> tuple[Any, str]:
    if isinstance(found, dict):
        found = found.get("function_tools", found.get("tools", [found]))
    if not isinstance(found, list) or not found:
        return (found or None), ""
    tools = [_definition(parsed(item)) for item in found]
    named = [tool for tool in tools if isinstance(tool, dict) and tool.get("name")]
    if not named:
        return tools, ""
    digest = sha256(
        sorted(
            ({key: tool.get(key) for key in ("name", "description", "parameters")} for tool in named),
            key=lambda tool: str(tool["name"]),
        )
    )
    return tools, digest


def _definition(raw: Any) -> Any:
    """{type, name, description, parameters} from OpenAI's, Anthropic's, Vercel's, pydantic-ai's or MCP's shape."""
    if not isinstance(raw, dict):
        return raw
    for wrapper in ("tool", "json_schema", "function"):
        inner = raw.get(wrapper)
        inner = parsed(inner) if wrapper != "function" else inner
        if isinstance(inner, dict) and ("name" not in raw or wrapper == "function"):
            raw = inner
    if "name" not in raw:
        return raw
    parameters = None
    for key in ("parameters", "input_schema", "inputSchema", "parameters_json_schema"):
        parameters = parsed(raw.get(key))
        if parameters is not None:
            break
    if isinstance(parameters, dict) and parameters.keys() == {"jsonSchema"}:
        parameters = parameters["jsonSchema"]
    return {
        "type": "function",
        "name": raw["name"],
        "description": raw.get("description") or "",
        "parameters": parameters,
    }
