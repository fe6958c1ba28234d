"""Messages as people read them: who speaks, the text, and what is asked of tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_ROLES = {
    "system": "System", "developer": "Developer", "user": "User", "assistant": "Assistant", "model": "Assistant",
    "tool": "Tool", "function": "Tool",
}  # fmt: skip
_TONES = {"System": "system", "Developer": "system", "User": "user", "Assistant": "assistant", "Tool": "tool"}
LATEST = 6  # messages of a long input that are shown unfolded


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message: text, or (with a `label`) a value to unfold."""

    text: str = ""
    label: str = ""
    value: Any = None
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `tone` is a class of static/css/runs.css."""

    speaker: str
    tone: str
    parts: list[Part] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Talk:
    """A list of messages; a long one begins folded."""

    earlier: Sequence[Message]
    latest: Sequence[Message]


def talk(content: Any) -> Talk | None:
    """A message list, or None where the content is none."""
    if not isinstance(content, list) or not content or not all(_is_message(item) for item in content):
        return None
    messages = [_message(item) for item in content]
    cut = max(0, len(messages) - LATEST)
    return Talk(earlier=messages[:cut], latest=messages[cut:])


def instructions_text(content: Any) -> Any:
    """System instructions as one text, where they are text; otherwise as they are."""
    if isinstance(content, list) and content and all(_text_of(part) is not None for part in content):
        return "\n\n".join(_text_of(part) or "" for part in content)
    return content


def _is_message(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("role"), str)


def _message(item: dict[str, Any]) -> Message:
    role = item["role"].lower()
    speaker = _ROLES.get(role, item["role"][:40] or "Somebody")
    content = item.get("parts", item.get("content"))
    pieces = content if isinstance(content, list) else [] if content is None else [content]
    parts = [part for piece in pieces if (part := _part(piece)) is not None]
    return Message(speaker=speaker, tone=_TONES.get(speaker, "other"), parts=parts)


def _part(piece: Any) -> Part | None:
    text = _text_of(piece)
    if text is not None:
        return Part(text=text) if text else None
    if not isinstance(piece, dict):
        return Part(label="Value", value=piece)
    match piece.get("type"):
        case "tool_call":
            return Part(label=f"Asks for {piece.get('name') or 'a tool'}", value=piece.get("arguments", {}))
        case "tool_call_response":
            name = piece.get("name") or piece.get("id") or "a tool"
            return Part(label=f"Answer of {name}", value=piece.get("response", piece.get("result")))
        case "reasoning":
            return Part(label="Reasoning", value=piece.get("content") or "(not sent)", is_open=False)
        case kind:
            return Part(label=str(kind or "Part").replace("_", " ").capitalize()[:60], value=piece, is_open=False)


def _text_of(piece: Any) -> str | None:
    if isinstance(piece, str):
        return piece
    if isinstance(piece, dict) and piece.get("type", "text") == "text":
        found = piece.get("content", piece.get("text"))
        return found if isinstance(found, str) else None
    return None
