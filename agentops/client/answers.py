"""What the portal says, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from .errors import Confirmation

Outcome = Literal["ok", "error", "unknown"]
CallOutcome = Literal["ok", "error", "cancelled", "unknown"]
Status = Literal["ok", "error", "refused", "escalated"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model call, by class. `input_tokens` and `output_tokens` are totals; the others are parts of them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    def as_json(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool this run may use, as it was reviewed. `effect` is read, write, delete, send, charge or escalate."""

    name: str
    version: str
    effect: str
    tier: int
    schema_digest: str
    arguments_schema: Mapping[str, Any]
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerKey:
    """What makes two runs of an agent version the same. With it, and where the agent's manifest has `output_cache`, the
    portal stores what the run answers, and serves it where the same is asked again. `input_digest` is yours: a hash
    over all that the answer depends on."""

    prompt_hash: str
    model: str
    tool_definitions_hash: str
    input_digest: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What an earlier run (`run_id`) answered; this run has ended with it, and cost nothing."""

    output: Any
    run_id: str
    stored_at: datetime
    saved_usd: str


@dataclass(frozen=True, slots=True)
class Started:
    """A run that may begin. `run_id` (32 hex digits) is its trace id. Caps: counts, seconds, `cost_usd` as text."""

    run_id: str
    deadline: datetime
    caps: Mapping[str, Any]
    tools: Mapping[str, Tool]
    models: Sequence[str]
    reads_when_offline: bool
    stored_answer: StoredAnswer | None
    said: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Admission:
    """A model call that may be made: by this model, with an answer of at most so many tokens."""

    model: str
    max_output_tokens: int
    reserved_usd: str
    advice: str
    because: str


@dataclass(frozen=True, slots=True)
class Permission:
    """A tool call that may run, with exactly these arguments. Without a permit only offline (a read)."""

    arguments: dict[str, Any]
    permit: str
    advice: str
    is_offline: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a run ended: its status, and everything the portal counted, as it said it."""

    run_id: str
    status: str
    cost_usd: str
    detail: str
    counted: Mapping[str, Any] = field(default_factory=dict)


def time(text: str) -> datetime:
    """An RFC 3339 time."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def started(body: Mapping[str, Any]) -> Started:
    tools = [
        Tool(
            name=tool["name"],
            version=str(tool.get("version", "")),
            effect=str(tool.get("effect", "")),
            tier=int(tool.get("tier", 1)),
            schema_digest=str(tool.get("schema_digest", "")),
            arguments_schema=tool.get("arguments_schema") or {},
            description=str(tool.get("description") or ""),
        )
        for tool in body.get("tools", [])
    ]
    return Started(
        run_id=body["run_id"],
        deadline=time(body["deadline"]),
        caps=body.get("caps", {}),
        tools={tool.name: tool for tool in tools},
        models=tuple(body.get("models", [])),
        reads_when_offline=body.get("reads_when_offline") is True,
        stored_answer=_stored(body.get("stored_answer")),
        said=body,
    )


def _stored(said: Mapping[str, Any] | None) -> StoredAnswer | None:
    if said is None:
        return None
    return StoredAnswer(
        output=said["output"], run_id=said["run_id"], stored_at=time(said["stored_at"]), saved_usd=said["saved_usd"]
    )


def admission(body: Mapping[str, Any]) -> Admission:
    return Admission(
        model=body["model"],
        max_output_tokens=body["max_output_tokens"],
        reserved_usd=str(body.get("reserved_usd", "")),
        advice=str(body.get("advice", "")),
        because=str(body.get("because", "")),
    )


def confirmation(body: Mapping[str, Any]) -> Confirmation:
    return Confirmation(body["id"], body["tier"], body["url"], time(body["expires_at"]))


def permission(body: Mapping[str, Any]) -> Permission:
    return Permission(arguments=body["arguments"], permit=body["permit"], advice=str(body.get("advice", "")))


def receipt(body: Mapping[str, Any]) -> Receipt:
    return Receipt(
        run_id=body["run_id"],
        status=body["status"],
        cost_usd=str(body.get("cost_usd", "")),
        detail=str(body.get("detail", "")),
        counted=dict(body),
    )
