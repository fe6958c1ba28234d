"""One span as its page shows it: words and values in the order they are read, no decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.utils.html import format_html
from django.utils.safestring import SafeString

from agentops.portal.templatetags.words import ago, count, duration, money, short_id
from agentops.traces.conversation import Talk, instructions_text, talk
from agentops.traces.links import TraceLinks
from agentops.traces.models import SpanEvent, SpanRow
from agentops.traces.presenting import flag_words
from agentops.traces.serialise import span_values
from agentops.traces.types import SpanKind, SpanStatus

EVALUATION = "gen_ai.evaluation.result"
PROSE = 2_000  # characters; longer text is shown in a box that scrolls
_SPEAKING = {SpanKind.RUN, SpanKind.LLM, SpanKind.TOOL, SpanKind.SIDE_EFFECT}
Fact = tuple[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong."""

    kind: str
    message: str
    stacktrace: str


@dataclass(frozen=True, slots=True)
class Score:
    """What an evaluation said of the span."""

    name: str
    score: float | None
    label: str
    explanation: str
    error: str

    @property
    def figure(self) -> str:
        return "" if self.score is None else f"{self.score:.3g}"


@dataclass(frozen=True, slots=True)
class Content:
    """Captured content: a conversation, some words, or a value to unfold."""

    label: str
    value: Any
    talk: Talk | None = None
    is_open: bool = True

    @property
    def is_prose(self) -> bool:
        text = self.value
        return self.is_open and isinstance(text, str) and len(text) <= PROSE and text.lstrip()[:1] not in ("{", "[")


@dataclass(frozen=True, slots=True)
class SpanView:
    """Everything the panel of a span shows."""

    span: SpanRow
    kind: str
    failure: Failure | None
    facts: list[Fact]
    contents: list[Content]  # what was said and done
    is_content_missing: bool
    scores: list[Score]
    raw: list[Content]  # what else was sent


def view_of(span: SpanRow, events: Sequence[SpanEvent], links: TraceLinks) -> SpanView:
    values = span_values(span)
    told = [event for event in events if event.name != EVALUATION]
    contents = [*_contents(values), *_told(told)]
    return SpanView(
        span=span,
        kind=SpanKind(span.kind).name.lower(),
        failure=_failure(span, values),
        facts=_facts(span, values, links),
        contents=contents,
        is_content_missing=not contents and span.kind in _SPEAKING,
        scores=_scores(events, values),
        raw=_raw(values),
    )


def _failure(span: SpanRow, values: Mapping[str, Any]) -> Failure | None:
    if span.status != SpanStatus.ERROR and not span.error_type:
        return None
    exceptions = [event["attributes"] for event in _events(values) if event.get("name") == "exception"]
    exception = exceptions[0] if exceptions else {}
    return Failure(
        kind=span.error_type or "Error",
        message=values.get("status_message", "") or str(exception.get("exception.message", "")),
        stacktrace=str(exception.get("exception.stacktrace", "")),
    )


# -- facts ------------------------------------------------------------------------------------------------------------


def _facts(span: SpanRow, values: Mapping[str, Any], links: TraceLinks) -> list[Fact]:
    """Labels and values, those that are known; what runs can be searched by leads there."""
    first, requested = values.get("first_token_ms"), values.get("model_requested", "")
    found: list[Fact] = [
        ("Took", duration(round((span.ended_at - span.started_at).total_seconds() * 1e6), "us")),
        ("Started", ago(span.started_at)),
        ("First token", duration(first, "ms") if first is not None else ""),
        ("Model", links.filtered("model", span.model)),
        ("Asked for", requested if requested != span.model else ""),
        ("Provider", span.provider),
        ("Tool", links.filtered("tool", span.tool)),
        (
            "Tokens in",
            _tokens(span.input_tokens, ("cached", span.cache_read_tokens), ("written", span.cache_write_tokens)),
        ),
        ("Tokens out", _tokens(span.output_tokens, ("reasoning", span.reasoning_tokens))),
        ("Cost", _cost(span)),
        ("Cost as sent", money(values["cost_reported_nano_usd"]) if values.get("cost_reported_nano_usd") else ""),
        ("Price table", span.price_version),
        ("Finished with", ", ".join(values.get("finish_reasons", ())).replace("_", " ")),
        ("Agent", links.filtered("agent", span.agent)),
        ("Version", links.filtered("agent_version", span.agent_version)),
        ("User", links.filtered("user", span.user_id)),
        ("Session", links.filtered("session", span.session_id)),
        ("Environment", values.get("environment", "")),
        ("System changed", " ".join(filter(None, (span.external_system, span.external_id)))),
        ("Idempotency key", span.idempotency_key),
        ("Call", span.tool_call_id),
        ("Prompt", links.filtered("prompt_hash", span.prompt_hash, _hash_words(span.prompt_hash))),
        (
            "Tools offered",
            links.filtered(
                "tool_definitions_hash", span.tool_definitions_hash, _hash_words(span.tool_definitions_hash)
            ),
        ),
        (
            "Masked",
            f"{count(values['masked'])} value{'' if values['masked'] == 1 else 's'}" if values.get("masked") else "",
        ),
        ("Read as", values.get("dialect", "")),
        ("Note", "; ".join(flag_words(flag) for flag in values.get("flags", ()))),
    ]
    return [(label, value) for label, value in found if value not in ("", None)]


def _hash_words(value: str) -> str | SafeString:
    digest = value.removeprefix("sha256:")
    return format_html('<span class="id" title="{}">{}</span>', value, short_id(digest)) if value else ""


def _tokens(total: int | None, *parts: tuple[str, int | None]) -> str:
    if total is None:
        return ""
    told = [f"{count(number)} {word}" for word, number in parts if number]
    return f"{count(total)} ({', '.join(told)})" if told else count(total)


def _cost(span: SpanRow) -> Any:
    if span.is_guarded:
        return money(span.cost_nano_usd) if span.cost_nano_usd is not None else span.guard_note
    if not span.is_counted:
        return "counted on the call inside"
    if span.cost_nano_usd is not None:
        return money(span.cost_nano_usd)
    return money(None) if span.kind == SpanKind.LLM and span.input_tokens is not None else ""


# -- content ----------------------------------------------------------------------------------------------------------


def _contents(values: Mapping[str, Any]) -> list[Content]:
    found = [Content("System prompt", instructions_text(values.get("system_instructions")), is_open=False)]
    seen: list[Any] = []
    for label, name in (("Arguments", "arguments"), ("Result", "result"), ("Input", "input"), ("Output", "output")):
        value = values.get(name)
        if value is None or value in seen:  # instrumentations of tools send the same twice
            continue
        seen.append(value)
        found.append(Content(label, value, talk=talk(value)))
    found.append(Content("Documents found", values.get("documents")))
    found.append(Content("Tools offered", values.get("tool_definitions"), is_open=False))
    return [content for content in found if content.value is not None]


def _told(events: Iterable[SpanEvent]) -> list[Content]:
    """Messages that came as log records."""
    found = []
    for event in events:
        body = _body(event)
        for label, name in (("System prompt", "system_instructions"), ("Input", "input"), ("Output", "output")):
            if body.get(name) is not None:
                found.append(Content(label, body[name], talk=talk(body[name]), is_open=name != "system_instructions"))
    return found


def _scores(events: Iterable[SpanEvent], values: Mapping[str, Any]) -> list[Score]:
    bodies = [_body(event).get("evaluation") or {} for event in events if event.name == EVALUATION]
    attributes = [e["attributes"] for e in _events(values) if e.get("name") == EVALUATION]
    bodies += [{name: sent.get(f"gen_ai.evaluation.{key}") for name, key in _SCORE_KEYS.items()} for sent in attributes]
    return [
        Score(
            name=str(body.get("name") or "evaluation"),
            score=body.get("score"),
            label=str(body.get("label") or ""),
            explanation=str(body.get("explanation") or ""),
            error=str(body.get("error_type") or ""),
        )
        for body in bodies
    ]


_SCORE_KEYS = {"name": "name", "score": "score.value", "label": "score.label", "explanation": "explanation"}


def _raw(values: Mapping[str, Any]) -> list[Content]:
    events = [event for event in _events(values) if event.get("name") != EVALUATION]
    found = [
        Content("Events", events or None),
        Content("Links", values.get("links")),
        Content("Attributes as sent", values.get("attributes")),
        Content("Resource", values.get("resource")),
        Content("Instrumentation", values.get("scope")),
    ]
    return [content for content in found if content.value]


def _events(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{**event, "attributes": event.get("attributes") or {}} for event in values.get("events", ())]


def _body(event: SpanEvent) -> dict[str, Any]:
    body = orjson.loads(event.body)
    return body if isinstance(body, dict) else {}
