"""Reading one native span: strict types, every problem named."""

from __future__ import annotations

import difflib
import uuid
from collections.abc import Mapping
from typing import Any

from agentops.traces.normalise import hashes
from agentops.traces.normalise.credentials import is_credential
from agentops.traces.normalise.times import ns_of, rfc3339
from agentops.traces.normalise.usage import USAGE_NORMALISED, include_parts
from agentops.traces.normalise.values import MAX_TOKENS, NAME_LIMIT, fitted, is_large
from agentops.traces.normalise.vocabulary import is_floating
from agentops.traces.otlp.clean import clean_json, clean_text, deeper_than
from agentops.traces.types import Span, SpanKind, SpanStatus

KINDS = {kind.name.lower(): kind for kind in SpanKind}
STATUSES = {status.name.lower(): status for status in SpanStatus}
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
NUMBERS = (*TOKENS, "first_token_ms")
TEXTS = (
    "name",
    "status_message",
    "error_type",
    "service",
    "environment",
    "agent",
    "agent_version",
    "user_id",
    "session_id",
    "model",
    "model_requested",
    "provider",
    "response_id",
    "tool",
    "tool_call_id",
    "call_id",
    "prompt_hash",
    "tool_definitions_hash",
    "idempotency_key",
    "external_system",
    "external_id",
)
CONTENT = ("arguments", "result", "input", "output", "system_instructions", "tool_definitions", "documents")
REQUIRED = ("trace_id", "span_id", "kind", "name", "started_at", "ended_at")
FIELDS = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "kind",
    "started_at",
    "ended_at",
    "status",
    *TEXTS,
    *NUMBERS,
    "finish_reasons",
    *CONTENT,
    "attributes",
)
_KNOWN = frozenset(FIELDS)
_MAX_DEPTH = 32

Problem = tuple[str, str]  # code, detail


class Reader:
    """Reads one span and collects everything that is wrong with it."""

    def __init__(self, raw: dict[str, Any], oldest: int, newest: int) -> None:
        self.raw = raw
        self.oldest = oldest
        self.newest = newest
        self.problems: list[Problem] = []

    def span(self) -> Span | None:
        """The span, or None where `problems` says why not."""
        raw = self.raw
        for key in raw:
            if key not in _KNOWN:
                self.problem("unknown_field", _unknown(str(key)))
        for key in REQUIRED:
            if raw.get(key) is None:
                self.problem("required", f"{key} is required")
        trace = self.hex("trace_id", 32)
        span_id = self.hex("span_id", 16)
        parent = self.hex("parent_span_id", 16)
        kind = self.word("kind", KINDS)
        status = self.word("status", STATUSES)
        started, ended = self.time("started_at"), self.time("ended_at")
        self.check_times(started, ended)
        texts = {name: self.text(name) for name in TEXTS}
        numbers = {name: self.number(name) for name in NUMBERS}
        reasons = self.reasons()
        content = {name: self.json(name) for name in CONTENT}
        attributes = self.attributes()
        if self.problems or not isinstance(kind, SpanKind):
            return None
        if status is None:
            status = SpanStatus.ERROR if texts["error_type"] else SpanStatus.UNSET
        span = Span(
            trace_id=uuid.UUID(trace),
            span_id=_signed(span_id),
            parent_id=_signed(parent) if parent else None,
            kind=kind,
            started_ns=started,
            ended_ns=ended,
            status=SpanStatus(status),
            dialect="native",
            finish_reasons=reasons,
            attributes=attributes,
            **texts,  # type: ignore[arg-type]
        )
        for name, value in (*numbers.items(), *content.items()):
            setattr(span, name, value)
        _complete(span)
        return span

    def problem(self, code: str, detail: str) -> None:
        self.problems.append((code, detail))

    def hex(self, name: str, digits: int) -> str:
        value = self.raw.get(name)
        if value is None or (name == "parent_span_id" and value == ""):
            return ""
        if not isinstance(value, str) or len(value) != digits or not _is_hex(value):
            self.problem("invalid_id", f"{name} must be {digits} hex digits, got {_shown(value)}")
            return ""
        if not value.strip("0"):
            self.problem("invalid_id", f"{name} must not be all zero")
        return value

    def word(self, name: str, words: Mapping[str, SpanKind] | Mapping[str, SpanStatus]) -> SpanKind | SpanStatus | None:
        value = self.raw.get(name)
        if value is None:
            return None
        found = words.get(value) if isinstance(value, str) else None
        if found is None:
            self.problem("invalid_value", f"{name} must be one of {', '.join(words)}, got {_shown(value)}")
        return found

    def time(self, name: str) -> int:
        value = self.raw.get(name)
        if value is None:
            return 0
        try:
            return ns_of(value) if isinstance(value, str) else _refuse()
        except (ValueError, OverflowError):
            wanted = "an RFC 3339 time with a zone, such as 2026-11-23T10:00:00.123456Z"
            self.problem("invalid_time", f"{name} must be {wanted}, got {_shown(value)}")
            return 0

    def check_times(self, started: int, ended: int) -> None:
        if not started or not ended:
            return
        if ended < started:
            self.problem("time_reversed", "ended_at must not be before started_at")
        elif started < self.oldest:
            self.problem(
                "time_out_of_range", f"started_at must not be before {rfc3339(self.oldest)}, the oldest time kept"
            )
        elif ended > self.newest:
            self.problem("time_out_of_range", f"ended_at must not be after {rfc3339(self.newest)}")

    def text(self, name: str) -> str:
        value = self.raw.get(name)
        if value is None:
            return ""
        limit = 4096 if name == "status_message" else NAME_LIMIT
        if not isinstance(value, str):
            self.problem("invalid_type", f"{name} must be a string, got {_shown(value)}")
            return ""
        if len(value) > limit:
            self.problem("invalid_value", f"{name} must be at most {limit} characters, got {len(value)}")
            return ""
        return clean_text(value)

    def number(self, name: str) -> int | None:
        value = self.raw.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.problem("invalid_type", f"{name} must be an integer >= 0, got {_shown(value)}")
            return None
        if value > MAX_TOKENS:
            self.problem("invalid_value", f"{name} must be at most {MAX_TOKENS}, got {_shown(value)}")
            return None
        return int(value)

    def reasons(self) -> tuple[str, ...]:
        value = self.raw.get("finish_reasons")
        if value is None:
            return ()
        if not isinstance(value, list) or len(value) > 16 or not all(isinstance(item, str) for item in value):
            self.problem("invalid_type", "finish_reasons must be an array of at most 16 strings")
            return ()
        return tuple(clean_text(item)[:64] for item in value)

    def json(self, name: str) -> Any:
        value = self.raw.get(name)
        if deeper_than(value, _MAX_DEPTH):
            self.problem("too_deep", f"{name} must not be nested deeper than {_MAX_DEPTH} levels")
            return None
        return clean_json(value)

    def attributes(self) -> dict[str, Any]:
        value = self.raw.get("attributes")
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.problem("invalid_type", f"attributes must be an object, got {_shown(value)}")
            return {}
        found = self.json("attributes")
        return {key[:256]: item for key, item in found.items()} if found else {}


def _complete(span: Span) -> None:
    """What follows from what was sent: hashes, flags, inclusive usage, size limits."""
    flags: list[str] = []
    counts: dict[str, int | None] = {name: getattr(span, name) for name in TOKENS}
    if include_parts(counts):
        span.input_tokens, span.output_tokens = counts["input_tokens"], counts["output_tokens"]
        flags.append(USAGE_NORMALISED)
    if span.kind is SpanKind.LLM and span.model and is_floating(span.model):
        flags.append("floating_model")
    if not span.prompt_hash and span.system_instructions is not None:
        parts = span.system_instructions
        span.prompt_hash = hashes.prompt_hash([{"type": "text", "content": parts}] if isinstance(parts, str) else parts)
    if not span.tool_definitions_hash and span.tool_definitions is not None:
        _, span.tool_definitions_hash = hashes.tool_definitions(span.tool_definitions)
    credentials = [key for key in span.attributes if is_credential(key)]
    for key in credentials:
        del span.attributes[key]
    if credentials:
        flags.append("credentials_dropped")
    if not span.call_id and isinstance(call_id := span.attributes.get("agentops.call_id"), str):
        span.call_id = call_id[:NAME_LIMIT]
    if isinstance(run_id := span.attributes.get("agentops.run_id"), str):
        span.guarded_run = run_id[:NAME_LIMIT]
    for name in (*CONTENT, "attributes"):
        value = getattr(span, name)
        if value is not None and is_large(value):
            setattr(span, name, fitted(value) if name != "attributes" else _fitted_attributes(value))
            flags.append("content_truncated")
    span.flags = tuple(dict.fromkeys(flags))


def _fitted_attributes(value: dict[str, Any]) -> dict[str, Any]:
    found = fitted({key: fitted(item) if is_large(item) else item for key, item in value.items()})
    return found if isinstance(found, dict) else {"truncated": found}


def _unknown(key: str) -> str:
    nearest = difflib.get_close_matches(key[:64], FIELDS, n=1, cutoff=0.6)
    hint = f'did you mean "{nearest[0]}"?' if nearest else 'put fields of your own into "attributes"'
    return f'unknown field "{clean_text(key[:64])}": {hint}'


def _is_hex(value: str) -> bool:
    return value.isascii() and not value.lower().strip("0123456789abcdef")


def _signed(digits: str) -> int:
    number = int(digits, 16)
    return number - 2**64 if number >= 2**63 else number


def _refuse() -> int:
    raise ValueError


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "an array"
    return clean_text(repr(value)[:64])
