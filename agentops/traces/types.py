"""The canonical span: what every dialect becomes before it is masked, priced and stored."""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass, field
from typing import Any


class SpanKind(enum.IntEnum):
    """What a span is, in the portal's words (see STANDARDS, "Span kind")."""

    RUN = 1
    LLM = 2
    TOOL = 3
    REASONING = 4
    SIDE_EFFECT = 5
    RETRIEVAL = 6
    GUARDRAIL = 7
    OTHER = 8


class SpanStatus(enum.IntEnum):
    """The OTLP status codes, kept as they are."""

    UNSET = 0
    OK = 1
    ERROR = 2


@dataclass(slots=True, kw_only=True)
class Span:
    """One canonical span.

    Times are integers of nanoseconds since the Unix epoch; tokens are counts or None where the
    source did not say; `input_tokens` includes cached tokens and `output_tokens` includes reasoning
    tokens. Content fields hold JSON values, or None where content was not captured.
    """

    trace_id: uuid.UUID
    span_id: int  # the 8 bytes as a signed 64-bit integer, as PostgreSQL's bigint holds it
    parent_id: int | None
    kind: SpanKind
    name: str
    started_ns: int
    ended_ns: int
    status: SpanStatus = SpanStatus.UNSET
    status_message: str = ""
    error_type: str = ""
    dialect: str = ""  # otel | openinference | openllmetry | langfuse | logfire | vercel | native | plain
    service: str = ""
    environment: str = ""
    agent: str = ""
    agent_version: str = ""
    user_id: str = ""
    session_id: str = ""
    model: str = ""  # as answered, else as requested
    model_requested: str = ""
    provider: str = ""
    response_id: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_reported_nano_usd: int | None = None  # what the source claims; never used for the ledger
    first_token_ms: int | None = None
    finish_reasons: tuple[str, ...] = ()
    tool: str = ""
    tool_call_id: str = ""
    tool_calls: tuple[str, ...] = ()  # names of the tools an llm span's answer asks for, in order
    call_id: str = ""  # joins a span to its guarded call (`agentops.call_id`)
    guarded_run: str = ""  # the guarded run of that call (`agentops.run_id`), where the trace id may be another
    prompt_hash: str = ""  # "sha256:<hex>"
    tool_definitions_hash: str = ""
    idempotency_key: str = ""
    external_system: str = ""
    external_id: str = ""
    arguments: Any = None
    result: Any = None
    input: Any = None
    output: Any = None
    system_instructions: Any = None
    tool_definitions: Any = None
    documents: Any = None
    events: list[dict[str, Any]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)  # raw, as they came; not those a content field now holds
    resource: dict[str, Any] = field(default_factory=dict)  # shared between the spans of one resource: never mutate
    scope: str = ""  # instrumentation scope, "name version"
    flags: tuple[str, ...] = ()  # usage_normalised, tokens_dropped, attributes_dropped, floating_model …
    masked: int = 0  # how many values masking replaced


@dataclass(slots=True, frozen=True)
class Rejected:
    """A span (or log record) that was not taken.

    `index` is its place in the request, `code` is for machines, `detail` says what would be accepted,
    `raw` is a JSON value for the dead-letter table.
    """

    index: int
    code: str
    detail: str
    raw: Any = None
