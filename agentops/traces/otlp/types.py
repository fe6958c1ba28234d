"""What the decoders hand to the normaliser: OTLP's shapes in plain Python values."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, Literal

from agentops.traces.types import Rejected

Encoding = Literal["protobuf", "json"]
Signal = Literal["traces", "logs", "metrics"]

Attributes = dict[str, Any]


@dataclass(slots=True, eq=False)
class Resource:
    """One resource and scope of a request, shared by its spans.

    `derived` is the normaliser's cache of what follows from the resource alone.
    """

    attributes: Attributes
    scope_name: str = ""
    scope_version: str = ""
    scope_attributes: Attributes = field(default_factory=dict)
    derived: Any = None


@dataclass(slots=True, eq=False)
class RawSpan:
    """A span as sent. Times are nanoseconds since the epoch, 0 where absent; `kind` is OTLP's span kind (0-5)."""

    index: int  # its place in the request, counted over all resources and scopes
    trace_id: uuid.UUID
    span_id: int
    parent_id: int | None
    name: str
    kind: int
    start_ns: int
    end_ns: int
    status_code: int
    status_message: str
    attributes: Attributes
    events: list[dict[str, Any]]  # {"name", "time_ns", "attributes"}
    links: list[dict[str, Any]]  # {"trace_id", "span_id", "attributes"}, ids in hex
    dropped: int  # attributes, events and links the SDK says it dropped
    resource: Resource


@dataclass(slots=True, eq=False)
class RawSpans:
    """A decoded traces request: `total` spans were sent, `rejected` of them already refused."""

    spans: list[RawSpan] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    total: int = 0


@dataclass(slots=True, eq=False)
class RawLog:
    """A log record as sent. Ids are None where the record belongs to no span."""

    index: int
    trace_id: uuid.UUID | None
    span_id: int | None
    time_ns: int
    name: str
    severity: int
    body: Any
    attributes: Attributes
    resource: Resource


@dataclass(slots=True, eq=False)
class RawLogs:
    """A decoded logs request."""

    logs: list[RawLog] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    total: int = 0
