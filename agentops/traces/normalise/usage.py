"""Token counts: sources that leave cached or reasoning tokens out of their totals are brought to those that include them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agentops.traces.normalise import keys
from agentops.traces.normalise.plan import Plan
from agentops.traces.normalise.values import as_object, first, nano_usd, tokens

Counts = dict[str, int | None]

USAGE_NORMALISED = "usage_normalised"
TOKENS_DROPPED = "tokens_dropped"

_CACHE_READ_BUCKETS = ("input_cached_tokens", "input_cache_read", "input_cache_read_tokens", "cache_read_input_tokens")
_PARTS = frozenset({"cache_read_tokens", "cache_write_tokens", "reasoning_tokens"})
_REASONING_BUCKETS = ("output_reasoning_tokens", "output_reasoning")
_METADATA_READ = (
    ("openai", "cachedPromptTokens"),
    ("anthropic", "usage", "cache_read_input_tokens"),
    ("anthropic", "cacheReadInputTokens"),
    ("bedrock", "usage", "cacheReadInputTokens"),
)
_METADATA_WRITE = (
    ("anthropic", "usage", "cache_creation_input_tokens"),
    ("anthropic", "cacheCreationInputTokens"),
    ("bedrock", "usage", "cacheWriteInputTokens"),
)


def counts(attributes: Mapping[str, Any], plan: Plan, flags: list[str]) -> Counts:
    """Inclusive token counts of one llm span; flags what was changed or dropped."""
    found: Counts = {}
    for field, names in plan.tokens:
        value = first(attributes, names)
        if value is not None:
            found[field] = _count(value, flags)
    if keys.LANGFUSE_USAGE in attributes and found.get("input_tokens") is None:
        _langfuse(as_object(attributes[keys.LANGFUSE_USAGE]), found, flags)
    if keys.PROVIDER_METADATA in attributes:
        _provider_metadata(as_object(attributes[keys.PROVIDER_METADATA]), found, flags)
    if not _PARTS.isdisjoint(found):
        no_cache = tokens(attributes[keys.NO_CACHE_TOKENS]) if keys.NO_CACHE_TOKENS in attributes else None
        if include_parts(found, no_cache):
            flags.append(USAGE_NORMALISED)
    return found


def reported_cost(attributes: Mapping[str, Any], plan: Plan) -> int | None:
    """What the source says the call cost, in nano-dollars; kept beside our own figure, never instead of it."""
    if keys.LANGFUSE_COST in attributes:
        details = as_object(attributes[keys.LANGFUSE_COST])
        amounts = [details["total"]] if "total" in details else list(details.values())
        parts = [amount for value in amounts if (amount := nano_usd(value)) is not None]
        if parts:
            return sum(parts)
    names = plan.pick.get("cost")
    if names is not None:
        return nano_usd(first(attributes, names))
    if "llm.cost.prompt" in attributes or "llm.cost.completion" in attributes:
        halves = [nano_usd(attributes.get(key)) for key in ("llm.cost.prompt", "llm.cost.completion")]
        known = [half for half in halves if half is not None]
        return sum(known) if known else None
    return None


def _count(value: Any, flags: list[str]) -> int | None:
    count = tokens(value)
    if count is None and TOKENS_DROPPED not in flags:
        flags.append(TOKENS_DROPPED)
    return count


def include_parts(found: Counts, no_cache: int | None = None) -> bool:
    """Make input include cached tokens and output include reasoning tokens, where it can be told that they do not.

    Changes `found` in place; whether anything was changed. `no_cache` is the uncached part of the input, where known.
    """
    total_in, total_out = found.get("input_tokens"), found.get("output_tokens")
    cached = (found.get("cache_read_tokens") or 0) + (found.get("cache_write_tokens") or 0)
    reasoning = found.get("reasoning_tokens") or 0
    total = found.get("total_tokens")
    changed = False
    if total_in is not None and cached:
        if no_cache is not None:
            exclusive = total_in == no_cache
        else:
            exclusive = cached > total_in or (
                total is not None and total_out is not None and total == total_in + total_out + cached
            )
        if exclusive:
            found["input_tokens"] = total_in + cached
            changed = True
    if total_out is not None and reasoning > total_out:
        found["output_tokens"] = total_out + reasoning
        changed = True
    return changed


def _langfuse(usage: Mapping[str, Any], found: Counts, flags: list[str]) -> None:
    """Additive buckets (`input` excludes `input_cached_tokens`), or OpenAI's usage object as the server also takes it."""
    if not usage:
        return
    if "prompt_tokens" in usage:
        _openai(usage, found, flags)
        return
    buckets = {key: count for key, value in usage.items() if (count := _count(value, flags)) is not None}
    inputs = [key for key in buckets if "input" in key]
    outputs = [key for key in buckets if key.startswith("output")]
    if inputs:
        found["input_tokens"] = sum(buckets[key] for key in inputs)
    if outputs:
        found["output_tokens"] = sum(buckets[key] for key in outputs)
    _take(found, "cache_read_tokens", buckets, _CACHE_READ_BUCKETS)
    writes = [key for key in inputs if "cache_creation" in key or "cache_write" in key]
    _take(found, "cache_write_tokens", buckets, writes)
    _take(found, "reasoning_tokens", buckets, _REASONING_BUCKETS)
    if found.get("cache_read_tokens") or found.get("cache_write_tokens"):
        flags.append(USAGE_NORMALISED)


def _openai(usage: Mapping[str, Any], found: Counts, flags: list[str]) -> None:
    found["input_tokens"] = _count(usage["prompt_tokens"], flags)
    if "completion_tokens" in usage:
        found["output_tokens"] = _count(usage["completion_tokens"], flags)
    prompt, completion = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    if isinstance(prompt, dict) and "cached_tokens" in prompt:
        found["cache_read_tokens"] = _count(prompt["cached_tokens"], flags)
    if isinstance(completion, dict) and "reasoning_tokens" in completion:
        found["reasoning_tokens"] = _count(completion["reasoning_tokens"], flags)


def _take(found: Counts, field: str, buckets: Mapping[str, int], names: Iterable[str]) -> None:
    present = [buckets[name] for name in names if name in buckets]
    if present and found.get(field) is None:
        found[field] = sum(present)


def _provider_metadata(metadata: Mapping[str, Any], found: Counts, flags: list[str]) -> None:
    for field, paths in (("cache_read_tokens", _METADATA_READ), ("cache_write_tokens", _METADATA_WRITE)):
        for path in paths:
            if found.get(field) is not None:
                break
            value: Any = metadata
            for part in path:
                value = value.get(part) if isinstance(value, dict) else None
            if value is not None:
                found[field] = _count(value, flags)
