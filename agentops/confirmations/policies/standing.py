"""What a standing approval covers. Pure: constraints and arguments in, yes or no out.

Every value of a call must stand under something the person said: a constraint on exactly this place (or on the whole that
it is part of), "any value" said of it, or a place that the tool calls cosmetic. What nobody spoke of is not covered.
Equality is of canonical JSON (RFC 8785): "1" is not 1, and nothing is compared by its beginning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import rfc8785

from agentops.common.errors import InputProblem

CONSTRAINTS_MOST = 50
CHOICES_MOST = 50
BYTES_MOST = 6_000  # of all of them together, as the audit log keeps them
AMOUNT_MOST = Decimal(10) ** 18
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,18})(?:\.[0-9]{1,6})?")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_POINTER = re.compile(r"(?:/(?:[^~/]|~0|~1)*)+")
_NOTHING = object()


class Kind(StrEnum):
    """How a value is held."""

    EQUALS = "equals"
    ONE_OF = "one_of"
    AT_MOST = "at_most"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a person said of one place of the arguments."""

    pointer: str
    kind: Kind
    value: Any = None

    @property
    def name(self) -> str:
        """The argument as people read it: without the first slash."""
        return self.pointer[1:].replace("~1", "/").replace("~0", "~")

    @property
    def words(self) -> str:
        """What is said of it, behind its name."""
        if self.kind is Kind.ANY:
            return "may be any value"
        if self.kind is Kind.AT_MOST:
            return f"is at most {self.value}"
        if self.kind is Kind.EQUALS:
            return f"is exactly {_shown(self.value)}"
        return f"is one of {', '.join(_shown(each) for each in self.value)}"

    def as_json(self) -> dict[str, Any]:
        return {"pointer": self.pointer, "kind": self.kind.value, "value": self.value}


def problems(constraints: Sequence[Constraint]) -> list[InputProblem]:
    """What is wrong with constraints by themselves, each with its place."""
    if not 1 <= len(constraints) <= CONSTRAINTS_MOST:
        return [_problem("", f"Say something about 1 to {CONSTRAINTS_MOST} arguments.")]
    found = [wrong for each in constraints if (wrong := _problem_of(each))]
    if found:
        return found
    seen: list[str] = []
    for each in constraints:
        if any(_is_within(each.pointer, other) or _is_within(other, each.pointer) for other in seen):
            found.append(_problem(each.pointer, "This place, or what it is part of, is spoken of twice."))
        seen.append(each.pointer)
    if not found and len(rfc8785.dumps([each.as_json() for each in constraints])) > BYTES_MOST:
        found.append(_problem("", "These are too many or too long values to be kept."))
    return found


def covers(constraints: Sequence[Constraint], arguments: bytes, *, cosmetic: Sequence[str]) -> bool:
    """Does every value of a call stand under something that was said, and hold it?"""
    value = json.loads(arguments)
    spoken = [each.pointer for each in constraints] + list(cosmetic)
    if not all(any(_is_within(leaf, place) for place in spoken) for leaf in _leaves(value, "")):
        return False
    return all(_holds(each, _find(each.pointer, value)) for each in constraints)


def amount_in(arguments: bytes, pointer: str) -> Decimal | None:
    """The amount at a pointer, exactly; None where there is none that could be counted.

    A number, or a text in plain decimal form; 0 or more, with at most six places: a sum can only grow.
    """
    return _number(_find(pointer, json.loads(arguments, parse_float=Decimal))) if pointer else None


def _shown(value: Any) -> str:
    return f"“{value}”" if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _problem_of(each: Constraint) -> InputProblem | None:
    if not _POINTER.fullmatch(each.pointer) or len(each.pointer) > 500 or not _is_text(each.pointer):
        return _problem(each.pointer[:100], "A JSON Pointer to an argument is expected, such as /order_id.")
    if each.kind is Kind.ANY:
        return None
    if each.kind is Kind.AT_MOST:
        is_number = _number(each.value) is not None
        return None if is_number else _problem(each.pointer, "The most is a number of 0 or more.")
    if each.kind is Kind.ONE_OF and not (isinstance(each.value, list) and 1 <= len(each.value) <= CHOICES_MOST):
        return _problem(each.pointer, f"A list of 1 to {CHOICES_MOST} values is expected.")
    return None if _is_json(each.value) else _problem(each.pointer, "This value cannot be compared exactly.")


def _holds(each: Constraint, value: Any) -> bool:
    if each.kind is Kind.ANY:
        return True
    if value is _NOTHING:
        return False
    if each.kind is Kind.AT_MOST:
        number, most = _number(value), _number(each.value)
        return number is not None and most is not None and number <= most
    taken = [each.value] if each.kind is Kind.EQUALS else each.value
    return rfc8785.dumps(value) in {rfc8785.dumps(one) for one in taken}


def _leaves(value: Any, pointer: str) -> Iterator[str]:
    """The place of every value that holds no other; an empty list or object is one."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{pointer}/{place}")
    elif pointer:
        yield pointer


def _is_within(pointer: str, whole: str) -> bool:
    """By whole parts: /order_id2 is not within /order_id."""
    return pointer == whole or pointer.startswith(f"{whole}/")


def _find(pointer: str, value: Any) -> Any:
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and _INDEX.fullmatch(name) and int(name) < len(value):
            value = value[int(name)]
        else:
            return _NOTHING
    return value


def _number(value: Any) -> Decimal | None:
    if isinstance(value, str):
        value = Decimal(value) if _DECIMAL.fullmatch(value) else None
    elif isinstance(value, float):
        value = Decimal(repr(value))
    elif isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite() or not 0 <= value <= AMOUNT_MOST:
        return None
    return value if value == round(value, 6) else None


def _is_json(value: Any) -> bool:
    """Can it be kept and compared exactly: no NUL, no lone surrogate, no number that programs read differently?"""
    try:
        text = rfc8785.dumps(value).decode()
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError):
        return False
    return _is_text(text) and "\\u0000" not in text


def _is_text(text: str) -> bool:
    return "\0" not in text and text.isprintable()


def _problem(pointer: str, detail: str) -> InputProblem:
    return InputProblem(pointer, "invalid", detail)
