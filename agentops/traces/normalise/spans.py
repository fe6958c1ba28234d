"""One raw span to one canonical span."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from agentops.traces.normalise import content, indexed, keys
from agentops.traces.normalise.credentials import is_credential
from agentops.traces.normalise.kinds import kind_of
from agentops.traces.normalise.messages import finish_reasons_in
from agentops.traces.normalise.plan import MAX_ATTRIBUTES, Plan, plan_for
from agentops.traces.normalise.resources import ResourceFacts, facts_of
from agentops.traces.normalise.usage import counts, reported_cost
from agentops.traces.normalise.values import MESSAGE_LIMIT, as_object, cut_text, first, fitted, is_large, parsed, text
from agentops.traces.normalise.vocabulary import finish_reasons, is_floating, provider, provider_of_host
from agentops.traces.otlp.types import RawSpan
from agentops.traces.types import Span, SpanKind, SpanStatus

ATTRIBUTES_DROPPED = "attributes_dropped"
CREDENTIALS_DROPPED = "credentials_dropped"
FLOATING_MODEL = "floating_model"
USAGE_NOT_COUNTED = "usage_not_counted"

MAX_EVENTS = 256
MAX_LINKS = 128
_STATUSES = {0: SpanStatus.UNSET, 1: SpanStatus.OK, 2: SpanStatus.ERROR}
_SAID_AS_REQUESTED = ("gen_ai.request.model", "llm.request.model_name")
_PREFIXES = ("invoke_agent ", "invoke_workflow ", "execute_tool ", "tools/call ", "chat ", "embeddings ")


def map_span(raw: RawSpan) -> Span | None:
    """The canonical span of a raw one; None for a pending span, which its real span will replace.

    Times and ids are taken as they are: the caller has checked them.
    """
    attributes = raw.attributes
    plan = plan_for(attributes)
    facts = facts_of(raw.resource)
    is_root = raw.parent_id is None
    kind = kind_of(attributes, plan, raw.kind, is_root)
    if kind is None:
        return None
    name = raw.name
    span = Span(
        trace_id=raw.trace_id,
        span_id=raw.span_id,
        parent_id=raw.parent_id,
        kind=kind,
        name=name if len(name) <= 512 else name[:511] + "…",
        started_ns=raw.start_ns,
        ended_ns=raw.end_ns,
        status=_STATUSES.get(raw.status_code, SpanStatus.UNSET),
        status_message=raw.status_message[:MESSAGE_LIMIT],
        dialect=(facts.dialect or plan.dialect or "plain") if plan.genai else "plain",
        service=facts.service,
        environment=facts.environment,
        agent_version=facts.version,
        resource=facts.attributes,
        scope=facts.scope,
    )
    for field, names in plan.texts:
        value = first(attributes, names)
        if value is not None:
            setattr(span, field, text(value))
    flags: list[str] = []
    used: set[str] = set()
    if raw.events:
        span.events = raw.events[:MAX_EVENTS]
    if raw.links:
        span.links = raw.links[:MAX_LINKS]
    if plan.genai:
        _fill(span, attributes, plan, flags, used)
    if not span.agent:
        span.agent = _agent(span, attributes, plan, facts, is_root)
    if "metadata" in attributes:
        _fill_from_metadata(span, attributes["metadata"])
    _fill_error(span, attributes, plan)
    _keep(span, raw, plan, flags, used)
    if flags:
        span.flags = tuple(flags)
    return span


def _fill(span: Span, attributes: Mapping[str, Any], plan: Plan, flags: list[str], used: set[str]) -> None:
    """Everything a span of a GenAI dialect says."""
    pick, kind = plan.pick, span.kind
    names = pick.get("model_requested", ())
    if "llm.invocation_parameters" in attributes and (not names or names[0] not in _SAID_AS_REQUESTED):
        parameters = as_object(attributes["llm.invocation_parameters"])
        span.model_requested = text(parameters.get("model") or parameters.get("model_name"))
    if names and not span.model_requested:
        span.model_requested = text(first(attributes, names))
    names = pick.get("model_answered", ())
    answered = text(first(attributes, names)) if names else ""
    span.model = answered or span.model_requested
    if kind is SpanKind.LLM:
        _fill_llm(span, attributes, plan, flags)
    elif plan.tokens or keys.LANGFUSE_USAGE in attributes:
        flags.append(USAGE_NOT_COUNTED)
    span.provider = _provider(attributes, plan, kind)
    if kind is SpanKind.TOOL:
        span.tool = _tool(span, attributes, plan)
        content.fill_tool(span, attributes, plan, used)
    else:
        if "tool" in pick:
            span.tool = text(first(attributes, pick["tool"]))
        content.fill_conversation(span, attributes, plan, used)
    if span.events:
        content.fill_from_events(span)
    if "oi_annotations" in plan.indexed:
        _fill_annotations(span, attributes, plan)
    content.finish(span, attributes)


def _fill_llm(span: Span, attributes: Mapping[str, Any], plan: Plan, flags: list[str]) -> None:
    found = counts(attributes, plan, flags)
    if found:
        get = found.get
        span.input_tokens = get("input_tokens")
        span.output_tokens = get("output_tokens")
        span.cache_read_tokens = get("cache_read_tokens")
        span.cache_write_tokens = get("cache_write_tokens")
        span.reasoning_tokens = get("reasoning_tokens")
    span.cost_reported_nano_usd = reported_cost(attributes, plan)
    if span.model and is_floating(span.model):
        flags.append(FLOATING_MODEL)
    if (names := plan.pick.get("finish")) is not None:
        span.finish_reasons = finish_reasons(first(attributes, names))
    else:
        span.finish_reasons = _finish_in_output(span, attributes, plan)
    span.first_token_ms = _first_token_ms(span, attributes)


def _finish_in_output(span: Span, attributes: Mapping[str, Any], plan: Plan) -> tuple[str, ...]:
    found: list[Any] = []
    if (names := plan.pick.get("output_messages")) is not None:
        raw = attributes[names[0]]
        if raw.__class__ is not str or "finish_reason" in raw:
            found = finish_reasons_in(raw)
    elif "ol_output" in plan.indexed:
        found = [attributes[key] for key, path in plan.indexed["ol_output"] if path[-1] == "finish_reason"]
    elif "oi_output" not in plan.indexed and "output_later" in plan.pick:
        raw = first(attributes, plan.pick["output_later"])
        if raw.__class__ is str and "finish_reason" in raw:
            found = finish_reasons_in(raw)
    for event in span.events:
        if event["name"] == "gen_ai.choice" and (reason := event["attributes"].get("finish_reason")):
            found.append(reason)
    return finish_reasons(found) if found else ()


def _first_token_ms(span: Span, attributes: Mapping[str, Any]) -> int | None:
    seconds = attributes.get("gen_ai.response.time_to_first_chunk")
    if seconds is not None:
        return _milliseconds(seconds, 1000)
    milliseconds = attributes.get("ai.response.msToFirstChunk")
    if milliseconds is not None:
        return _milliseconds(milliseconds, 1)
    started = attributes.get("langfuse.observation.completion_start_time")
    if isinstance(started, str):
        try:
            at = dt.datetime.fromisoformat(str(parsed(started)))
        except ValueError:
            return None
        at = at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at
        elapsed = int(at.timestamp() * 1000) - span.started_ns // 1_000_000
        return elapsed if 0 <= elapsed < 2**31 else None
    return None


def _milliseconds(value: Any, factor: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        amount = Decimal(str(value)) * factor
        return int(amount.to_integral_value()) if 0 <= amount < 2**31 else None
    except (InvalidOperation, ValueError):
        return None


def _provider(attributes: Mapping[str, Any], plan: Plan, kind: SpanKind) -> str:
    for key in plan.pick.get("provider", ()):
        found = provider(text(attributes[key]))
        if found:
            return found
    if kind is SpanKind.LLM:
        host = attributes.get("server.address")
        if isinstance(host, str):
            return provider_of_host(host[:255])
    return ""


def _tool(span: Span, attributes: Mapping[str, Any], plan: Plan) -> str:
    if (names := plan.pick.get("tool")) is not None and (value := first(attributes, names)) is not None:
        return text(value)
    value = attributes.get("traceloop.entity.name")
    return text(value) if value else without_prefix(span.name)


def without_prefix(name: str) -> str:
    """A span name without the operation in front: "execute_tool search" is "search"."""
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name


def _agent(span: Span, attributes: Mapping[str, Any], plan: Plan, facts: ResourceFacts, is_root: bool) -> str:
    """An agent's name where the span gives one; a run or a root falls back to its service, then to its own name."""
    is_run = span.kind is SpanKind.RUN
    for key in plan.pick.get("agent", ()):
        value = attributes[key]
        if value is not None and value != "":
            if key.startswith("traceloop.workflow"):
                break
            return text(value)
    get = attributes.get
    if is_run and (value := get("traceloop.entity.name")):
        return text(value)
    value = get("traceloop.workflow.name") or (get("ai.telemetry.functionId") if plan.genai else None)
    if value:
        return text(value)
    if not (is_run or is_root):
        return ""
    if is_run and (value := get("graph.node.name")):
        return text(value)
    return facts.service_name or (without_prefix(span.name) if is_run else "")


def _fill_from_metadata(span: Span, raw: Any) -> None:
    if span.user_id and span.session_id:
        return
    if raw.__class__ is str and "_id" not in raw:
        return
    metadata = as_object(raw)
    span.user_id = span.user_id or text(metadata.get("user_id"))
    span.session_id = span.session_id or text(metadata.get("session_id") or metadata.get("thread_id"))


def _fill_error(span: Span, attributes: Mapping[str, Any], plan: Plan) -> None:
    get = attributes.get
    error = text(first(attributes, names)) if (names := plan.pick.get("error_type")) is not None else ""
    code = get("rpc.response.status_code")
    if not error and code is not None and text(code).upper() not in ("", "0", "OK"):
        error = text(code)
    message = ""
    for event in span.events:
        if event["name"] == "exception":
            details = event["attributes"]
            error = error or text(details.get("exception.type"))
            message = message or text(details.get("exception.message"), MESSAGE_LIMIT)
    if not error and get("langfuse.observation.level") == "ERROR":
        error = "langfuse_error"
    level = get("logfire.level_num")
    if not error and level is not None and level.__class__ is int and level >= 17:
        error = "logfire_error"
    if error:
        span.error_type = error
        if span.status is SpanStatus.UNSET:
            span.status = SpanStatus.ERROR
    if not span.status_message and (error or message):
        span.status_message = text(get("langfuse.observation.status_message"), MESSAGE_LIMIT) or message


def _fill_annotations(span: Span, attributes: Mapping[str, Any], plan: Plan) -> None:
    """OpenInference's annotations become the evaluation events they are elsewhere."""
    for item in indexed.unflattened(attributes, plan.indexed["oi_annotations"])[:64]:
        found = item.get("annotation") if isinstance(item, dict) else None
        if isinstance(found, dict) and found.get("name"):
            values = {
                "gen_ai.evaluation.name": found.get("name"),
                "gen_ai.evaluation.score.value": found.get("score"),
                "gen_ai.evaluation.score.label": found.get("label"),
                "gen_ai.evaluation.explanation": found.get("explanation"),
            }
            event = {"name": "gen_ai.evaluation.result", "time_ns": span.ended_ns}
            event["attributes"] = {key: value for key, value in values.items() if value is not None}
            span.events = [*span.events, event]


def _keep(span: Span, raw: RawSpan, plan: Plan, flags: list[str], used: set[str]) -> None:
    """The raw attributes that stay: all but credentials and those whose value is now a content field."""
    attributes = raw.attributes
    if plan.credentials:
        used.update(plan.credentials)
        flags.append(CREDENTIALS_DROPPED)
    kept = attributes
    if used:
        kept = dict(attributes)
        for key in used:
            kept.pop(key, None)
    if raw.dropped:
        flags.append(ATTRIBUTES_DROPPED)
    if plan.over_limit and len(kept) > MAX_ATTRIBUTES:
        kept = dict(list(kept.items())[:MAX_ATTRIBUTES])
        flags.append(content.CONTENT_TRUNCATED)
    for value in kept.values():
        kind = value.__class__
        if (kind is str and len(value) > 65_536) or ((kind is list or kind is dict) and is_large(value)):
            kept = _cut(kept, flags)
            break
    span.attributes = kept
    if span.events:
        span.events = [_safe_event(event, flags) for event in span.events]
    if content.cap(span) and content.CONTENT_TRUNCATED not in flags:
        flags.append(content.CONTENT_TRUNCATED)


def _cut(kept: dict[str, Any], flags: list[str]) -> dict[str, Any]:
    large = [key for key, value in kept.items() if is_large(value)]
    if not large:
        return kept
    if content.CONTENT_TRUNCATED not in flags:
        flags.append(content.CONTENT_TRUNCATED)
    return {
        key: (cut_text(value) if value.__class__ is str else fitted(value)) if key in large else value
        for key, value in kept.items()
    }


def _safe_event(event: dict[str, Any], flags: list[str]) -> dict[str, Any]:
    attributes = event["attributes"]
    if any(is_credential(key) for key in attributes):
        attributes = {key: value for key, value in attributes.items() if not is_credential(key)}
        if CREDENTIALS_DROPPED not in flags:
            flags.append(CREDENTIALS_DROPPED)
    return {**event, "name": event["name"][:512], "attributes": _cut(attributes, flags)}
