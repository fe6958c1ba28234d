"""The form of each kind of expectation. What holds is said in checking.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agentops.catalog.checks import rules, schemas
from agentops.common.errors import InputProblem
from agentops.common.reading import Reading
from evals.sets import jsonpath
from evals.sets.recordings import NAME_MOST, read_arguments
from evals.types import SuiteMode

TEXTS_MOST, TEXT_MOST, TOOLS_MOST, COUNT_MOST = 20, 2_000, 50, 10_000
# What must hold also where tools fail: that nothing happens which must not.
_HOLD_IN_CHAOS = ("must_not_call", "must_confirm", "max_calls")

_Members = dict[str, Any]


def read(value: Any, *, pointer: str, problems: list[InputProblem]) -> _Members | None:
    """One expectation with the members that say something; None, and the problems noted, where it is none."""
    read = Reading(value, pointer=pointer)
    kind = read.choice("kind", tuple(_READERS))
    if not kind:
        problems += read.problems  # which members it may have depends on what it is
        return None
    body: Mapping[str, Any] = value
    found: _Members = {"kind": kind} | _READERS[kind](body, read)
    modes = _modes(read)
    if modes:
        found["modes"] = modes
    problems += read.all_problems()
    return found


def modes_of(expectation: Mapping[str, Any]) -> list[str]:
    """The modes of a suite in which it is asked."""
    default = [SuiteMode.PLAIN, SuiteMode.CHAOS] if expectation["kind"] in _HOLD_IN_CHAOS else [SuiteMode.PLAIN]
    return list(expectation.get("modes") or default)


def _modes(read: Reading) -> list[str]:
    value = read.anything("modes")
    if value is None:
        return []
    if not isinstance(value, list) or not value or not set(map(str, value)) <= set(SuiteMode.values):
        read.problem("modes", "modes", f"a list of {', '.join(SuiteMode.values)} is expected")
        return []
    return sorted(set(value))


# -- the output -------------------------------------------------------------------------------------------------------


def _exact(value: Mapping[str, Any], read: Reading) -> _Members:
    found: _Members = {"value": read.anything("value", required=True)}
    if path := _path(read, required=False):
        found["path"] = path
    return found


def _contains(value: Mapping[str, Any], read: Reading) -> _Members:
    found: _Members = {}
    for name in ("all", "any", "none"):
        texts = read.anything(name)
        if texts is None:
            continue
        if not _are_texts(texts, TEXTS_MOST):
            read.problem(name, "texts", f"a list of 1 to {TEXTS_MOST} texts is expected")
        elif found:
            read.problem(name, "unexpected", "one of all, any and none is expected; write another expectation")
        else:
            found[name] = texts
    if not found and not read.problems:
        read.problem("", "required", "one of all, any and none is expected: lists of texts")
    if read.flag("case_sensitive"):
        found["case_sensitive"] = True
    return found


def _json_path(value: Mapping[str, Any], read: Reading) -> _Members:
    found: _Members = {"path": _path(read, required=True)}
    said = [name for name in ("equals", "one_of", "contains", "exists", "count") if name in value]
    equals, one_of, contains = read.anything("equals"), read.anything("one_of"), read.text("contains", most=TEXT_MOST)
    exists, count = read.flag("exists"), read.integer("count", most=COUNT_MOST)
    if len(said) != 1:
        read.problem("", "required", "exactly one of equals, one_of, contains, exists and count is expected")
        return found
    if said == ["one_of"] and not (isinstance(one_of, list) and one_of):
        read.problem("one_of", "type", "a list of at least one value is expected")
    if said == ["contains"] and not contains and not read.problems:
        read.problem("contains", "required", "a text is expected")
    if said == ["count"] and count is None and not read.problems:
        read.problem("count", "required", "a whole number is expected")
    given = {"equals": equals, "one_of": one_of, "contains": contains, "exists": exists, "count": count}
    return found | {said[0]: given[said[0]]}


def _schema(value: Mapping[str, Any], read: Reading) -> _Members:
    schema = read.anything("schema", required=True)
    if "schema" in value:
        read.problems += schemas.problems(schema, at=read.at("schema"))
    return {"schema": schema}


def _cel(value: Mapping[str, Any], read: Reading) -> _Members:
    expression = read.text("expression", required=True, most=1_000)
    if expression and (wrong := rules.problem(expression)):
        read.problem("expression", "cel", wrong)
    elif expression and (others := rules.variables(expression) - {"run"}):
        read.problem("expression", "cel", f"{', '.join(sorted(others))} is not there; look at run, such as run.output")
    found = {"expression": expression}
    if expected := read.text("expected", most=500):
        found["expected"] = expected
    return found


def _rubric(value: Mapping[str, Any], read: Reading) -> _Members:
    found: _Members = {"judge": read.text("judge", required=True, most=100)}
    least = read.anything("at_least")
    if least is not None:
        if isinstance(least, bool) or not isinstance(least, int | float) or not 0 <= least <= 1:
            read.problem("at_least", "range", "a number from 0 to 1 is expected")
        found["at_least"] = least
    return found


# -- the calls --------------------------------------------------------------------------------------------------------


def _must_call(value: Mapping[str, Any], read: Reading) -> _Members:
    found: _Members = {"tool": _tool(read)} | read_arguments(value, read)
    least, most = (read.integer(name, least=1, most=COUNT_MOST) for name in ("at_least", "at_most"))
    if least is not None and most is not None and most < least:
        read.problem("at_most", "range", f"a whole number from {least} on is expected")
    if least is not None and least > 1:
        found["at_least"] = least
    if most is not None:
        found["at_most"] = most
    return found


def _must_not_call(value: Mapping[str, Any], read: Reading) -> _Members:
    return {"tools": _tools(read)} | read_arguments(value, read)


def _must_confirm(value: Mapping[str, Any], read: Reading) -> _Members:
    return {"tool": _tool(read)}


def _max_calls(value: Mapping[str, Any], read: Reading) -> _Members:
    found: _Members = {"most": read.integer("most", most=COUNT_MOST, required=True)}
    if tool := read.text("tool", most=NAME_MOST):
        found["tool"] = tool
    return found


def _calls_in_order(value: Mapping[str, Any], read: Reading) -> _Members:
    return {"tools": _tools(read)}


_READERS: dict[str, Callable[[Mapping[str, Any], Reading], _Members]] = {
    "exact": _exact,
    "contains": _contains,
    "json_path": _json_path,
    "schema": _schema,
    "cel": _cel,
    "rubric": _rubric,
    "must_call": _must_call,
    "must_not_call": _must_not_call,
    "must_confirm": _must_confirm,
    "max_calls": _max_calls,
    "calls_in_order": _calls_in_order,
}
KINDS = tuple(_READERS)


def _tool(read: Reading) -> str:
    return read.text("tool", required=True, most=NAME_MOST)


def _tools(read: Reading) -> list[str]:
    value = read.anything("tools")
    if not _are_texts(value, TOOLS_MOST):
        read.problem("tools", "texts", f"a list of 1 to {TOOLS_MOST} names of tools is expected")
        return []
    return list(value)


def _are_texts(value: Any, most: int) -> bool:
    return (
        isinstance(value, list)
        and 1 <= len(value) <= most
        and all(isinstance(each, str) and 1 <= len(each) <= TEXT_MOST and each.strip() for each in value)
    )


def _path(read: Reading, *, required: bool) -> str:
    path = read.text("path", required=required, most=500)
    if path and (wrong := jsonpath.problem(path)):
        read.problem("path", "json_path", wrong)
    return path
