"""A case drafted from a recorded run: its input, its calls, and what a person should say of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evals.sets import tapes
from evals.sets.recordings import TOOLS_MOST

_TITLE_MOST = 120


def of_tape(tape: Mapping[str, Any], *, provenance: Mapping[str, str]) -> dict[str, Any]:
    """A case's content. Its expectations say what the run did, to be made into what it should have done."""
    given = _input(tape["input"])
    called = list(dict.fromkeys(step["tool"] for step in tape["steps"] if step["kind"] == "tool"))
    expect: list[dict[str, Any]] = [{"kind": "calls_in_order", "tools": called[:50]}] if called else []
    expect.append({"kind": "max_calls", "most": max(1, sum(step["kind"] == "tool" for step in tape["steps"]))})
    return {
        "title": _title(given),
        "tags": ["from-trace"],
        "agent": tape["agent"] or None,
        "input": given,
        "tools": [_named(entry) for entry in tapes.recordings(tape)[:TOOLS_MOST]],
        "expect": expect,
        "provenance": dict(provenance),
    }


def _input(value: Any) -> Any:
    """A text where one person said one thing; a conversation as the case form writes it; else as it is."""
    if not isinstance(value, list) or not value or not all(isinstance(each, dict) and "role" in each for each in value):
        return "" if value is None else value
    messages = [
        {"role": str(each["role"]), "content": text}
        for each in value
        if each["role"] in ("system", "user", "assistant") and (text := _text(each.get("parts", each.get("content"))))
    ]
    said = [each for each in messages if each["role"] == "user"]
    return said[0]["content"] if len(said) == 1 and len(messages) <= 2 else {"messages": messages}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(filter(None, map(_text, content)))
    if isinstance(content, dict):
        return _text(content.get("content", content.get("text")))
    return ""


def _title(given: Any) -> str:
    text = given if isinstance(given, str) else ""
    if isinstance(given, dict):
        text = next((m["content"] for m in reversed(given.get("messages", ())) if m["role"] == "user"), "")
    line = " ".join(text.split())
    return line[:_TITLE_MOST] or "A recorded run"


def _named(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded call with the names that the form takes; a tool without a name cannot be recorded."""
    return {"tool": (entry["tool"] or "unnamed")[:200], **{k: v for k, v in entry.items() if k != "tool"}}
