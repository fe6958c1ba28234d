"""Log records that say something about spans: evaluations and the messages of an inference.

Storage joins them to spans: by (trace_id, span_id) where they have one, else by `response_id`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentops.traces.normalise import hashes
from agentops.traces.normalise.batch import DAY_NS, KEEP_NS
from agentops.traces.normalise.credentials import without_credentials
from agentops.traces.normalise.messages import message, messages, split_system
from agentops.traces.normalise.times import rfc3339
from agentops.traces.normalise.values import MESSAGE_LIMIT, fitted, is_large, parsed, text
from agentops.traces.otlp.clean import span_id_hex
from agentops.traces.otlp.types import RawLog, RawLogs
from agentops.traces.types import Rejected

EVALUATION = "gen_ai.evaluation.result"
DETAILS = "gen_ai.client.inference.operation.details"
CHOICE = "gen_ai.choice"
EXCEPTION = "gen_ai.client.operation.exception"
_SPEAKERS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
EVENT_NAMES = frozenset({EVALUATION, DETAILS, CHOICE, EXCEPTION, *_SPEAKERS})


@dataclass(slots=True, frozen=True, kw_only=True)
class Evaluation:
    """A score given to a span by somebody else. `score` is None where only a label, or an error, was given."""

    name: str
    score: float | None
    label: str
    explanation: str
    error_type: str


@dataclass(slots=True, frozen=True, kw_only=True)
class LogEvent:
    """A log record that belongs to a span.

    `trace_id` or `response_id` is set. `input`, `output` and `system_instructions` are canonical messages where the
    event carries any; a single message is a list of one.
    """

    index: int  # its place in the request
    trace_id: uuid.UUID | None
    span_id: int | None
    at_ns: int
    name: str
    response_id: str
    attributes: Mapping[str, Any]
    body: Any = None
    evaluation: Evaluation | None = None
    input: Any = None
    output: Any = None
    system_instructions: Any = None
    prompt_hash: str = ""
    tool_definitions: Any = None
    tool_definitions_hash: str = ""


def normalise_logs(
    raw: RawLogs, *, now_ns: int, oldest_ns: int | None = None, ahead_ns: int = DAY_NS
) -> tuple[list[LogEvent], list[Rejected]]:
    """The GenAI events of a logs request, and the records refused. Other records are accepted and ignored:
    `raw.total - len(events) - len(rejected)` of them.

    A record without a time gets `now_ns`. Codes: `invalid_id`, `invalid_field` (decoder), `time_out_of_range`,
    `unmatched` (neither trace nor response id), `unmappable`.
    """
    oldest = now_ns - KEEP_NS if oldest_ns is None else oldest_ns
    events: list[LogEvent] = []
    rejected = list(raw.rejected)
    for record in raw.logs:
        if record.name not in EVENT_NAMES:
            continue
        if record.time_ns and not oldest <= record.time_ns <= now_ns + ahead_ns:
            detail = f"the record's time {rfc3339(record.time_ns)} is not between {rfc3339(oldest)} and {rfc3339(now_ns + ahead_ns)}"
            rejected.append(Rejected(record.index, "time_out_of_range", detail, _dead_letter(record)))
            continue
        try:
            event = _event(record, now_ns)
        except Exception as error:  # one bad record never harms the rest
            detail = f"this record could not be mapped ({type(error).__name__}); it is kept for replay"
            rejected.append(Rejected(record.index, "unmappable", detail, _dead_letter(record)))
            continue
        if event.trace_id is None and not event.response_id:
            detail = "an event needs a trace id or gen_ai.response.id to be joined to a span"
            rejected.append(Rejected(record.index, "unmatched", detail, _dead_letter(record)))
        else:
            events.append(event)
    rejected.sort(key=lambda item: item.index)
    return events, rejected


def _event(record: RawLog, now_ns: int) -> LogEvent:
    attributes = dict(without_credentials(record.attributes))
    body = parsed(record.body)
    fields: dict[str, Any] = {}
    if record.name == EVALUATION:
        fields["evaluation"] = _evaluation(attributes)
    elif record.name == DETAILS:
        fields = _details(attributes, body)
    elif record.name == CHOICE:
        inner = body.get("message", body) if isinstance(body, dict) else body
        fields["output"] = _fit(_one_message(inner, "assistant"))
    elif record.name in _SPEAKERS:
        found = _one_message(_with_call_id(body), _SPEAKERS[record.name])
        fields["system_instructions" if _SPEAKERS[record.name] == "system" else "input"] = _fit(found)
    return LogEvent(
        index=record.index,
        trace_id=record.trace_id,
        span_id=record.span_id,
        at_ns=record.time_ns or now_ns,
        name=record.name,
        response_id=text(attributes.get("gen_ai.response.id")),
        attributes={key: _fit(value) for key, value in attributes.items()},
        body=_fit(body),
        **fields,
    )


def _evaluation(attributes: Mapping[str, Any]) -> Evaluation:
    score = attributes.get("gen_ai.evaluation.score.value")
    if isinstance(score, str):
        try:
            score = float(score)
        except ValueError:
            score = None
    number = isinstance(score, (int, float)) and not isinstance(score, bool) and score == score and abs(score) < 1e300
    return Evaluation(
        name=text(attributes.get("gen_ai.evaluation.name")),
        score=float(score) if number and score is not None else None,
        label=text(attributes.get("gen_ai.evaluation.score.label")),
        explanation=text(attributes.get("gen_ai.evaluation.explanation"), MESSAGE_LIMIT),
        error_type=text(attributes.get("error.type")),
    )


def _details(attributes: dict[str, Any], body: Any) -> dict[str, Any]:
    source = {**body, **attributes} if isinstance(body, dict) else attributes
    fields: dict[str, Any] = {}
    if value := source.get("gen_ai.system_instructions"):
        fields["system_instructions"], fields["prompt_hash"] = hashes.system(value)
    if value := source.get("gen_ai.input.messages"):
        found = messages(value, "user")
        if "system_instructions" not in fields and isinstance(found, list) and found and "parts" in found[0]:
            parts, rest = split_system(found)
            if parts:
                fields["system_instructions"], fields["prompt_hash"], found = parts, hashes.prompt_hash(parts), rest
        fields["input"] = _fit(found)
    if value := source.get("gen_ai.output.messages"):
        fields["output"] = _fit(messages(value, "assistant"))
    if value := source.get("gen_ai.tool.definitions"):
        fields["tool_definitions"], fields["tool_definitions_hash"] = hashes.tool_definitions(value)
    for key in (
        "gen_ai.system_instructions",
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.tool.definitions",
    ):
        attributes.pop(key, None)
    return fields


def _one_message(raw: Any, role: str) -> Any:
    return [message(raw, role)] if isinstance(raw, dict) else messages(raw, role)


def _with_call_id(body: Any) -> Any:
    if isinstance(body, dict) and "id" in body and "tool_call_id" not in body:
        return {**body, "tool_call_id": body["id"]}
    return body


def _fit(value: Any) -> Any:
    return fitted(value) if is_large(value) else value


def _dead_letter(record: RawLog) -> dict[str, Any]:
    return {
        "trace_id": None if record.trace_id is None else record.trace_id.hex,
        "span_id": None if record.span_id is None else span_id_hex(record.span_id),
        "time_unix_nano": str(record.time_ns),
        "event_name": record.name,
        "attributes": without_credentials(record.attributes),
        "body": record.body,
        "resource": without_credentials(record.resource.attributes),
    }
