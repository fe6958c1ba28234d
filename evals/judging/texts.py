"""The words of captured content: what the user asked, and what the agent answered. Content comes in many forms."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

MOST = 200_000  # characters that are looked at


def answer_text(output: Any) -> str | None:
    """The text of an answer; None where nothing was captured. An answer that only calls tools has no text: ""."""
    if output is None:
        return None
    return _text(_last(output, "assistant"))[:MOST]


def asked_text(content: Any) -> str | None:
    """The text of what the user said last; None where nothing was captured."""
    if content is None:
        return None
    return _text(_last(content, "user"))[:MOST]


def asked_digest(content: Any) -> bytes | None:
    """The same for what is asked again in other case or spacing; None where there is no text."""
    text = asked_text(content)
    folded = " ".join(text.casefold().split()) if text else ""
    return hashlib.sha256(folded.encode()).digest() if folded else None


def is_refused_by_provider(output: Any) -> bool:
    """Does a part of the answer say by its type that it is a refusal?"""
    pieces = output if isinstance(output, list) else [output]
    return any(_has_refusal(piece) for piece in pieces[-20:])


def _last(content: Any, role: str) -> Any:
    """The last message of this role; of a list without roles, its last element; else the content itself."""
    if isinstance(content, dict) and isinstance(content.get("messages"), list):
        content = content["messages"]
    if not isinstance(content, list) or not content:
        return content
    if not all(isinstance(item, dict) and "role" in item for item in content):
        return content[-1] if all(isinstance(item, str) for item in content) else content
    for message in reversed(content):
        if str(message["role"]).lower() in (role, "model" if role == "assistant" else role):
            return message
    return content[-1]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | int | float):
        return "" if value is None else orjson.dumps(value).decode()
    if isinstance(value, list):
        return "\n".join(filter(None, (_part(part) for part in value)))
    if not isinstance(value, dict):
        return str(value)
    for key in ("parts", "content", "text", "output", "answer"):
        if key in value:
            return _text(value[key])
    return "" if "tool_calls" in value else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _part(part: Any) -> str:
    if isinstance(part, dict) and part.get("type", "text") not in ("text", "output_text", "input_text"):
        refusal = part.get("refusal")
        return refusal if isinstance(refusal, str) else ""  # calls of tools, reasoning, images
    return _text(part)


def _has_refusal(piece: Any) -> bool:
    if not isinstance(piece, dict):
        return False
    if piece.get("type") == "refusal" or (isinstance(piece.get("refusal"), str) and piece["refusal"]):
        return True
    parts = piece.get("parts", piece.get("content"))
    return isinstance(parts, list) and any(_has_refusal(part) for part in parts[-20:])
