"""What to do with a span, decided once per set of attribute keys.

An instrumentation sends the same few sets of keys for ever, so the precedence table is resolved per set and
cached; a span then costs only the keys it has.
"""

from __future__ import annotations

from collections.abc import Iterable

from agentops.traces.normalise import keys
from agentops.traces.normalise.credentials import is_credential

MAX_CACHED_KEYS = 100_000  # over all cached plans: keys come from senders, memory must not
MAX_INDEXED_KEYS = 4000
MAX_ATTRIBUTES = 1024

Path = tuple[str | int, ...]

_FIELDS: dict[str, tuple[str, ...]] = {
    **keys.TEXT,
    **keys.TOKENS,
    "agent": keys.AGENT,
    "model_requested": keys.MODEL_REQUESTED,
    "model_answered": keys.MODEL_ANSWERED,
    "provider": keys.PROVIDER,
    "cost": keys.COST,
    "tool": keys.TOOL,
    "arguments": keys.ARGUMENTS,
    "result": keys.RESULT,
    "input_messages": keys.INPUT_MESSAGES,
    "input_later": keys.INPUT_AFTER_INDEXED,
    "output_messages": keys.OUTPUT_MESSAGES,
    "output_later": keys.OUTPUT_AFTER_INDEXED,
    "vercel_output": keys.VERCEL_OUTPUT,
    "system": keys.SYSTEM,
    "tool_definitions": keys.TOOL_DEFINITIONS,
    "tool_definitions_inside": keys.TOOL_DEFINITIONS_INSIDE,
    "documents": keys.DOCUMENTS,
    "finish": keys.FINISH,
    "error_type": keys.ERROR_TYPE,
}
_MAPPED = frozenset(key for sources in _FIELDS.values() for key in sources) | keys.READ
_MAPPED |= {keys.NO_CACHE_TOKENS, keys.LANGFUSE_USAGE, keys.LANGFUSE_COST, keys.PROVIDER_METADATA}

# First match of key or prefix names the dialect.
_DIALECTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("langfuse", ("langfuse.",)),
    ("openinference", ("openinference.span.kind", "llm.input_messages.", "llm.token_count.")),
    ("vercel", ("ai.operationId", "ai.telemetry.", "ai.model.", "ai.toolCall.")),
    ("openllmetry", ("traceloop.", "llm.request.type", "llm.usage.", "gen_ai.is_streaming", "gen_ai.openai.api_base")),
    ("logfire", ("logfire.", "pydantic_ai.", "model_request_parameters")),
    ("otel", ("gen_ai.", "mcp.")),
)


class Plan:
    """The resolved precedence table for one set of keys.

    `pick[field]` are the present source keys in order; `indexed[use]` are (key, path below the prefix); `kept`
    are the keys that stay in `attributes` whatever happens.
    """

    __slots__ = ("credentials", "dialect", "genai", "indexed", "over_limit", "pick", "texts", "tokens", "unmapped")

    def __init__(self, names: tuple[str, ...]) -> None:
        present = frozenset(names)
        self.pick: dict[str, tuple[str, ...]] = {}
        for field, sources in _FIELDS.items():
            found = tuple(key for key in sources if key in present)
            if found:
                self.pick[field] = found
        self.texts = tuple((field, self.pick[field]) for field in keys.TEXT if field in self.pick)
        self.tokens = tuple((field, self.pick[field]) for field in keys.TOKENS if field in self.pick)
        self.credentials = tuple(key for key in names if is_credential(key))
        self.indexed = _indexed(names)
        self.dialect = _dialect(names)
        self.genai = self.dialect != ""
        self.unmapped = tuple(key for key in names if is_unmapped(key))
        self.over_limit = len(names) > MAX_ATTRIBUTES


_plans: dict[tuple[str, ...], Plan] = {}
_cached_keys = [0]


def plan_for(attributes: Iterable[str]) -> Plan:
    """The plan for these keys, in their order; cached, with a bounded cache."""
    shape = tuple(attributes)
    plan = _plans.get(shape)
    if plan is None:
        plan = Plan(shape)
        if len(shape) <= MAX_ATTRIBUTES:
            _cached_keys[0] += len(shape) + 1
            if _cached_keys[0] > MAX_CACHED_KEYS:
                _plans.clear()
                _cached_keys[0] = len(shape) + 1
            _plans[shape] = plan
    return plan


def is_unmapped(key: str) -> bool:
    """Whether a key is of a GenAI namespace but neither mapped nor known."""
    if not key.startswith(keys.GENAI_PREFIXES):
        return False
    return not (
        key in _MAPPED
        or key in keys.KEPT
        or key.startswith(keys.KEPT_PREFIXES)
        or _family(key) is not None
        or is_credential(key)
    )


def _dialect(names: tuple[str, ...]) -> str:
    for dialect, marks in _DIALECTS:
        if any(key.startswith(marks) for key in names):
            # gen_ai.prompt.0.role and the like are OpenLLMetry's old form, not OpenTelemetry's.
            if dialect == "otel" and any(_family(key) is not None for key in names):
                return "openllmetry"
            return dialect
    return ""


def _family(key: str) -> tuple[str, str] | None:
    """(use, rest of the key) of an indexed key such as gen_ai.prompt.0.content."""
    for prefix, use in keys.INDEXED.items():
        if key.startswith(prefix):
            rest = key[len(prefix) :]
            head = rest.partition(".")[0]
            return (use, rest) if len(head) < 10 and head.isdecimal() and head.isascii() else None
    return None


def _indexed(names: tuple[str, ...]) -> dict[str, tuple[tuple[str, Path], ...]]:
    found: dict[str, list[tuple[str, Path]]] = {}
    for key in names[:MAX_INDEXED_KEYS]:
        family = _family(key)
        if family is not None:
            found.setdefault(family[0], []).append((key, _path(family[1])))
    return {use: tuple(entries) for use, entries in found.items()}


def _path(rest: str) -> Path:
    """ "0.message.content" -> (0, "message", "content"); an index too long to be one stays a name."""
    return tuple(
        int(part) if part.isdecimal() and part.isascii() and len(part) < 10 else part for part in rest.split(".", 12)
    )
