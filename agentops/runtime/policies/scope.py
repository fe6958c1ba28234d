"""The scope of a run, which may only ever be narrower than its parent's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def narrowed(asked: Mapping[str, Any], *, within: Mapping[str, Any] | None) -> dict[str, Any]:
    """A scope in its stored form: `tools` (absent: all that are granted) and `user`, the facts about the user.

    A child's tools are those that its parent has too; its facts are its parent's, and where it states one itself, what
    both state. What the parent does not state, the child cannot.
    """
    tools = asked.get("tools")
    user = {name: value for name, value in asked.items() if name not in ("tools", "user")} | dict(asked.get("user", {}))
    if within is None:
        return {"user": user} | ({} if tools is None else {"tools": list(tools)})
    outer_tools, outer_user = within.get("tools"), within.get("user", {})
    if outer_tools is not None:
        tools = list(outer_tools) if tools is None else [tool for tool in tools if tool in outer_tools]
    facts = {name: _both(user[name], value) if name in user else value for name, value in outer_user.items()}
    return {"user": facts} | ({} if tools is None else {"tools": list(tools)})


def _both(inner: Any, outer: Any) -> Any:
    if isinstance(outer, list):
        wanted = inner if isinstance(inner, list) else [inner]
        return [value for value in wanted if value in outer]
    return inner if inner == outer else None
