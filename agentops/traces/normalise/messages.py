"""Chat messages of every dialect as OpenTelemetry writes them: `[{"role", "parts": [{"type", …}]}]`.

Parts become `text {content}`, `reasoning {content}`, `tool_call {id, name, arguments}` and
`tool_call_response {id, response}`; a part of another type stays as it is. Finish reasons leave the messages (they
are a field of the span).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agentops.traces.normalise.values import parsed

MAX_MESSAGES = 2000
Message = dict[str, Any]

_CALLS = frozenset({"tool_call", "tool-call", "tool_use", "function_call", "functionCall", "server_tool_use"})
_RESPONSES = frozenset(
    {"tool_call_response", "tool-result", "tool_result", "function_call_output", "functionResponse", "tool_response"}
)
_TEXTS = frozenset({"text", "input_text", "output_text"})
_REASONING = frozenset({"reasoning", "thinking"})


def messages(value: Any, role: str) -> list[Message] | Any:
    """Messages from what a dialect recorded; a value of no known shape comes back parsed, as it is.

    `role` is who speaks where the value is plain text.
    """
    found = parsed(value)
    if isinstance(found, str):
        return [{"role": role, "parts": [{"type": "text", "content": found}]}]
    if isinstance(found, dict):
        inner = found.get("messages", found.get("choices"))
        if isinstance(inner, list):
            found = inner
        elif "role" in found or "parts" in found or "tool_calls" in found:
            found = [found]
    if isinstance(found, list) and found and _are_messages(found):
        return [message(_inner(item) if "message" in item else item, role) for item in found[:MAX_MESSAGES]]
    return found


def message(raw: Message, role: str = "user") -> Message:
    """One message of any dialect."""
    speaker = raw.get("role")
    if not isinstance(speaker, str) or not speaker:
        speaker = role
    if speaker == "model":
        speaker = "assistant"
    source: Any = raw.get("parts")
    if source.__class__ is list and len(raw) == 2 and speaker == "assistant":
        return {"role": speaker, "parts": [_part(item) for item in source]}
    if source.__class__ is not list:
        source = raw.get("content")
    parts = _parts(source, raw, speaker)
    for call in _list(raw.get("tool_calls")):
        if isinstance(call, dict):
            parts.append(tool_call(call))
    legacy = raw.get("function_call")
    if isinstance(legacy, dict):
        parts.append(tool_call(legacy))
    if speaker == "user" and parts and all(part.get("type") == "tool_call_response" for part in parts):
        speaker = "tool"
    result: Message = {"role": speaker, "parts": parts}
    name = raw.get("name")
    if name and speaker != "tool":
        result["name"] = name
    return result


def tool_call(raw: Message) -> Message:
    """A request to call a tool, from OpenAI's, Anthropic's, Vercel's or OpenTelemetry's shape."""
    function = raw.get("function")
    inner: Message = function if isinstance(function, dict) else raw
    if isinstance(raw.get("functionCall"), dict):
        inner = raw["functionCall"]
    arguments = inner.get("arguments")
    for other in ("input", "args"):
        if arguments is None:
            arguments = inner.get(other)
    return {
        "type": "tool_call",
        "id": raw.get("id") or raw.get("toolCallId") or raw.get("call_id") or "",
        "name": inner.get("name") or inner.get("toolName") or "",
        "arguments": parsed(arguments),
    }


def split_system(found: list[Message]) -> tuple[list[Message], list[Message]]:
    """(parts of the leading system and developer messages, the other messages)."""
    parts: list[Message] = []
    for position, item in enumerate(found):
        if item["role"] not in ("system", "developer"):
            return parts, found[position:]
        parts.extend(item["parts"])
    return parts, []


def system_parts(value: Any) -> list[Message] | Any:
    """System instructions as a list of parts."""
    found = parsed(value)
    if isinstance(found, str):
        return [{"type": "text", "content": found}]
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list):
        return found
    parts: list[Message] = []
    for item in found:
        if isinstance(item, dict) and ("role" in item or isinstance(item.get("parts"), list)):
            parts.extend(message(item, "system")["parts"])
        else:
            parts.extend(_parts([item], {}, "system"))
    return parts


def parts_in(found: Any) -> Iterable[Message]:
    """The parts of canonical messages; nothing for content of another shape."""
    if isinstance(found, list):
        for item in found:
            if item.__class__ is dict:
                for part in _list(item.get("parts")):
                    if part.__class__ is dict:
                        yield part


def finish_reasons_in(value: Any) -> list[Any]:
    """finish_reason of each message or choice of a raw message list."""
    found = parsed(value)
    if isinstance(found, dict):
        found = found.get("choices", [found])
    return [
        reason
        for item in _list(found)
        if isinstance(item, dict) and (reason := item.get("finish_reason") or item.get("finishReason"))
    ]


def _inner(item: Message) -> Message:
    """The message of a choice, as in OpenAI's response body."""
    inner = item["message"]
    return inner if isinstance(inner, dict) else item


def _are_messages(found: list[Any]) -> bool:
    for item in found:
        if not isinstance(item, dict):
            return False
        if "role" not in item and "parts" not in item and not isinstance(item.get("message"), dict):
            return False
    return True


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _parts(content: Any, raw: Message, speaker: str) -> list[Message]:
    if speaker == "tool" and not _holds_response(content):
        call_id = raw.get("tool_call_id") or raw.get("id") or ""
        return [] if content is None else [_response(call_id, _plain(content))]
    if content is None or content == "":
        return []
    if content.__class__ is str:
        if content[0] == "[":
            found = parsed(content)
            if isinstance(found, list) and found and all(isinstance(item, dict) and "type" in item for item in found):
                return [_part(item) for item in found]
        return [{"type": "text", "content": content}]
    if isinstance(content, list):
        return [_part(item) for item in content]
    return [_part(content)]


def _holds_response(content: Any) -> bool:
    return isinstance(content, list) and any(
        isinstance(item, dict) and (_type(item) in _RESPONSES or "functionResponse" in item) for item in content
    )


def _type(part: Message) -> str:
    kind = part.get("type")
    return kind if isinstance(kind, str) else ""


def _plain(content: Any) -> Any:
    """A tool message's content: one text part is its text, JSON text is its value."""
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        part = content[0]
        if _type(part) in _TEXTS:
            content = part.get("content", part.get("text"))
    return parsed(content)


def _response(call_id: Any, response: Any) -> Message:
    return {"type": "tool_call_response", "id": call_id, "response": response}


def _part(item: Any) -> Message:
    if item.__class__ is not dict:
        return {"type": "text", "content": item if isinstance(item, str) else str(item)}
    kind = _type(item)
    if kind == "text" and len(item) == 2 and "content" in item:
        return item  # type: ignore[no-any-return]
    if not kind:
        if "functionCall" in item:
            kind = "functionCall"
        elif "functionResponse" in item:
            kind = "functionResponse"
        elif "text" in item or "content" in item:
            kind = "text"
    if kind in _TEXTS:
        return {"type": "text", "content": item.get("content", item.get("text"))}
    if kind in _CALLS:
        return tool_call(item)
    if kind in _RESPONSES:
        return _tool_response(item)
    if kind in _REASONING:
        return {
            "type": "reasoning",
            "content": item.get("content") or item.get("text") or item.get("thinking") or item.get("reasoning"),
        }
    return dict(item)


def _tool_response(item: Message) -> Message:
    inner = item.get("functionResponse")
    source = inner if isinstance(inner, dict) else item
    response = None
    for key in ("response", "result", "output", "content"):
        response = source.get(key)
        if response is not None:
            break
    if isinstance(response, dict) and response.keys() == {"type", "value"}:
        response = response["value"]  # Vercel: {"type": "json", "value": …}
    call_id = item.get("id") or item.get("toolCallId") or item.get("tool_use_id") or item.get("call_id") or ""
    return _response(call_id, _plain(response))
