"""Is an argument schema one that can be checked quickly, by itself, and as its author meant it? Asked when it is saved.

The dialect is JSON Schema 2020-12 without what reaches outside the document or back into itself: a `$ref` names a place
in the same schema, and none leads back to where it stands. Expanded so, the schema is a tree, and the size of the tree
bounds what a check can cost; without that, twenty `anyOf` of two `$ref`s each are a million checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from agentops.catalog import pointers
from agentops.catalog.checks import patterns
from agentops.common.errors import InputProblem

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_BYTES = 65_536  # of the canonical form
MAX_DEPTH = 32  # levels of subschemas
MAX_EXPANDED = 2_000  # subschemas once every $ref is written out
MAX_ENUM = 1_000
MAX_PATTERN = 500  # characters

_ONE = frozenset(
    {
        "additionalProperties",
        "items",
        "contains",
        "not",
        "if",
        "then",
        "else",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
        "contentSchema",
    }
)
# Those whose schemas go for members or items of a value, not for the value itself.
_BELOW = frozenset(
    {
        "additionalProperties",
        "items",
        "contains",
        "prefixItems",
        "propertyNames",
        "patternProperties",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_MANY = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})
_PLAIN = frozenset(
    {
        "$schema",
        "$ref",
        "$comment",
        "type",
        "enum",
        "const",
        "multipleOf",
        "maximum",
        "exclusiveMaximum",
        "minimum",
        "exclusiveMinimum",
        "maxLength",
        "minLength",
        "pattern",
        "maxItems",
        "minItems",
        "uniqueItems",
        "maxContains",
        "minContains",
        "maxProperties",
        "minProperties",
        "required",
        "dependentRequired",
        "format",
        "contentEncoding",
        "contentMediaType",
        "title",
        "description",
        "default",
        "deprecated",
        "readOnly",
        "writeOnly",
        "examples",
    }
)
_KNOWN = _ONE | _MANY | _NAMED | _PLAIN
_ELSEWHERE = {
    "$id": "a schema has no other name here",
    "$anchor": "name places by JSON Pointer",
    "$dynamicRef": "use $ref",
    "$dynamicAnchor": "use $defs and $ref",
    "$recursiveRef": "use $ref",
    "$vocabulary": "the vocabulary is that of 2020-12",
    "definitions": "use $defs",
    "dependencies": "use dependentRequired or dependentSchemas",
    "nullable": 'say type: [string, "null"]',
    "additionalItems": "use items beside prefixItems",
}
_TOLD_MOST = 20  # problems of one schema


def problems(schema: Any, *, at: str) -> list[InputProblem]:
    """What is wrong with a schema, with pointers that begin with `at`; empty when it may be compiled."""
    return _Inspection(schema, at).found[:_TOLD_MOST]


def breadth(schema: Any) -> int:
    """How many schemas may have to be tried on one value, at most: what a check costs is this by the number of values."""
    return _Inspection(schema, "").breadth()


def weights(schema: Any) -> Weights:
    """How dear the schema's patterns are, for a schema that compiles."""
    return _Inspection(schema, "").weights()


@dataclass(frozen=True, slots=True)
class Weights:
    """Bytes of compiled patterns that one text may have to fit, at most: inside each named argument, and anywhere."""

    named: Mapping[str, int]
    anywhere: int

    def cost(self, arguments: Any) -> int:
        """Characters by bytes."""
        if not isinstance(arguments, dict) or not (self.anywhere or any(self.named.values())):
            return 0
        return sum(
            weight * (len(name) + _characters(value))
            for name, value in arguments.items()
            if (weight := self.named.get(name, 0) + self.anywhere)
        )


def _characters(value: Any) -> int:
    """Of all texts in a value, names of members included."""
    count, stack = 0, [value]
    while stack:
        found = stack.pop()
        if isinstance(found, str):
            count += len(found)
        elif isinstance(found, dict):
            count += sum(map(len, found))
            stack.extend(found.values())
        elif isinstance(found, list):
            stack.extend(found)
    return count


class _Inspection:
    def __init__(self, schema: Any, at: str) -> None:
        self.found: list[InputProblem] = []
        self._at = at
        self._schemas: dict[str, Any] = {}  # by pointer inside the schema
        self._children: dict[str, list[str]] = {}
        self._refs: dict[str, str] = {}
        self._sizes: dict[str, int] = {}  # in the order in which parts come before wholes
        if not isinstance(schema, dict) or schema.get("type") != "object":
            self._problem("/type", "schema_root", "arguments are an object: 'type: object' is expected")
        if isinstance(schema, dict):
            self._walk(schema)
            if not self.found:
                self._expand()

    def _walk(self, root: dict[str, Any]) -> None:
        stack: list[tuple[str, Any, int]] = [("", root, 1)]
        while stack:
            pointer, schema, depth = stack.pop()
            self._schemas[pointer] = schema
            self._children[pointer] = []
            if isinstance(schema, bool):
                continue
            if not isinstance(schema, dict):
                self._problem(pointer, "schema_type", "a schema is expected: an object, or true or false")
                continue
            if depth > MAX_DEPTH:
                self._problem(pointer, "schema_too_deep", f"at most {MAX_DEPTH} levels of schemas are taken")
                continue
            self._keywords(pointer, schema)
            for name, inner in self._subschemas(pointer, schema):
                self._children[pointer].append(name)
                stack.append((name, inner, depth + 1))

    def _subschemas(self, pointer: str, schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for keyword, value in schema.items():
            place = f"{pointer}/{pointers.escape(keyword)}"
            if keyword in _ONE:
                yield place, value
            elif keyword in _MANY:
                if isinstance(value, list):
                    yield from ((f"{place}/{number}", each) for number, each in enumerate(value))
            elif keyword in _NAMED and isinstance(value, dict):
                yield from ((f"{place}/{pointers.escape(name)}", each) for name, each in value.items())

    def _keywords(self, pointer: str, schema: dict[str, Any]) -> None:
        for keyword in schema:
            place = f"{pointer}/{pointers.escape(keyword)}"
            if keyword in _ELSEWHERE:
                self._problem(place, "schema_keyword", f"{keyword} is not taken: {_ELSEWHERE[keyword]}")
            elif keyword not in _KNOWN and not keyword.startswith("x-"):
                self._problem(
                    place,
                    "schema_keyword",
                    "this is no keyword of JSON Schema 2020-12, and would be ignored; notes of your own begin with x-",
                )
        if schema.get("$schema", DIALECT) not in (DIALECT, f"{DIALECT}#"):
            self._problem(f"{pointer}/$schema", "schema_dialect", f"{DIALECT} is expected, or nothing")
        for pattern in (schema.get("pattern"), *_names(schema.get("patternProperties"))):
            if isinstance(pattern, str) and len(pattern) > MAX_PATTERN:
                self._problem(f"{pointer}/pattern", "schema_pattern", f"at most {MAX_PATTERN} characters are taken")
        enum = schema.get("enum")
        if isinstance(enum, list) and len(enum) > MAX_ENUM:
            self._problem(f"{pointer}/enum", "schema_enum", f"at most {MAX_ENUM} values are taken")
        reference = schema.get("$ref")
        if reference is None:
            return
        if not isinstance(reference, str) or not reference.startswith("#/"):
            self._problem(
                f"{pointer}/$ref",
                "schema_ref",
                "a place in this schema is expected, such as #/$defs/name; nothing is fetched, and # itself never ends",
            )
        else:
            self._refs[pointer] = reference[1:]

    def _expand(self) -> None:
        """Write every $ref out, counting; each place is counted once and remembered."""
        for pointer, target in self._refs.items():
            if target not in self._schemas:
                self._problem(f"{pointer}/$ref", "schema_ref", "there is no schema at this place")
        if self.found:
            return
        sizes: dict[str, int] = {}
        open_: set[str] = set()
        stack: list[tuple[str, bool]] = [("", False)]
        while stack:
            pointer, is_done = stack.pop()
            parts = [*self._children[pointer], *([self._refs[pointer]] if pointer in self._refs else [])]
            if is_done:
                open_.discard(pointer)
                # definitions cost nothing where they stand, only where they are referred to
                used = [part for part in parts if not part.startswith(f"{pointer}/$defs/")]
                sizes[pointer] = 1 + sum(sizes[part] for part in used)
                if sizes[pointer] > MAX_EXPANDED:
                    self._problem(
                        pointer,
                        "schema_too_large",
                        f"with every $ref written out, at most {MAX_EXPANDED} schemas are taken",
                    )
                    return
                continue
            if pointer in sizes:
                continue
            if pointer in open_:
                self._problem(
                    pointer, "schema_recursive", "this schema contains itself; write out the levels that are needed"
                )
                return
            open_.add(pointer)
            stack.append((pointer, True))
            for part in parts:
                if part in open_:
                    self._problem(
                        pointer, "schema_recursive", "this schema contains itself; write out the levels that are needed"
                    )
                    return
                if part not in sizes:
                    stack.append((part, False))
        self._sizes = sizes

    def breadth(self) -> int:
        """The most schemas that may be tried on any one value."""
        return max(_sum(*self._widths(_trials)))

    def weights(self) -> Weights:
        widths: dict[str, list[int]] = {}
        anywhere, _ = self._widths(_pattern_bytes, widths)
        named = {
            pointers.parts(part)[1]: max(widths[part])
            for part in self._children.get("", ())
            if part.startswith("/properties/")
        }
        return Weights(named, max(anywhere))

    def _widths(
        self, own: Callable[[Mapping[str, Any]], list[int]], widths: dict[str, list[int]] | None = None
    ) -> tuple[list[int], list[int]]:
        """By depth: w[k] of a schema is the most that it puts on any one value k levels below its own, in what `own`
        counts. Answers the root's in two parts: what holds for any member, and what its named properties add.

        What stands in place (`anyOf`, `$ref`) adds up; of named properties, a value has one; what goes for all members
        or items adds to that.
        """
        widths = {} if widths is None else widths
        here, named = [0], [0]
        for pointer in self._sizes:
            here, named = [0], [0]
            if not isinstance(self._schemas[pointer], bool):  # else there is nothing to try
                here = own(self._schemas[pointer])
            for part in [*self._children[pointer], *([self._refs[pointer]] if pointer in self._refs else [])]:
                keyword = part[len(pointer) + 1 :].partition("/")[0] if part.startswith(f"{pointer}/") else "$ref"
                if keyword == "$defs" or part not in widths:
                    continue
                if keyword == "properties":
                    named = _most(named, [0, *widths[part]])
                else:
                    here = _sum(here, [0, *widths[part]] if keyword in _BELOW else widths[part])
            widths[pointer] = _sum(here, named)
        return here, named

    def _problem(self, pointer: str, code: str, detail: str) -> None:
        self.found.append(InputProblem(f"{self._at}{pointer}", code, detail))


def _sum(one: list[int], other: list[int]) -> list[int]:
    return [a + b for a, b in zip_longest(one, other, fillvalue=0)]


def _most(one: list[int], other: list[int]) -> list[int]:
    return [max(a, b) for a, b in zip_longest(one, other, fillvalue=0)]


def _trials(schema: Mapping[str, Any]) -> list[int]:
    """One, and what is gone through one by one: choices, unless all are texts or all are whole numbers."""
    enum, dependent = schema.get("enum"), schema.get("dependentRequired")
    count = 1 + (len(dependent) if isinstance(dependent, dict) else 0)
    if isinstance(enum, list) and {type(each) for each in enum} not in ({str}, {int}):
        count += len(enum) + 3 * sum(isinstance(each, float) for each in enum)  # compared to the last digit
    return [count]


def _pattern_bytes(schema: Mapping[str, Any]) -> list[int]:
    """Of a text's own pattern, and of those that the names of members are compared with."""
    pattern = schema.get("pattern")
    of_names = sum(map(patterns.compiled_bytes, _names(schema.get("patternProperties"))))
    return [patterns.compiled_bytes(pattern) if isinstance(pattern, str) else 0, of_names]


def _names(value: Any) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, dict) else []
