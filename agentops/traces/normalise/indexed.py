"""Flattened lists put together again: `llm.input_messages.0.message.role` and its relatives.

Indexes come from the sender, so none is trusted as a size: the indexes that were seen are sorted and the list holds
just those, at most `MAX_ITEMS` of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agentops.traces.normalise.messages import Message, message
from agentops.traces.normalise.values import parsed

MAX_ITEMS = 2000


def unflattened(attributes: Mapping[str, Any], entries: Iterable[tuple[str, tuple[str | int, ...]]]) -> list[Any]:
    """A list from (key, path) entries, whose paths begin with the index."""
    root: dict[str | int, Any] = {}
    for key, path in entries:
        node = root
        for part in path[:-1]:
            child = node.get(part)
            if not isinstance(child, dict):
                child = node[part] = {}
            node = child
        if node.get(path[-1]).__class__ is not dict:
            node[path[-1]] = attributes[key]
    found = _lists(root)
    return found if isinstance(found, list) else list(root.values())


def openinference_messages(items: list[Any], role: str) -> list[Message]:
    """Messages from `llm.input_messages` / `llm.output_messages`."""
    found = (item.get("message", item) for item in items if isinstance(item, dict))
    return [message(_openinference(raw), role) for raw in found if isinstance(raw, dict)]


def openllmetry_messages(items: list[Any], role: str) -> list[Message]:
    """Messages from `gen_ai.prompt` / `gen_ai.completion`."""
    return [message(item, role) for item in items if isinstance(item, dict)]


def documents(items: list[Any]) -> list[Any]:
    """Retrieved documents, with metadata parsed."""
    found: list[Any] = []
    for item in items:
        document = item.get("document", item) if isinstance(item, dict) else item
        if isinstance(document, dict):
            document = {key: parsed(value) if key == "metadata" else value for key, value in document.items()}
        found.append(document)
    return found


def _openinference(raw: Message) -> Message:
    found = dict(raw)
    contents = found.pop("contents", None)
    if isinstance(contents, list):
        found["content"] = [_content(item) for item in contents]
    calls = found.get("tool_calls")
    if isinstance(calls, list):
        found["tool_calls"] = [call.get("tool_call", call) for call in calls if isinstance(call, dict)]
    name, arguments = found.pop("function_call_name", None), found.pop("function_call_arguments_json", None)
    if name:
        found["function_call"] = {"name": name, "arguments": arguments}
    return found


def _content(item: Any) -> Any:
    return item.get("message_content", item) if isinstance(item, dict) else item


def _lists(node: dict[str | int, Any]) -> Any:
    for key, child in node.items():
        if child.__class__ is dict:
            node[key] = _lists(child)
    if node and all(key.__class__ is int for key in node):
        return [node[index] for index in sorted(node, key=int)[:MAX_ITEMS]]
    return {str(key): child for key, child in node.items()}
