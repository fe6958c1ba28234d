"""Argument schemas: what is refused when saved, and what an agent is told when its arguments do not fit."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from agentops.catalog.checks import SchemaCheck, schemas
from agentops.catalog.checks.schema_safety import breadth

Schema = dict[str, Any]


def an_object(**properties: Any) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def codes(schema: Any) -> dict[str, str]:
    return {problem.pointer: problem.code for problem in schemas.problems(schema, at="")}


def told(schema: Schema, arguments: Any) -> list[tuple[str, str]]:
    found = SchemaCheck(schema).check(arguments)
    assert all(rejection.code == "arguments_invalid" and rejection.hint for rejection in found)
    return [(rejection.pointer, rejection.expected) for rejection in found]


def doubling(levels: int) -> Schema:
    """A schema of a few lines that is two to the power of `levels` checks."""
    defs: Schema = {"n0": {"type": "string"}}
    for level in range(1, levels + 1):
        defs[f"n{level}"] = {"anyOf": [{"$ref": f"#/$defs/n{level - 1}"}, {"$ref": f"#/$defs/n{level - 1}"}]}
    return an_object(x={"$ref": f"#/$defs/n{levels}"}) | {"$defs": defs}


def nested(levels: int) -> Schema:
    found: Schema = {"type": "string"}
    for _ in range(levels):
        found = {"properties": {"a": found}}
    return an_object(x=found)


BOMBS: dict[str, tuple[Any, str]] = {
    "remote": (an_object(x={"$ref": "https://evil.example/schema.json"}), "schema_ref"),
    "of the metadata service": (an_object(x={"$ref": "http://169.254.169.254/latest/"}), "schema_ref"),
    "a file": (an_object(x={"$ref": "file:///etc/passwd"}), "schema_ref"),
    "itself": (an_object(x={"$ref": "#"}), "schema_ref"),
    "in a circle": (
        an_object(x={"$ref": "#/$defs/a"}) | {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        "schema_recursive",
    ),
    "a tree of itself": (
        an_object(x={"$ref": "#/$defs/n"})
        | {"$defs": {"n": {"anyOf": [{"properties": {"k": {"$ref": "#/$defs/n"}}}] * 2}}},
        "schema_recursive",
    ),
    "doubling": (doubling(30), "schema_too_large"),
    "deep $ref": (
        an_object(x={"$ref": "#/$defs/n0"})
        | {"$defs": {f"n{i}": {"$ref": f"#/$defs/n{i + 1}"} for i in range(3000)} | {"n3000": {"type": "string"}}},
        "schema_too_large",
    ),
    "nowhere": (an_object(x={"$ref": "#/$defs/none"}), "schema_ref"),
    "into data": (an_object(x={"$ref": "#/properties/y/const"}, y={"const": {"type": "string"}}), "schema_ref"),
    "deep": (nested(200), "schema_too_deep"),
    "$id": (an_object(x={"$id": "https://evil.example/"}), "schema_keyword"),
    "$dynamicRef": (an_object(x={"$dynamicRef": "#n"}), "schema_keyword"),
    "another dialect": (an_object() | {"$schema": "http://json-schema.org/draft-07/schema#"}, "schema_dialect"),
    "a misspelt keyword": (an_object(x={"maxlength": 3}), "schema_keyword"),
    "an unknown format": (an_object(x={"type": "string", "format": "e-mail"}), "schema_invalid"),
    "a pattern that is none": (an_object(x={"pattern": "("}), "schema_invalid"),
    "a pattern that looks ahead": (an_object(x={"not": {"pattern": "^(?=(a+)+$)"}}), "schema_invalid"),
    "a pattern that refers back": (an_object(x={"pattern": "^(a+)+\\1$"}), "schema_invalid"),
    "a pattern of megabytes": (an_object(x={"pattern": "((\\w{100}){100}){100}"}), "schema_invalid"),
    "a long pattern": (an_object(x={"pattern": "a" * 10_000}), "schema_pattern"),
    "a huge enum": (an_object(x={"enum": list(range(5_000))}), "schema_enum"),
    "an unknown type": (an_object(x={"type": "strng"}), "schema_invalid"),
    "not an object": ({"type": "string"}, "schema_root"),
    "anything": (True, "schema_root"),
    "a list": ([], "schema_root"),
    "many megabytes": (an_object(x={"description": "a" * 200_000}), "schema_too_large"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_schema_bomb_is_refused_when_it_is_saved_and_quickly(name: str) -> None:
    schema, code = BOMBS[name]
    began = time.thread_time()
    found = schemas.problems(schema, at="/tools/0/arguments")
    assert time.thread_time() - began < 1
    assert code in {problem.code for problem in found}
    assert all(problem.pointer.startswith("/tools/0/arguments") and problem.detail for problem in found)


def test_ordinary_schemas_are_taken() -> None:
    schema = an_object(
        x={"$ref": "#/$defs/money"},
        y={"type": ["string", "null"], "format": "date-time", "description": "when", "x-note": 1},
        z={"anyOf": [{"$ref": "#/$defs/money"}, {"type": "null"}]},
    ) | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {"money": {"type": "object", "properties": {"minor": {"type": "integer"}}, "required": ["minor"]}},
    }
    assert codes(schema) == {}
    assert told(schema, {"x": {"minor": 1}, "z": None}) == []


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    assert (
        codes(an_object(**{"$ref": {"type": "string"}, "$id": {"type": "string"}, "items": {"type": "string"}})) == {}
    )


ORDER = an_object(
    id={"type": "string", "pattern": "^ord_[0-9]+$"},
    amount={"type": "integer", "minimum": 1, "maximum": 500},
    currency={"enum": ["USD", "EUR"]},
    to={"type": "string", "format": "email"},
    lines={"type": "array", "items": an_object(qty={"type": "integer"}), "maxItems": 2},
    kind={"const": "refund"},
    either={"anyOf": [{"type": "string"}, {"type": "integer"}]},
) | {"required": ["id"]}

WRONG: dict[str, tuple[Any, list[tuple[str, str]]]] = {
    "missing": ({}, [("/id", "text that matches ^ord_[0-9]+$")]),
    "all": ({"id": "all"}, [("/id", "text that matches ^ord_[0-9]+$")]),
    "type": ({"id": 5}, [("/id", "text")]),
    "true is no integer": ({"id": "ord_1", "amount": True}, [("/amount", "a whole number")]),
    "too small": ({"id": "ord_1", "amount": 0}, [("/amount", "a number of at least 1")]),
    "too large": ({"id": "ord_1", "amount": 501}, [("/amount", "a number of at most 500")]),
    "enum": ({"id": "ord_1", "currency": "GBP"}, [("/currency", "one of USD, EUR")]),
    "format": ({"id": "ord_1", "to": "nobody"}, [("/to", "a valid email")]),
    "inner": ({"id": "ord_1", "lines": [{"qty": 1}, {"qty": "2"}]}, [("/lines/1/qty", "a whole number")]),
    "too many": ({"id": "ord_1", "lines": [{}, {}, {}]}, [("/lines", "a list of at most 2 items")]),
    "const": ({"id": "ord_1", "kind": "gift"}, [("/kind", "exactly refund")]),
    "alternatives": ({"id": "ord_1", "either": None}, [("/either", "text; or a whole number")]),
    "unknown": (
        {"id": "ord_1", "a/b": 1},
        [("/a~1b", "only these: amount, currency, either, id, kind, lines, to")],
    ),
    "no object": (["ord_1"], [("", "an object")]),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_refusal_says_where_and_what_would_be_accepted(name: str) -> None:
    arguments, expected = WRONG[name]
    assert told(ORDER, arguments) == expected


def test_at_most_five_things_are_told_at_once() -> None:
    schema = an_object(**{f"p{i}": {"type": "integer"} for i in range(50)})
    assert len(told(schema, {f"p{i}": "x" for i in range(50)})) == 5
    assert len(told(schema, {f"q{i}": "x" for i in range(50)})) == 5


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "^(.*a){20}$", "^([a-z]+)*[0-9]$"])
def test_a_catastrophic_pattern_costs_nothing(pattern: str) -> None:
    check = SchemaCheck(an_object(x={"type": "string", "pattern": pattern}))
    began = time.thread_time()
    assert check.check({"x": "a" * 50_000 + "!"})
    assert time.thread_time() - began < 0.5


def test_large_wrong_arguments_are_refused_quickly() -> None:
    alternatives = [an_object(kind={"const": f"k{i}"}) | {"required": ["kind"]} for i in range(300)]
    for schema, arguments in (
        (an_object(x={"type": "array", "items": {"type": "integer"}}), {"x": ["a"] * 60_000}),
        (an_object(x={"type": "array", "items": {"anyOf": alternatives}}), {"x": [{"kind": "none"}] * 10_000}),
        (an_object(x={"type": "array", "items": {"anyOf": alternatives}}), {"x": [{"kind": "none"}] * 150}),
        (an_object(x={"type": "array", "uniqueItems": True}), {"x": [{"a": i} for i in range(20_000)] + [{"a": 0}]}),
        (an_object(x={"items": {"enum": [i + 0.5 for i in range(1_000)]}}), {"x": [999.5] * 40_000}),
        (an_object(x={"items": {"enum": [{"a": i} for i in range(1_000)]}}), {"x": [{"a": 999}] * 10_000}),
        (an_object(x={"pattern": "[ab]*a[ab]{900}c"}), {"x": unruly(200_000)}),
        (an_object(x={"allOf": [{"pattern": f"[ab]*a[ab]{{90}}c{i}"} for i in range(50)]}), {"x": unruly(50_000)}),
        (
            {"type": "object", "patternProperties": {f"[ab]*a[ab]{{300}}{i}": {} for i in range(20)}},
            {unruly(60_000): 1},
        ),
    ):
        assert codes(schema) == {}
        check = SchemaCheck(schema)
        began = time.thread_time()
        assert check.check(arguments)
        assert time.thread_time() - began < 0.5


def unruly(length: int) -> str:
    """A text for which a pattern's engine finds nothing in its cache."""
    return "".join(random.Random(1).choices("ab", k=length))


def test_long_texts_pass_beside_dear_patterns_and_under_plain_ones() -> None:
    schema = an_object(body={"type": "string"}, text={"pattern": r"\S"}, code={"pattern": "^[A-Z][A-Z0-9]{1,300}$"})
    check = SchemaCheck(schema)
    assert check.check({"body": unruly(200_000), "text": unruly(190_000), "code": "A" + "0" * 300}) == []
    [refused] = check.check({"code": "A" * 200_000})
    assert "shorter texts" in refused.expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (an_object(**{f"p{i}": {"type": "string"} for i in range(40)}), 1),
        (an_object(x={"anyOf": [{"type": "string"}, {"type": "null"}]}), 3),
        (an_object(x={"type": "array", "items": {"oneOf": [{"type": "string"}] * 9}}), 10),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": {"allOf": [{}, {}]}}, 4),
        (doubling(4), 62),
        (an_object(x={"enum": ["a", "b"]}), 1),
        (an_object(x={"enum": ["a", 0.5, None]}), 7),
    ],
)
def test_breadth_is_how_many_schemas_one_value_may_meet(schema: Schema, expected: int) -> None:
    assert breadth(schema) == expected
