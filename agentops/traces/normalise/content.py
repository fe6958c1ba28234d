"""What was said: input, output, system instructions, tool definitions, arguments and results of one span.

A source that became a content field is named in `used` and leaves the span's raw attributes: the field holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentops.traces.normalise import hashes, indexed, keys
from agentops.traces.normalise.messages import Message, message, messages, parts_in, split_system, system_parts
from agentops.traces.normalise.plan import Plan
from agentops.traces.normalise.values import as_object, first, fitted, is_large, parsed, text
from agentops.traces.types import Span, SpanKind

CONTENT_TRUNCATED = "content_truncated"
MAX_TOOL_CALLS = 64
_FIELDS = ("arguments", "result", "input", "output", "system_instructions", "tool_definitions", "documents")
_DETAILS = "gen_ai.client.inference.operation.details"
# OpenInference sends the whole request and response beside the messages it takes out of them.
_REQUEST_BODY = ("input.value", "input.mime_type")
_RESPONSE_BODY = ("output.value", "output.mime_type")
_MESSAGE_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}


def fill_tool(span: Span, attributes: Mapping[str, Any], plan: Plan, used: set[str]) -> None:
    """Arguments and result of a tool span."""
    pick = plan.pick
    if (names := pick.get("arguments")) is not None:
        span.arguments = parsed(_use(attributes, names, used))
    if span.arguments is None and "tool.parameters" in attributes:
        parameters = parsed(attributes["tool.parameters"])
        if not _is_schema(parameters):
            span.arguments = parameters
            used.add("tool.parameters")
    if (names := pick.get("result")) is not None:
        span.result = parsed(_use(attributes, names, used))


def fill_conversation(span: Span, attributes: Mapping[str, Any], plan: Plan, used: set[str]) -> None:
    """Input and output, system prompt and tool list of any span but a tool's."""
    pick, groups = plan.pick, plan.indexed
    chat = span.kind is SpanKind.LLM or span.kind is SpanKind.RUN
    found: Any = None
    if (names := pick.get("input_messages")) is not None:
        found = messages(_use(attributes, names, used), "user")
    elif "oi_input" in groups:
        found = indexed.openinference_messages(_gather(attributes, groups["oi_input"], used), "user")
        used.update(_REQUEST_BODY)
    elif "ol_input" in groups:
        found = indexed.openllmetry_messages(_gather(attributes, groups["ol_input"], used), "user")
    elif (names := pick.get("input_later")) is not None:
        found = _input(attributes, names, span, used, chat)
    if (names := pick.get("system")) is not None:
        span.system_instructions, span.prompt_hash = hashes.system(_use(attributes, names, used))
    if chat and found.__class__ is list and found and span.system_instructions is None:
        found = _lift_system(span, found)
    if found is not None:
        span.input = found
    if (found := _output(attributes, plan, used, chat)) is not None:
        span.output = found
    if (names := pick.get("documents")) is not None:
        span.documents = parsed(_use(attributes, names, used))
    elif "oi_documents" in groups:
        span.documents = indexed.documents(_gather(attributes, groups["oi_documents"], used))
    _fill_tool_definitions(span, attributes, plan, used)


def fill_from_events(span: Span) -> None:
    """Content of instrumentations that record messages as span events; the events that were used leave the span."""
    asked: list[Any] = []
    answered: list[Any] = []
    kept: list[dict[str, Any]] = []
    no_input, no_output = span.input is None, span.output is None
    for event in span.events:
        name, attributes = event["name"], event["attributes"]
        if name == _DETAILS:
            _fill_from_details(span, attributes)
        elif name in _MESSAGE_EVENTS and no_input:
            asked += _event_messages(attributes, _MESSAGE_EVENTS[name])
        elif name == "gen_ai.choice" and no_output:
            inner = parsed(attributes.get("message"))
            answered += _event_messages(inner if isinstance(inner, dict) else attributes, "assistant")
        elif name == "gen_ai.content.prompt" and no_input:
            asked += _as_list(messages(attributes.get("gen_ai.prompt"), "user"))
        elif name == "gen_ai.content.completion" and no_output:
            answered += _as_list(messages(attributes.get("gen_ai.completion"), "assistant"))
        else:
            kept.append(event)
    if asked and span.input is None:
        span.input = _lift_system(span, asked) if span.system_instructions is None else asked
    if answered and span.output is None:
        span.output = answered
    span.events = kept


def finish(span: Span, attributes: Mapping[str, Any]) -> None:
    """The digest of the prompt, the tools the model asked for, and the size limit of each field."""
    if span.system_instructions is not None:
        if attributes.get("pydantic_ai.variable_instructions"):
            span.prompt_hash = ""  # instructions made anew for each run say nothing about the prompt's version
        elif not span.prompt_hash:
            span.prompt_hash = hashes.prompt_hash(span.system_instructions)
    if span.kind is SpanKind.LLM and span.output.__class__ is list:
        names = [text(part.get("name"), 256) for part in parts_in(span.output) if part.get("type") == "tool_call"]
        if names:
            span.tool_calls = tuple(names[:MAX_TOOL_CALLS])


def cap(span: Span) -> bool:
    """Cut each content field that is over the limit; whether any was."""
    cut = False
    for field in _FIELDS:
        value = getattr(span, field)
        if value is not None and is_large(value):
            setattr(span, field, fitted(value))
            cut = True
    return cut


def _use(attributes: Mapping[str, Any], names: tuple[str, ...], used: set[str]) -> Any:
    for name in names:
        value = attributes[name]
        if value is not None and value != "" and value != []:
            used.add(name)
            return value
    return None


def _gather(
    attributes: Mapping[str, Any], entries: tuple[tuple[str, tuple[str | int, ...]], ...], used: set[str]
) -> list[Any]:
    used.update(key for key, _ in entries)
    return indexed.unflattened(attributes, entries)


def _input(attributes: Mapping[str, Any], names: tuple[str, ...], span: Span, used: set[str], chat: bool) -> Any:
    value = _use(attributes, names, used)
    found = parsed(value)
    if not chat:
        return found
    if isinstance(found, dict):
        if "tools" in found and isinstance(found.get("messages"), list) and span.tool_definitions is None:
            span.tool_definitions, span.tool_definitions_hash = hashes.tool_definitions(found["tools"])
        if "system" in found and ("prompt" in found or "messages" in found):  # Vercel's ai.prompt
            if found["system"]:
                span.system_instructions = system_parts(found["system"])
            found = found.get("messages") or found.get("prompt")
        elif found.keys() == {"prompt"}:
            found = found["prompt"]
    if "pydantic_ai.all_messages" in used:
        return _asked(messages(found, "user"), attributes.get("pydantic_ai.new_message_index"))
    return messages(found, "user")


def _asked(found: Any, start: Any) -> Any:
    """What a run was asked: its conversation up to the first answer from `start` on."""
    if isinstance(found, list):
        first_new = start if start.__class__ is int and start > 0 else 0
        for position, item in enumerate(found):
            if position >= first_new and item.get("role") == "assistant":
                return found[:position]
    return found


def _output(attributes: Mapping[str, Any], plan: Plan, used: set[str], chat: bool) -> Any:
    pick, groups = plan.pick, plan.indexed
    if (names := pick.get("output_messages")) is not None:
        return messages(_use(attributes, names, used), "assistant")
    if "oi_output" in groups:
        used.update(_RESPONSE_BODY)
        return indexed.openinference_messages(_gather(attributes, groups["oi_output"], used), "assistant")
    if "ol_output" in groups:
        return indexed.openllmetry_messages(_gather(attributes, groups["ol_output"], used), "assistant")
    if (names := pick.get("vercel_output")) is not None:
        used.update(names)
        return _vercel_output(attributes)
    if (names := pick.get("output_later")) is not None:
        found = parsed(_use(attributes, names, used))
        return messages(found, "assistant") if chat else found
    return None


def _vercel_output(attributes: Mapping[str, Any]) -> Any:
    parts: list[Message] = []
    answer = attributes.get("ai.response.text")
    if answer:
        parts.append({"type": "text", "content": answer})
    calls = parsed(attributes.get("ai.response.toolCalls"))
    if isinstance(calls, list):
        raw = [{**call, "type": "tool-call"} for call in calls if isinstance(call, dict)]
        parts.extend(messages([{"role": "assistant", "content": raw}], "assistant")[0]["parts"])
    if not parts and attributes.get("ai.response.object"):
        return parsed(attributes["ai.response.object"])
    return [{"role": "assistant", "parts": parts}] if parts else None


def _lift_system(span: Span, found: list[Any]) -> list[Any]:
    """Move leading system messages to `system_instructions`."""
    if found[0].__class__ is dict and found[0].get("role") in ("system", "developer") and "parts" in found[0]:
        parts, rest = split_system(found)
        span.system_instructions = parts
        return rest
    return found


def _fill_tool_definitions(span: Span, attributes: Mapping[str, Any], plan: Plan, used: set[str]) -> None:
    pick, groups = plan.pick, plan.indexed
    value: Any = None
    if (names := pick.get("tool_definitions")) is not None:
        value = _use(attributes, names, used)
    elif "oi_tools" in groups:
        value = _gather(attributes, groups["oi_tools"], used)
    elif "ol_tools" in groups:
        value = _gather(attributes, groups["ol_tools"], used)
    elif (names := pick.get("tool_definitions_inside")) is not None:
        for name in names:
            raw = attributes[name]
            if raw.__class__ is not str or "tools" in raw:
                inside = as_object(raw)
                value = value or inside.get("function_tools") or inside.get("tools")
    if value is not None:
        span.tool_definitions, span.tool_definitions_hash = hashes.tool_definitions(value)


def _fill_from_details(span: Span, attributes: Mapping[str, Any]) -> None:
    """`gen_ai.client.inference.operation.details` carries the content attributes of the span."""
    get = attributes.get
    if span.system_instructions is None and (value := get(keys.SYSTEM[0])):
        span.system_instructions, span.prompt_hash = hashes.system(value)
    if span.input is None and (value := get(keys.INPUT_MESSAGES[0])):
        found = messages(value, "user")
        span.input = _lift_system(span, found) if found.__class__ is list and found else found
    if span.output is None and (value := get(keys.OUTPUT_MESSAGES[0])):
        span.output = messages(value, "assistant")
    if span.tool_definitions is None and (value := get(keys.TOOL_DEFINITIONS[0])):
        span.tool_definitions, span.tool_definitions_hash = hashes.tool_definitions(value)


def _event_messages(attributes: Mapping[str, Any], role: str) -> list[Any]:
    """The message of one gen_ai.*.message event: its attributes are the message, or hold it."""
    for key in ("gen_ai.event.content", "body"):
        if key in attributes:
            inner = parsed(attributes[key])
            return [message(inner, role)] if isinstance(inner, dict) else _as_list(messages(inner, role))
    found = {key: parsed(value) if key == "tool_calls" else value for key, value in attributes.items()}
    if "id" in found and "tool_call_id" not in found:
        found["tool_call_id"] = found["id"]
    return [message(found, role)]


def _as_list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


def _is_schema(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "object" and "properties" in value


def first_of(attributes: Mapping[str, Any], plan: Plan, field: str) -> Any:
    """The first non-empty source of a field, or None."""
    names = plan.pick.get(field)
    return None if names is None else first(attributes, names)
