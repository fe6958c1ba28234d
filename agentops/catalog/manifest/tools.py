"""The tools of a manifest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agentops.catalog import pointers, scopes
from agentops.catalog.checks import rules as rule_checks
from agentops.catalog.checks import schemas
from agentops.catalog.manifest.forms import ToolForm
from agentops.catalog.policies import DEFAULT_TIER, HIGHEST_TIER, needs_reason
from agentops.catalog.types import Effect, Reversal
from agentops.common import characters
from agentops.common.characters import Kind
from agentops.common.errors import InputProblem
from agentops.common.reading import Reading

TOOLS_MOST = 200
RULES_MOST = 20
RAISES_MOST = 10
POINTERS_MOST = 20
_TOOL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,127}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+:-]{0,99}")
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_PATH = re.compile(rf"(?:{'|'.join(scopes.ROOTS)})(?:\.[A-Za-z_][A-Za-z0-9_-]{{0,99}}){{1,5}}")
_PLACE = re.compile(r"\{([^{}]*)\}")


def read_tools(value: Any, problems: list[InputProblem], warnings: list[InputProblem]) -> list[ToolForm]:
    """The tools; adds to the problems and warnings what there is to say."""
    if value is None:
        return []
    if not isinstance(value, list):
        problems.append(
            InputProblem("/tools", "type", "a list of tools is expected, each by itself: all tools cannot be granted")
        )
        return []
    if len(value) > TOOLS_MOST:
        problems.append(InputProblem("/tools", "too_many", f"at most {TOOLS_MOST} tools are taken"))
        return []
    found: list[ToolForm] = []
    for place, item in enumerate(value):
        tool = _Tool(item, f"/tools/{place}").read(problems, warnings)
        if any(tool.name == other.name for other in found):
            problems.append(InputProblem(f"/tools/{place}/name", "duplicate", "this tool was named before"))
        found.append(tool)
    return found


def _hidden(value: Any, at: str) -> Iterator[InputProblem]:
    """Characters that a reviewer does not see and a model reads, in all texts of a value."""
    if isinstance(value, str):
        for finding in characters.findings(value):
            if finding.kind in (Kind.INVISIBLE, Kind.BIDIRECTIONAL):
                detail = f"models read what no reviewer sees: only visible characters are taken, not {finding.name}"
                yield InputProblem(at, "hidden_characters", detail)
                return
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _hidden(name, at)
            yield from _hidden(inner, f"{at}/{pointers.escape(name)}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _hidden(inner, f"{at}/{place}")


class _Tool:
    def __init__(self, value: Any, pointer: str) -> None:
        self.pointer = pointer
        self.reading = Reading(value, pointer=pointer)
        self.inner: list[InputProblem] = []
        self.properties: Mapping[str, Any] | None = None  # of the argument schema; None where others are taken too

    def read(self, problems: list[InputProblem], warnings: list[InputProblem]) -> ToolForm:
        read = self.reading
        name = read.text("name", required=True)
        if name and not _TOOL_NAME.fullmatch(name):
            read.problem("name", "name", "the name of one tool is expected; all tools cannot be granted at once")
        version = read.text("version", required=True)
        if version and not _VERSION.fullmatch(version):
            read.problem("version", "version", "1 to 100 letters, digits and . _ + : - are expected")
        arguments = self._arguments(warnings)
        effect = Effect(read.choice("effect", Effect.values) or Effect.READ)
        tier, because = self._tier(effect)
        reversal, recipe, seconds = self._reversible()
        form = ToolForm(
            name=name,
            version=version,
            description=self._description(),
            effect=effect,
            tier=tier,
            tier_because=because,
            reversal=reversal,
            recipe=recipe,
            reversible_seconds=seconds,
            cosmetic=self._pointers("cosmetic"),
            resource=self._argument("resource"),
            payee=self._argument("payee"),
            amount=self._argument("amount"),
            phrase=self._phrase(),
            arguments=arguments,
            rules=self._rules(),
            raise_tier=self._raises(),
            scope=self._scope(),
        )
        problems += read.all_problems() + self.inner
        return form

    def _description(self) -> str:
        found = self.reading.text("description", most=8_000)
        self.inner += _hidden(found, f"{self.pointer}/description")
        return found

    def _arguments(self, warnings: list[InputProblem]) -> Mapping[str, Any]:
        schema = self.reading.anything("arguments")
        at = f"{self.pointer}/arguments"
        if schema is None:
            self.reading.problem("arguments", "required", "a JSON Schema of the arguments is expected")
            return {}
        found = schemas.problems(schema, at=at) or list(_hidden(schema, at))
        self.inner += found
        if found:
            return {}
        is_closed = schema.get("additionalProperties") is False or schema.get("unevaluatedProperties") is False
        if is_closed and not {"allOf", "anyOf", "oneOf", "$ref", "patternProperties"} & set(schema):
            self.properties = schema.get("properties", {})
        if not is_closed:
            warnings.append(
                InputProblem(
                    at,
                    "open_arguments",
                    "arguments that nobody described are let through; say additionalProperties: false",
                )
            )
        found_schema: Mapping[str, Any] = schema
        return found_schema

    def _tier(self, effect: Effect) -> tuple[int, str]:
        read = self.reading
        tier = read.integer("tier", least=1, most=HIGHEST_TIER) or DEFAULT_TIER[effect]
        because = read.text("tier_because", most=1_000).strip()
        if needs_reason(effect, tier) and not because:
            read.problem(
                "tier",
                "tier_needs_reason",
                f"a tool that can {effect} is of tier {DEFAULT_TIER[effect]} or so; for tier 1, where nobody is asked, "
                "say in tier_because why that is right",
            )
        return tier, because

    def _reversible(self) -> tuple[Reversal, str, int | None]:
        value = self.reading.anything("reversible")
        if value is None:
            return Reversal.UNKNOWN, "", None
        if value is False:
            return Reversal.NO, "", None
        if value is True:
            self.reading.problem("reversible", "recipe", "say how: {how: …, within_seconds: …}; or false")
            return Reversal.UNKNOWN, "", None
        inner = Reading(value, pointer=f"{self.pointer}/reversible")
        how = inner.text("how", required=True, most=1_000)
        seconds = inner.integer("within_seconds", least=1, most=10 * 366 * 86_400)
        self.inner += inner.all_problems()
        return Reversal.YES, how, seconds

    def _pointers(self, name: str) -> list[str]:
        value = self.reading.anything(name)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > POINTERS_MOST:
            self.reading.problem(name, "type", f"a list of at most {POINTERS_MOST} pointers is expected, such as /note")
            return []
        return [self._checked_pointer(f"{name}/{place}", each) for place, each in enumerate(value)]

    def _argument(self, name: str) -> str:
        value = self.reading.anything(name)
        return "" if value is None else self._checked_pointer(name, value)

    def _checked_pointer(self, name: str, value: Any) -> str:
        """A pointer to an argument that the schema knows."""
        if not isinstance(value, str) or not pointers.is_pointer(value) or len(value) > 500:
            self.reading.problem(name, "pointer", "a JSON Pointer into the arguments is expected, such as /order_id")
            return ""
        self._require_property(name, pointers.parts(value)[0])
        return value

    def _require_property(self, name: str, argument: str) -> None:
        if self.properties is not None and argument not in self.properties:
            taken = ", ".join(self.properties)[:400] or "none"
            self.reading.problem(name, "argument", f"there is no argument {argument[:100]}; the schema has {taken}")

    def _phrase(self) -> str:
        phrase = self.reading.text("phrase", most=200).strip()
        places = _PLACE.findall(phrase)
        if _PLACE.sub("", phrase).strip("{}") != _PLACE.sub("", phrase):
            self.reading.problem("phrase", "phrase", "braces stand around the name of an argument, such as {amount}")
        for argument in places:
            self._require_property("phrase", argument)
        return phrase

    def _rules(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        for place, item in enumerate(self._items("rules", RULES_MOST)):
            read = Reading(item, pointer=f"{self.pointer}/rules/{place}")
            code = read.text("code", required=True, most=64)
            if code and not _CODE.fullmatch(code):
                read.problem("code", "code", "small letters, digits and underscores are expected: amount_in_range")
            elif any(code == other["code"] for other in found):
                read.problem("code", "duplicate", "another rule has this code")
            pointer = read.text("pointer", most=500)
            if pointer and not pointers.is_pointer(pointer):
                read.problem("pointer", "pointer", "a JSON Pointer into the arguments is expected, such as /order_id")
            elif pointer:
                self._require_property(f"rules/{place}/pointer", pointers.parts(pointer)[0])
            found.append(
                {
                    "code": code,
                    "expression": self._expression(read, "expression"),
                    "pointer": pointer,
                    "expected": read.text("expected", most=500),
                    "hint": read.text("hint", most=500),
                }
            )
            self.inner += read.all_problems()
        return found

    def _raises(self) -> list[dict[str, str]]:
        found = []
        for place, item in enumerate(self._items("raise_tier", RAISES_MOST)):
            read = Reading(item, pointer=f"{self.pointer}/raise_tier/{place}")
            found.append(
                {"when": self._expression(read, "when"), "because": read.text("because", required=True, most=300)}
            )
            self.inner += read.all_problems()
        return found

    def _items(self, name: str, most: int) -> Sequence[Any]:
        value = self.reading.anything(name)
        if value is None:
            return ()
        if not isinstance(value, list) or len(value) > most:
            self.reading.problem(name, "type", f"a list of at most {most} is expected")
            return ()
        return value

    def _expression(self, read: Reading, name: str) -> str:
        expression = read.text(name, required=True, most=10_000)
        if expression and (wrong := rule_checks.problem(expression)):
            read.problem(name, "expression", wrong)
        return expression

    def _scope(self) -> dict[str, str]:
        value = self.reading.anything("grant")
        if value is None:
            return {}
        inner = Reading(value, pointer=f"{self.pointer}/grant")
        scope = inner.mapping("scope")
        found: dict[str, str] = {}
        for argument, path in scope.items():
            here = f"scope/{pointers.escape(argument)[:100]}"
            if argument.startswith("/") and not pointers.is_pointer(argument):
                inner.problem(here, "pointer", "the name of an argument, or a JSON Pointer to it, is expected")
                continue
            self._require_property(f"grant/{here}", pointers.parts(pointers.of_argument(argument))[0])
            if not isinstance(path, str) or not _PATH.fullmatch(path):
                inner.problem(
                    here,
                    "path",
                    f"a path into what the run states is expected, such as user.order_ids; it begins with one of "
                    f"{', '.join(scopes.ROOTS)}",
                )
                continue
            found[argument] = path
        self.inner += inner.all_problems()
        return found
