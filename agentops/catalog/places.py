"""The places of a tool's arguments, as its schema describes them: for people who say something about each.

Looks through `properties`, references inside the schema, and branches (`allOf`, `anyOf`, `oneOf`). A list is one place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agentops.catalog import pointers

PLACES_MOST = 100
_BRANCHES = ("allOf", "anyOf", "oneOf")
_DEPTH_MOST = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One argument, or one member of one. `kind` is text, integer, number, boolean, list, object or any."""

    pointer: str
    kind: str
    choices: tuple[Any, ...] = ()  # the only values there are, where the schema says so
    is_required: bool = False
    description: str = ""

    @property
    def name(self) -> str:
        """As people read it: without the first slash."""
        return self.pointer[1:].replace("~1", "/").replace("~0", "~")


def places(schema: Mapping[str, Any]) -> list[Place]:
    """Every place that holds a value by itself, in the schema's order, at most PLACES_MOST."""
    return list(_leaves(schema, schema, "", True, 0))[:PLACES_MOST]


def is_place(schema: Mapping[str, Any], pointer: str) -> bool:
    """Does the schema describe what is at a pointer?"""
    found = [schema]
    for part in pointers.parts(pointer):
        found = [
            each["properties"][part] for one in found for each in _views(schema, one, 0) if part in _properties(each)
        ]
    return bool(found) and pointer != ""


def _leaves(
    root: Mapping[str, Any], schema: Mapping[str, Any], pointer: str, is_required: bool, depth: int
) -> Iterator[Place]:
    views = list(_views(root, schema, 0))
    members = {name: inner for view in views for name, inner in _properties(view).items()}
    if not members or depth > _DEPTH_MOST:
        if pointer:
            yield _place(views, pointer, is_required)
        return
    required = {name for view in views for name in view.get("required", ())}
    for name, inner in members.items():
        yield from _leaves(
            root, inner, f"{pointer}/{pointers.escape(name)}", is_required and name in required, depth + 1
        )


def _place(views: list[Mapping[str, Any]], pointer: str, is_required: bool) -> Place:
    kinds = {kind for view in views for kind in _types(view) if kind != "null"}
    choices = next(
        (
            tuple(view["enum"]) if "enum" in view else (view["const"],)
            for view in views
            if {"enum", "const"} & set(view)
        ),
        (),
    )
    names = {"string": "text", "array": "list"}
    kind = names.get(one := kinds.pop(), one) if len(kinds) == 1 else "any"
    said = next((view["description"] for view in views if isinstance(view.get("description"), str)), "")
    return Place(pointer=pointer, kind=kind, choices=choices, is_required=is_required, description=said[:300])


def _views(root: Mapping[str, Any], schema: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """A schema with those that it stands for."""
    if not isinstance(schema, Mapping) or depth > _DEPTH_MOST:
        return
    yield schema
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        yield from _views(root, pointers.find(reference[1:], root) if reference != "#" else root, depth + 1)
    for branch in _BRANCHES:
        for inner in schema.get(branch, ()):
            yield from _views(root, inner, depth + 1)


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found = schema.get("properties")
    return found if isinstance(found, Mapping) else {}


def _types(schema: Mapping[str, Any]) -> list[str]:
    found = schema.get("type", [])
    return [found] if isinstance(found, str) else list(found)
