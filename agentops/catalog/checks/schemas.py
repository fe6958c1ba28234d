"""Argument schemas: JSON Schema 2020-12, compiled once, and refusals in words an agent can plan with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, cast

import jsonschema_rs
import orjson

from agentops.catalog import digests, pointers
from agentops.catalog.checks import patterns, schema_safety
from agentops.catalog.types import Rejection
from agentops.common.errors import InputProblem

TOLD_MOST = 5  # rejections of one call
_VALUES_MOST = 20  # of an enum, in a sentence
_VALUE_LENGTH = 80
_NO_PATTERN = "is no regular expression that is taken: look-around, back-references and huge repetitions are not"
_CODE = "arguments_invalid"
# What a check may cost, in values of the arguments by schemas that may have to be tried on each: half a microsecond each
# where all is well, a hundred times that where a refusal is put into words.
_NARROW = 2  # schemas for a value: no call of a size that comes in costs much
_TRIALS_MOST = 200_000
_TOLD_TRIALS_MOST = 2_000  # beyond it, the first thing that is wrong is told and no more


class SchemaCheck:
    """A compiled schema. Thread-safe."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Raises ValueError for what is no schema."""
        self._schema = schema
        self._breadth = schema_safety.breadth(schema)
        try:
            self._compiled = jsonschema_rs.Draft202012Validator(
                dict(schema),
                validate_formats=True,
                ignore_unknown_formats=False,
                retriever=_refuse_to_retrieve,
                pattern_options=patterns.options(),
            )
        except jsonschema_rs.ValidationError as error:
            raise _Unfit(error) from error
        self._weights = schema_safety.weights(schema)

    def check(self, arguments: Any) -> list[Rejection]:
        """Everything wrong with the arguments, the first few; empty when they fit."""
        if self._breadth > _NARROW and _has_more_values(arguments, _TRIALS_MOST // self._breadth):
            return [_rejection("", "fewer values in one call", "split the work into several calls")]
        if self._weights.cost(arguments) > patterns.MOST_COST:
            return [
                _rejection("", "shorter texts in one call", "they take too long to be compared with their patterns")
            ]
        if self._compiled.is_valid(arguments):
            return []
        found: list[Rejection] = []
        for error in self._errors(arguments):
            found += _rejections(error, self._schema)
            if len(found) >= TOLD_MOST:
                break
        return found[:TOLD_MOST] or [_rejection("", "arguments that fit the schema", "they do not")]

    def _errors(self, arguments: Any) -> Iterable[jsonschema_rs.ValidationError]:
        if not _has_more_values(arguments, _TOLD_TRIALS_MOST // self._breadth):
            return self._compiled.iter_errors(arguments)
        try:
            self._compiled.validate(arguments)
        except jsonschema_rs.ValidationError as error:
            return [error]
        return []


class _Unfit(ValueError):
    """The compiler's refusal, with the place in the schema."""

    def __init__(self, error: jsonschema_rs.ValidationError) -> None:
        said = error.message.splitlines()[0][:300] if error.message else "this is no JSON Schema 2020-12"
        super().__init__(said.replace('is not a "regex"', _NO_PATTERN))
        self.pointer = _pointer(error.instance_path)


def problems(schema: Any, *, at: str) -> list[InputProblem]:
    """What is wrong with a schema that somebody wants to save; empty when it is safe and compiles."""
    found = schema_safety.problems(schema, at=at)
    if found:
        return found
    if len(digests.canonical(schema)) > schema_safety.MAX_BYTES:
        return [InputProblem(at, "schema_too_large", f"at most {schema_safety.MAX_BYTES} bytes are taken")]
    try:
        SchemaCheck(schema)
    except _Unfit as error:
        return [InputProblem(f"{at}{error.pointer}", "schema_invalid", str(error))]
    except ValueError as error:
        return [InputProblem(at, "schema_invalid", str(error)[:300])]
    return []


def _has_more_values(value: Any, most: int) -> bool:
    stack = [value]
    while stack:
        found = stack.pop()
        most -= 1
        if most < 0:
            return True
        if isinstance(found, dict):
            stack.extend(found.values())
        elif isinstance(found, list):
            stack.extend(found)
    return False


def _refuse_to_retrieve(uri: str) -> NoReturn:
    raise ValueError(f"nothing is fetched: {uri[:100]}")


# -- words ------------------------------------------------------------------------------------------------------------


def _rejections(error: jsonschema_rs.ValidationError, schema: Mapping[str, Any]) -> list[Rejection]:
    pointer = _pointer(error.instance_path)
    kind = cast(Any, error.kind)
    if kind.name == "required":
        here = f"{pointer}/{pointers.escape(kind.property)}"
        return [_rejection(here, _described(_property(schema, error, kind.property)), "this argument is required")]
    if kind.name in ("additionalProperties", "unevaluatedProperties"):
        taken = ", ".join(sorted(_property_names(schema, error))[:_VALUES_MOST])
        expected = f"only these: {taken}" if taken else "no further members"
        return [
            _rejection(f"{pointer}/{pointers.escape(name)}", expected, "there is no such argument; leave it out")
            for name in kind.unexpected[:TOLD_MOST]
        ]
    return [_rejection(pointer, *_expected(kind, error))]


def _expected(kind: Any, error: jsonschema_rs.ValidationError) -> tuple[str, str]:
    """What would be accepted, and what to do."""
    limit = getattr(kind, "limit", None)
    match kind.name:
        case "type":
            return f"{' or '.join(_article(each) for each in kind.types)}", "the value has another type"
        case "enum":
            return f"one of {_values(kind.options)}", "choose from these"
        case "const":
            return f"exactly {_value(kind.expected_value)}", "no other value is taken"
        case "minimum":
            return f"a number of at least {limit}", "the value is too small"
        case "maximum":
            return f"a number of at most {limit}", "the value is too large"
        case "exclusiveMinimum":
            return f"a number greater than {limit}", "the value is too small"
        case "exclusiveMaximum":
            return f"a number less than {limit}", "the value is too large"
        case "multipleOf":
            return f"a multiple of {kind.multiple_of}", "round it"
        case "minLength":
            return f"text of at least {limit} characters", "the text is too short"
        case "maxLength":
            return f"text of at most {limit} characters", "shorten it"
        case "minItems":
            return f"a list of at least {limit} items", "the list is too short"
        case "maxItems":
            return f"a list of at most {limit} items", "split the work into several calls"
        case "minProperties":
            return f"an object of at least {limit} members", "members are missing"
        case "maxProperties":
            return f"an object of at most {limit} members", "leave some out"
        case "uniqueItems":
            return "a list without repeated items", "name each item once"
        case "pattern":
            return f"text that matches {kind.pattern[:200]}", "look the exact value up instead of making it up"
        case "format":
            return f"a valid {kind.format}", "the text has another form"
        case "contains":
            return "a list with at least one fitting item", "no item of the list fits"
        case "anyOf" | "oneOf":
            return _alternatives(kind), "none of the alternatives fits, or more than one does"
        case "not":
            return "a value that the schema does not exclude", "this value is excluded"
        case "propertyNames":
            return "member names that fit the schema", "a member's name does not fit"
        case "falseSchema":
            return "no value here", "leave it out"
        case _:
            return f"a value that fits {kind.name}", error.message.splitlines()[0][-200:] if error.message else ""


def _alternatives(kind: Any) -> str:
    """The first thing that each alternative would have wanted."""
    told = []
    for branch in getattr(kind, "context", [])[:TOLD_MOST]:
        if branch:
            inner = cast(Any, branch[0].kind)
            wanted = f"an object with {inner.property}" if inner.name == "required" else _expected(inner, branch[0])[0]
            if wanted not in told:
                told.append(wanted)
    return "; or ".join(told)[:400] or "exactly one of the alternatives"


def _rejection(pointer: str, expected: str, hint: str) -> Rejection:
    return Rejection(code=_CODE, pointer=pointer, expected=expected, hint=hint)


def _property(schema: Mapping[str, Any], error: jsonschema_rs.ValidationError, name: str) -> Any:
    """The schema of a missing property, where it stands beside the keyword that missed it."""
    found = _parent(schema, error).get("properties")
    return found.get(name) if isinstance(found, Mapping) else None


def _property_names(schema: Mapping[str, Any], error: jsonschema_rs.ValidationError) -> Iterable[str]:
    found = _parent(schema, error).get("properties")
    return found if isinstance(found, Mapping) else ()


def _parent(schema: Mapping[str, Any], error: jsonschema_rs.ValidationError) -> Mapping[str, Any]:
    """The schema whose keyword failed; empty where the way there leads through a $ref."""
    found: Any = schema
    for part in list(error.schema_path)[:-1]:
        try:
            found = found[part]
        except (KeyError, IndexError, TypeError):
            return {}
    return found if isinstance(found, Mapping) else {}


def _described(schema: Any) -> str:
    """A schema in a few words."""
    if not isinstance(schema, Mapping):
        return "a value"
    if isinstance(schema.get("enum"), list):
        return f"one of {_values(schema['enum'])}"
    if "const" in schema:
        return f"exactly {_value(schema['const'])}"
    types = schema.get("type")
    if isinstance(types, str):
        types = [types]
    said = " or ".join(_article(each) for each in types) if isinstance(types, list) else "a value"
    if isinstance(schema.get("format"), str):
        said += f" ({schema['format']})"
    elif isinstance(schema.get("pattern"), str):
        said += f" that matches {schema['pattern'][:200]}"
    return said


def _article(kind: str) -> str:
    return {
        "string": "text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "array": "a list",
        "object": "an object",
        "null": "null",
    }.get(kind, kind)


def _values(values: list[Any]) -> str:
    more = ", …" if len(values) > _VALUES_MOST else ""
    return ", ".join(_value(value) for value in values[:_VALUES_MOST]) + more


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text[:_VALUE_LENGTH]


def _pointer(path: Iterable[str | int]) -> str:
    return "".join(f"/{pointers.escape(str(part))}" for part in path)
