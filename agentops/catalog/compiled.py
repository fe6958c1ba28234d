"""Tool versions, compiled once per process."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from agentops.catalog.cache import Bounded
from agentops.catalog.checks import Rule, RuleChecks, SchemaCheck, TierRaise
from agentops.catalog.types import ArgumentSchema, Rejection, RuleSet

_TOOLS_MOST = 5_000


@dataclass(frozen=True, slots=True)
class Compiled:
    """A definition with its checks."""

    definition: Mapping[str, Any]
    schema: ArgumentSchema
    rules: RuleSet


_compiled: Bounded[uuid.UUID, Compiled] = Bounded(_TOOLS_MOST)


def tool_version(tool_version_id: uuid.UUID, definition: str) -> Compiled:
    """The checks of a tool version; its definition never changes."""
    found = _compiled.get(tool_version_id)
    if found is None:
        found = compile_definition(orjson.loads(definition))
        _compiled.put(tool_version_id, found)
    return found


def compile_definition(definition: Mapping[str, Any]) -> Compiled:
    """The checks of a definition. One that cannot be compiled (any more) lets nothing through."""
    try:
        schema = SchemaCheck(definition["arguments"])
        rules = RuleChecks(
            [Rule(**rule) for rule in definition["rules"]],
            [TierRaise(when=each["when"], because=each["because"]) for each in definition["raise_tier"]],
        )
    except ValueError:
        return Compiled(definition, _Unreadable(), RuleChecks())
    return Compiled(definition, schema, rules)


class _Unreadable:
    """Stands for a schema that this version of the portal no longer compiles."""

    def check(self, arguments: Any) -> list[Rejection]:
        return [
            Rejection(
                code="arguments_invalid",
                pointer="",
                expected="a tool whose definition can be checked",
                hint="the definition of this tool cannot be read any more; an admin must apply its manifest again",
            )
        ]
