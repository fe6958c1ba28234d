"""One logical run in every dialect: an agent asks a model, calls a tool, asks again and answers.

Each function gives the spans of that run as its instrumentation would send them (`otlp_build.span` dicts).
"""

from __future__ import annotations

import json
from typing import Any

from tests.traces.otlp_build import span

SYSTEM, QUESTION, ANSWER = "Be kind.", "Weather in Paris?", "It is sunny in Paris."
ARGUMENTS, RESULT = {"city": "Paris"}, {"sky": "sunny"}
MODEL, ANSWERED_BY = "gpt-4o", "gpt-4o-2024-08-06"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FLAT_TOOL = {"type": "function", "name": "get_weather", "description": "The weather", "parameters": SCHEMA}
OPENAI_TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": "The weather", "parameters": SCHEMA},
}
RESOURCE = {"service.name": "shop", "service.version": "1.2.3", "deployment.environment.name": "prod"}

_TEXT = {"type": "text", "content": ANSWER}
_CALL = {"type": "tool_call", "id": "call_1", "name": "get_weather", "arguments": ARGUMENTS}
_OPENAI_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": json.dumps(ARGUMENTS)},
}


def _four(
    root: dict[str, Any], first: dict[str, Any], tool: dict[str, Any], last: dict[str, Any], /, **names: str
) -> list[dict[str, Any]]:
    return [
        span(names.get("llm", "chat gpt-4o"), span_id=2, parent=1, kind=3, attributes=first),
        span(names.get("tool", "execute_tool get_weather"), span_id=3, parent=1, attributes=tool),
        span(names.get("llm", "chat gpt-4o"), span_id=4, parent=1, kind=3, attributes=last),
        span(names.get("root", "invoke_agent weather"), span_id=1, attributes=root),
    ]


def otel() -> list[dict[str, Any]]:
    """OpenTelemetry GenAI as of 2026: parts, structured attributes, inclusive usage."""
    ids = {"gen_ai.agent.name": "weather", "session.id": "s1", "user.id": "u1"}
    user = {"role": "user", "parts": [{"type": "text", "content": QUESTION}]}
    reply = {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": RESULT}]}

    def chat(messages: list[Any], answer: Any, reason: str) -> dict[str, Any]:
        return {
            **ids,
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": MODEL,
            "gen_ai.response.model": ANSWERED_BY,
            "gen_ai.system_instructions": json.dumps([{"type": "text", "content": SYSTEM}]),
            "gen_ai.input.messages": json.dumps(messages),
            "gen_ai.output.messages": [{"role": "assistant", "parts": [answer], "finish_reason": reason}],
            "gen_ai.tool.definitions": json.dumps([FLAT_TOOL]),
            "gen_ai.response.finish_reasons": [reason],
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.cache_read.input_tokens": 40,
            "gen_ai.usage.cache_write.input_tokens": 10,
            "gen_ai.usage.reasoning.output_tokens": 5,
        }

    return _four(
        {
            **ids,
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.input.messages": json.dumps([user]),
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [_TEXT]}]),
        },
        chat([user], _CALL, "tool_call"),
        {
            **ids,
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "get_weather",
            "gen_ai.tool.call.id": "call_1",
            "gen_ai.tool.call.arguments": ARGUMENTS,
            "gen_ai.tool.call.result": json.dumps(RESULT),
        },
        chat([user, {"role": "assistant", "parts": [_CALL]}, reply], _TEXT, "stop"),
    )


def otel_old() -> list[dict[str, Any]]:
    """OpenTelemetry GenAI up to 1.36: gen_ai.system, prompt_tokens, messages as span events."""
    ids = {"gen_ai.agent.name": "weather", "session.id": "s1", "user.id": "u1"}
    asked = [("gen_ai.system.message", {"content": SYSTEM}), ("gen_ai.user.message", {"content": QUESTION})]
    called = ("gen_ai.assistant.message", {"tool_calls": json.dumps([_OPENAI_CALL])})
    replied = ("gen_ai.tool.message", {"content": json.dumps(RESULT), "id": "call_1"})

    def chat(reason: str) -> dict[str, Any]:
        return {
            **ids,
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.request.model": MODEL,
            "gen_ai.response.model": ANSWERED_BY,
            "gen_ai.response.finish_reasons": [reason],
            "gen_ai.usage.prompt_tokens": 100,
            "gen_ai.usage.completion_tokens": 20,
            "gen_ai.usage.cache_read_input_tokens": 40,
            "gen_ai.usage.cache_creation_input_tokens": 10,
            "gen_ai.usage.reasoning_tokens": 5,
            "gen_ai.tool.definitions": json.dumps([OPENAI_TOOL]),
        }

    def choice(message: dict[str, Any], reason: str) -> tuple[str, dict[str, Any]]:
        return ("gen_ai.choice", {"index": 0, "finish_reason": reason, "message": json.dumps(message)})

    spans = _four(
        {**ids, "gen_ai.operation.name": "invoke_agent"},
        chat("tool_calls"),
        {
            **ids,
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "get_weather",
            "gen_ai.tool.call.id": "call_1",
            "gen_ai.tool.call.arguments": json.dumps(ARGUMENTS),
            "gen_ai.tool.call.result": json.dumps(RESULT),
        },
        chat("stop"),
    )
    spans[0]["events"] = [*asked, choice({"role": "assistant", "tool_calls": [_OPENAI_CALL]}, "tool_calls")]
    spans[2]["events"] = [*asked, called, replied, choice({"role": "assistant", "content": ANSWER}, "stop")]
    spans[3]["events"] = [("gen_ai.user.message", {"content": QUESTION}), choice({"content": ANSWER}, "stop")]
    return spans


def openinference() -> list[dict[str, Any]]:
    """OpenInference: flattened messages, `input.value`, context attributes."""
    ids = {"session.id": "s1", "user.id": "u1", "agent.name": "weather"}

    def chat(messages: list[dict[str, Any]], output: dict[str, Any], reason: str) -> dict[str, Any]:
        found: dict[str, Any] = {
            **ids,
            "openinference.span.kind": "LLM",
            "llm.system": "openai",
            "llm.invocation_parameters": json.dumps({"model": MODEL, "temperature": 0}),
            "llm.model_name": ANSWERED_BY,
            "llm.finish_reason": reason,
            "llm.token_count.prompt": 100,
            "llm.token_count.completion": 20,
            "llm.token_count.total": 120,
            "llm.token_count.prompt_details.cache_read": 40,
            "llm.token_count.prompt_details.cache_write": 10,
            "llm.token_count.completion_details.reasoning": 5,
            "llm.tools.0.tool.json_schema": json.dumps(OPENAI_TOOL),
            "input.value": json.dumps({"messages": "the whole request"}),
            "input.mime_type": "application/json",
        }
        for index, item in enumerate(messages):
            for key, value in item.items():
                found[f"llm.input_messages.{index}.message.{key}"] = value
        for key, value in output.items():
            found[f"llm.output_messages.0.message.{key}"] = value
        return found

    call = {
        "role": "assistant",
        "tool_calls.0.tool_call.id": "call_1",
        "tool_calls.0.tool_call.function.name": "get_weather",
        "tool_calls.0.tool_call.function.arguments": json.dumps(ARGUMENTS),
    }
    asked = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
    return _four(
        {
            **ids,
            "openinference.span.kind": "AGENT",
            "input.value": QUESTION,
            "input.mime_type": "text/plain",
            "output.value": ANSWER,
            "output.mime_type": "text/plain",
        },
        chat(asked, call, "tool_calls"),
        {
            **ids,
            "openinference.span.kind": "TOOL",
            "tool.name": "get_weather",
            "tool.id": "call_1",
            "tool.parameters": json.dumps(SCHEMA),
            "input.value": json.dumps(ARGUMENTS),
            "output.value": json.dumps(RESULT),
        },
        chat(
            [*asked, call, {"role": "tool", "tool_call_id": "call_1", "content": json.dumps(RESULT)}],
            {"role": "assistant", "content": ANSWER},
            "stop",
        ),
        root="agent",
        llm="ChatCompletion",
        tool="get_weather",
    )


def openllmetry() -> list[dict[str, Any]]:
    """OpenLLMetry's old form: indexed prompts and completions."""
    ids = {
        "traceloop.workflow.name": "weather",
        "traceloop.association.properties.session_id": "s1",
        "traceloop.association.properties.user_id": "u1",
    }

    def chat(messages: list[dict[str, Any]], output: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {
            **ids,
            "llm.request.type": "chat",
            "gen_ai.system": "OpenAI",
            "gen_ai.request.model": MODEL,
            "gen_ai.response.model": ANSWERED_BY,
            "gen_ai.usage.prompt_tokens": 100,
            "gen_ai.usage.completion_tokens": 20,
            "llm.usage.total_tokens": 120,
            "gen_ai.usage.cache_read_input_tokens": 40,
            "gen_ai.usage.cache_creation_input_tokens": 10,
            "gen_ai.usage.reasoning_tokens": 5,
            "llm.request.functions.0.name": "get_weather",
            "llm.request.functions.0.description": "The weather",
            "llm.request.functions.0.parameters": json.dumps(SCHEMA),
        }
        for index, item in enumerate(messages):
            for key, value in item.items():
                found[f"gen_ai.prompt.{index}.{key}"] = value
        for key, value in output.items():
            found[f"gen_ai.completion.0.{key}"] = value
        return found

    call = {
        "role": "assistant",
        "tool_calls.0.id": "call_1",
        "tool_calls.0.name": "get_weather",
        "tool_calls.0.arguments": json.dumps(ARGUMENTS),
    }
    asked = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
    return _four(
        {
            **ids,
            "traceloop.span.kind": "workflow",
            "traceloop.entity.name": "weather",
            "traceloop.entity.input": QUESTION,
            "traceloop.entity.output": ANSWER,
        },
        chat(asked, {**call, "finish_reason": "tool_calls"}),
        {
            **ids,
            "traceloop.span.kind": "tool",
            "traceloop.entity.name": "get_weather",
            "tool_call.id": "call_1",
            "traceloop.entity.input": json.dumps(ARGUMENTS),
            "traceloop.entity.output": json.dumps(RESULT),
        },
        chat(
            [*asked, call, {"role": "tool", "tool_call_id": "call_1", "content": json.dumps(RESULT)}],
            {"role": "assistant", "content": ANSWER, "finish_reason": "stop"},
        ),
        root="weather.workflow",
        llm="openai.chat",
        tool="get_weather.tool",
    )


def langfuse() -> list[dict[str, Any]]:
    """Langfuse SDK: observations, additive usage buckets, OpenAI's messages."""
    ids = {"langfuse.trace.name": "weather", "session.id": "s1", "user.id": "u1", "langfuse.environment": "prod"}
    asked = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]

    def chat(messages: list[Any], output: dict[str, Any], reason: str) -> dict[str, Any]:
        return {
            **ids,
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": ANSWERED_BY,
            "gen_ai.request.model": MODEL,
            "gen_ai.provider.name": "openai",
            "langfuse.observation.input": json.dumps({"messages": messages, "tools": [OPENAI_TOOL]}),
            "langfuse.observation.output": json.dumps(output),
            "gen_ai.response.finish_reasons": [reason],
            "langfuse.observation.usage_details": json.dumps(
                {
                    "input": 50,
                    "input_cached_tokens": 40,
                    "input_cache_creation": 10,
                    "output": 15,
                    "output_reasoning_tokens": 5,
                    "total": 120,
                }
            ),
        }

    call = {"role": "assistant", "content": None, "tool_calls": [_OPENAI_CALL]}
    return _four(
        {
            **ids,
            "langfuse.observation.type": "agent",
            "langfuse.observation.input": QUESTION,
            "langfuse.observation.output": ANSWER,
        },
        chat(asked, call, "tool_calls"),
        {
            **ids,
            "langfuse.observation.type": "tool",
            "tool_call.id": "call_1",
            "langfuse.observation.input": json.dumps(ARGUMENTS),
            "langfuse.observation.output": json.dumps(RESULT),
        },
        chat(
            [*asked, call, {"role": "tool", "tool_call_id": "call_1", "content": json.dumps(RESULT)}],
            {"role": "assistant", "content": ANSWER},
            "stop",
        ),
        root="weather",
        llm="OpenAI-generation",
        tool="get_weather",
    )


def logfire() -> list[dict[str, Any]]:
    """pydantic-ai as Logfire sees it, instrumentation version 5; with a pending span, to be dropped."""
    ids = {"gen_ai.agent.name": "weather", "session.id": "s1", "user.id": "u1", "logfire.span_type": "span"}
    system = {"role": "system", "parts": [{"type": "text", "content": SYSTEM}]}
    user = {"role": "user", "parts": [{"type": "text", "content": QUESTION}]}
    # Arguments as text, and a tool's result in the role "user", under "result".
    call = {"role": "assistant", "parts": [{**_CALL, "arguments": json.dumps(ARGUMENTS)}], "finish_reason": "tool_call"}
    reply = {
        "role": "user",
        "parts": [{"type": "tool_call_response", "id": "call_1", "name": "get_weather", "result": RESULT}],
    }
    last = {"role": "assistant", "parts": [_TEXT], "finish_reason": "stop"}

    def chat(messages: list[Any], output: dict[str, Any], reason: str) -> dict[str, Any]:
        return {
            **ids,
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": MODEL,
            "gen_ai.response.model": ANSWERED_BY,
            "gen_ai.input.messages": json.dumps(messages),
            "gen_ai.output.messages": json.dumps([output]),
            "gen_ai.response.finish_reasons": [reason],
            "model_request_parameters": json.dumps(
                {
                    "function_tools": [
                        {"name": "get_weather", "description": "The weather", "parameters_json_schema": SCHEMA}
                    ]
                }
            ),
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.details.cache_read_tokens": 40,
            "gen_ai.usage.cache_creation.input_tokens": 10,
            "gen_ai.usage.details.reasoning_tokens": 5,
        }

    spans = _four(
        {
            **ids,
            "agent_name": "weather",
            "model_name": MODEL,
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.aggregated_usage.input_tokens": 200,
            "gen_ai.aggregated_usage.output_tokens": 40,
            "pydantic_ai.all_messages": json.dumps([system, user, call, reply, last]),
            "final_result": ANSWER,
        },
        chat([system, user], call, "tool_call"),
        {
            **ids,
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "get_weather",
            "gen_ai.tool.call.id": "call_1",
            "tool_arguments": json.dumps(ARGUMENTS),
            "tool_response": json.dumps(RESULT),
        },
        chat([system, user, call, reply], last, "stop"),
    )
    pending = span("chat gpt-4o", span_id=77, parent=2, attributes={**ids, "logfire.span_type": "pending_span"})
    return [pending, *spans]


def vercel() -> list[dict[str, Any]]:
    """Vercel AI SDK, versions 4 to 6: the outer span repeats the usage of the inner ones."""
    ids = {
        "ai.telemetry.functionId": "weather",
        "ai.telemetry.metadata.userId": "u1",
        "ai.telemetry.metadata.sessionId": "s1",
        "resource.name": "weather",
    }

    def chat(messages: list[Any], output: dict[str, Any], reason: str) -> dict[str, Any]:
        return {
            **ids,
            "operation.name": "ai.generateText.doGenerate weather",
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.id": MODEL,
            "ai.model.provider": "openai.chat",
            "ai.response.model": ANSWERED_BY,
            "ai.response.finishReason": reason,
            "ai.prompt.messages": json.dumps(messages),
            "ai.prompt.tools": [
                json.dumps(
                    {"type": "function", "name": "get_weather", "description": "The weather", "inputSchema": SCHEMA}
                )
            ],
            **output,
            "ai.usage.inputTokens": 100,
            "ai.usage.outputTokens": 20,
            "ai.usage.inputTokenDetails.cacheReadTokens": 40,
            "ai.usage.inputTokenDetails.cacheWriteTokens": 10,
            "ai.usage.inputTokenDetails.noCacheTokens": 50,
            "ai.usage.reasoningTokens": 5,
            "ai.request.headers.authorization": "Bearer very-secret",
        }

    asked = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": [{"type": "text", "text": QUESTION}]}]
    call = {"type": "tool-call", "toolCallId": "call_1", "toolName": "get_weather", "input": ARGUMENTS}
    reply = {
        "type": "tool-result",
        "toolCallId": "call_1",
        "toolName": "get_weather",
        "output": {"type": "json", "value": RESULT},
    }
    return _four(
        {
            **ids,
            "operation.name": "ai.generateText weather",
            "ai.operationId": "ai.generateText",
            "ai.model.id": MODEL,
            "ai.prompt": json.dumps({"system": SYSTEM, "prompt": QUESTION}),
            "ai.response.text": ANSWER,
            "ai.usage.inputTokens": 200,
            "ai.usage.outputTokens": 40,
        },
        chat(
            asked,
            {
                "ai.response.toolCalls": json.dumps(
                    [{"toolCallId": "call_1", "toolName": "get_weather", "input": json.dumps(ARGUMENTS)}]
                )
            },
            "tool-calls",
        ),
        {
            **ids,
            "ai.operationId": "ai.toolCall",
            "ai.toolCall.name": "get_weather",
            "ai.toolCall.id": "call_1",
            "ai.toolCall.args": json.dumps(ARGUMENTS),
            "ai.toolCall.result": json.dumps(RESULT),
        },
        chat(
            [*asked, {"role": "assistant", "content": [call]}, {"role": "tool", "content": [reply]}],
            {"ai.response.text": ANSWER},
            "stop",
        ),
        root="ai.generateText",
        llm="ai.generateText.doGenerate",
        tool="ai.toolCall",
    )


DIALECTS = {
    "otel": otel,
    "otel_old": otel_old,
    "openinference": openinference,
    "openllmetry": openllmetry,
    "langfuse": langfuse,
    "logfire": logfire,
    "vercel": vercel,
}
