"""A step in the words of an instrumentation: OpenTelemetry's GenAI conventions, OpenInference, OpenLLMetry.

Each answers the span's name and its attributes. Content that was not captured is not mentioned at all; only
OpenTelemetry's own instrumentations know that setting (and have it by default), so only that dialect heeds it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache

from opentelemetry.trace import SpanKind

from agentops.portal.demo.steps import Agent, Json, Kind, Message, Step

Attributes = dict[str, Json]
Said = tuple[str, SpanKind, Attributes]


def say(step: Step, dialect: str) -> Said:
    """(span name, span kind, attributes) of a step."""
    name, kind, attributes = _DIALECTS[dialect](step)
    if step.failure is not None:
        attributes["error.type"] = step.failure.type
    attributes.update(step.extra)
    return name, kind, {key: value for key, value in attributes.items() if value is not None}


def _dumps(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=64)
def _definitions(agent: Agent) -> str:
    return _dumps([tool.definition() for tool in agent.tools])


@lru_cache(maxsize=64)
def _instructions(prompt: str) -> str:
    return _dumps([{"type": "text", "content": prompt}])


# -- OpenTelemetry GenAI ----------------------------------------------------------------------------------------------


def _otel(step: Step) -> Said:
    match step.kind:
        case Kind.RUN:
            return f"invoke_agent {step.name}", SpanKind.INTERNAL, _otel_run(step)
        case Kind.MODEL:
            return f"chat {step.name}", SpanKind.CLIENT, _otel_model(step)
        case Kind.TOOL:
            return f"execute_tool {step.name}", SpanKind.INTERNAL, _otel_tool(step)
        case Kind.RETRIEVAL:
            return f"retrieval {step.name}", SpanKind.CLIENT, _otel_retrieval(step)
        case Kind.PLAN:
            return "plan", SpanKind.INTERNAL, _otel_plan(step)
        case Kind.GUARDRAIL:
            return f"guardrail {step.name}", SpanKind.INTERNAL, _guardrail(step)
        case Kind.EFFECT:
            return step.name, SpanKind.CLIENT, {}


def _otel_run(step: Step) -> Attributes:
    found: Attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": step.name,
        "gen_ai.agent.version": step.release.version if step.release else None,
        "gen_ai.conversation.id": step.session or None,
        "user.id": step.user or None,
    }
    return found | _otel_messages(step)


def _otel_messages(step: Step) -> Attributes:
    if step.is_quiet:
        return {}
    return {
        "gen_ai.input.messages": _dumps(step.input) if step.input else None,
        "gen_ai.output.messages": _dumps(step.output) if step.output else None,
    }


def _otel_model(step: Step) -> Attributes:
    assert step.model and step.agent and step.release
    model, usage = step.model, step.usage
    found: Attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": model.provider,
        "gen_ai.request.model": model.name,
        "gen_ai.request.temperature": None if model.reasons else 0.2,
        "gen_ai.request.max_tokens": 4096,
        "gen_ai.agent.name": step.agent.name,
        "gen_ai.conversation.id": step.session or None,
        "gen_ai.usage.input_tokens": usage.get("input"),
        "gen_ai.usage.output_tokens": usage.get("output"),
        "gen_ai.usage.cache_read.input_tokens": usage.get("cache_read"),
        "gen_ai.usage.cache_write.input_tokens": usage.get("cache_write"),
        "gen_ai.usage.reasoning.output_tokens": usage.get("reasoning"),
    }
    if usage:
        found["gen_ai.response.model"] = model.answers_as or model.name
        found["gen_ai.response.finish_reasons"] = [step.finish]
        found["gen_ai.response.id"] = step.call_id or None
    if not step.is_quiet:
        found["gen_ai.system_instructions"] = _instructions(step.release.prompt)
        found["gen_ai.tool.definitions"] = _definitions(step.agent) if step.agent.tools else None
    return found | _otel_messages(step)


def _otel_tool(step: Step) -> Attributes:
    found: Attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": step.name,
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": step.call_id,
        "gen_ai.tool.description": step.tool.description if step.tool else None,
    }
    if not step.is_quiet:
        found["gen_ai.tool.call.arguments"] = _dumps(step.arguments)
        found["gen_ai.tool.call.result"] = None if step.result is None else _dumps(step.result)
    return found


def _otel_retrieval(step: Step) -> Attributes:
    found: Attributes = {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.data_source.id": step.name,
        "gen_ai.retrieval.top_k": len(step.documents),
    }
    if not step.is_quiet:
        found["gen_ai.retrieval.query.text"] = _text_of(step.input)
        found["gen_ai.retrieval.documents"] = _dumps(step.documents)
    return found


def _otel_plan(step: Step) -> Attributes:
    return {"gen_ai.operation.name": "plan", "gen_ai.agent.name": step.agent.name if step.agent else None} | (
        _otel_messages(step)
    )


def _guardrail(step: Step) -> Attributes:
    found: Attributes = {"gen_ai.guardrail.name": step.name}
    if not step.is_quiet:
        found["gen_ai.guardrail.input"] = _text_of(step.input)
    return found


# -- OpenInference ----------------------------------------------------------------------------------------------------

_OPENINFERENCE_KINDS = {
    Kind.RUN: "AGENT",
    Kind.MODEL: "LLM",
    Kind.TOOL: "TOOL",
    Kind.RETRIEVAL: "RETRIEVER",
    Kind.GUARDRAIL: "GUARDRAIL",
    Kind.PLAN: "DECISION",
}


def _openinference(step: Step) -> Said:
    if step.kind is Kind.EFFECT:
        return step.name, SpanKind.CLIENT, {}
    found: Attributes = {
        "openinference.span.kind": _OPENINFERENCE_KINDS[step.kind],
        "session.id": step.session or None,  # of the context: every span carries them
        "user.id": step.user or None,
    }
    match step.kind:
        case Kind.RUN:
            found |= {
                "agent.name": step.name,
                "gen_ai.agent.version": step.release.version if step.release else None,
                "input.value": _text_of(step.input) or None,
                "output.value": _text_of(step.output) or None,
            }
        case Kind.MODEL:
            return "ChatCompletion", SpanKind.INTERNAL, found | _openinference_model(step)
        case Kind.TOOL:
            found |= {
                "tool.name": step.name,
                "tool.id": step.call_id,
                "tool.description": step.tool.description if step.tool else None,
                "input.value": _dumps(step.arguments),
                "input.mime_type": "application/json",
                "output.value": None if step.result is None else _dumps(step.result),
                "output.mime_type": "application/json",
            }
        case Kind.RETRIEVAL:
            found["input.value"] = _text_of(step.input)
            for index, document in enumerate(step.documents):
                for key, value in document.items():
                    found[f"retrieval.documents.{index}.document.{key}"] = value
        case _:
            found["input.value"] = _text_of(step.input) or None
            found["output.value"] = _text_of(step.output) or None
    return step.name, SpanKind.INTERNAL, found


def _openinference_model(step: Step) -> Attributes:
    assert step.model and step.agent and step.release
    usage = step.usage
    found: Attributes = {
        "llm.provider": step.model.provider.partition(".")[0],
        "llm.model_name": step.model.answers_as or step.model.name,
        "llm.invocation_parameters": _dumps({"model": step.model.name, "temperature": 0.3}),
        "llm.token_count.prompt": usage.get("input"),
        "llm.token_count.completion": usage.get("output"),
        "llm.token_count.prompt_details.cache_read": usage.get("cache_read"),
        "llm.token_count.completion_details.reasoning": usage.get("reasoning"),
        "llm.finish_reason": step.finish if usage else None,
    }
    system = {"role": "system", "parts": [{"type": "text", "content": step.release.prompt}]}
    for index, message in enumerate([system, *step.input]):
        found |= _openinference_message(f"llm.input_messages.{index}.message.", message)
    for index, message in enumerate(step.output):
        found |= _openinference_message(f"llm.output_messages.{index}.message.", message)
    for index, tool in enumerate(step.agent.tools):
        schema = {
            "type": "function",
            "function": {key: value for key, value in tool.definition().items() if key != "type"},
        }
        found[f"llm.tools.{index}.tool.json_schema"] = _dumps(schema)
    return found


def _openinference_message(prefix: str, message: Message) -> Attributes:
    found: Attributes = {f"{prefix}role": message["role"]}
    for number, part in enumerate(message["parts"]):
        if part["type"] == "text":
            found[f"{prefix}content"] = part["content"]
        elif part["type"] == "tool_call":
            call = f"{prefix}tool_calls.{number}.tool_call."
            found[f"{call}id"] = part["id"]
            found[f"{call}function.name"] = part["name"]
            found[f"{call}function.arguments"] = _dumps(part["arguments"])
        else:
            found[f"{prefix}tool_call_id"] = part["id"]
            found[f"{prefix}content"] = _dumps(part["response"])
    return found


# -- OpenLLMetry ------------------------------------------------------------------------------------------------------


def _openllmetry(step: Step) -> Said:
    """The shape of traceloop-sdk before it moved to the GenAI message attributes; much of it is still in the field."""
    name, kind, found = _openllmetry_step(step)
    if step.kind is not Kind.EFFECT:
        found["traceloop.association.properties.user_id"] = step.user or None
        found["traceloop.association.properties.session_id"] = step.session or None
    return name, kind, found


def _openllmetry_step(step: Step) -> Said:
    match step.kind:
        case Kind.RUN:
            found: Attributes = {
                "traceloop.span.kind": "workflow",
                "traceloop.entity.name": step.name,
                "traceloop.entity.version": step.release.version if step.release else None,
                "traceloop.workflow.name": step.name,
                "traceloop.entity.input": _text_of(step.input) or None,
                "traceloop.entity.output": _text_of(step.output) or None,
            }
            return f"{step.name}.workflow", SpanKind.INTERNAL, found
        case Kind.MODEL:
            return f"{step.model.provider if step.model else 'openai'}.chat", SpanKind.CLIENT, _openllmetry_model(step)
        case Kind.TOOL:
            return (
                f"{step.name}.tool",
                SpanKind.INTERNAL,
                {
                    "traceloop.span.kind": "tool",
                    "traceloop.entity.name": step.name,
                    "traceloop.entity.input": _dumps(step.arguments),
                    "traceloop.entity.output": None if step.result is None else _dumps(step.result),
                    "gen_ai.tool.call.id": step.call_id or None,
                },
            )
        case Kind.EFFECT:
            return step.name, SpanKind.CLIENT, {}
        case _:
            return (
                f"{step.name}.task",
                SpanKind.INTERNAL,
                {
                    "traceloop.span.kind": "task",
                    "traceloop.entity.name": step.name,
                    "traceloop.entity.input": _text_of(step.input) or None,
                    "traceloop.entity.output": _text_of(step.output) or None,
                },
            )


def _openllmetry_model(step: Step) -> Attributes:
    assert step.model and step.release
    usage = step.usage
    found: Attributes = {
        "llm.request.type": "chat",
        "gen_ai.system": step.model.provider,
        "gen_ai.request.model": step.model.name,
        "gen_ai.response.model": (step.model.answers_as or step.model.name) if usage else None,
        "gen_ai.usage.prompt_tokens": usage.get("input"),
        "gen_ai.usage.completion_tokens": usage.get("output"),
        "gen_ai.usage.cache_read_input_tokens": usage.get("cache_read"),
        "gen_ai.usage.reasoning_tokens": usage.get("reasoning"),
        "llm.usage.total_tokens": usage["input"] + usage["output"] if usage else None,
        "gen_ai.prompt.0.role": "system",
        "gen_ai.prompt.0.content": step.release.prompt,
    }
    for index, message in enumerate(step.input, start=1):
        found |= _openllmetry_message(f"gen_ai.prompt.{index}.", message)
    for index, message in enumerate(step.output):
        found |= _openllmetry_message(f"gen_ai.completion.{index}.", message)
        found[f"gen_ai.completion.{index}.finish_reason"] = step.finish
    for index, tool in enumerate(step.agent.tools if step.agent else ()):
        prefix = f"llm.request.functions.{index}."
        found[f"{prefix}name"] = tool.name
        found[f"{prefix}description"] = tool.description
        found[f"{prefix}parameters"] = _dumps(tool.parameters)
    return found


def _openllmetry_message(prefix: str, message: Message) -> Attributes:
    found: Attributes = {f"{prefix}role": message["role"]}
    for number, part in enumerate(message["parts"]):
        if part["type"] == "text":
            found[f"{prefix}content"] = part["content"]
        elif part["type"] == "tool_call":
            call = f"{prefix}tool_calls.{number}."
            found[f"{call}id"] = part["id"]
            found[f"{call}name"] = part["name"]
            found[f"{call}arguments"] = _dumps(part["arguments"])
        else:
            found[f"{prefix}tool_call_id"] = part["id"]
            found[f"{prefix}content"] = _dumps(part["response"])
    return found


def _text_of(messages: list[Message]) -> str:
    """The words of messages, as frameworks that record plain text do."""
    texts = [part.get("content") for message in messages for part in message["parts"]]
    return "\n\n".join(text for text in texts if text)


_DIALECTS: dict[str, Callable[[Step], Said]] = {
    "otel": _otel,
    "openinference": _openinference,
    "openllmetry": _openllmetry,
}
