"""The recorded calls of a case, and the tools that an agent without any can be given."""

from __future__ import annotations

from typing import Any

from agentops.catalog.checks import schemas
from agentops.common.errors import InputProblem
from agentops.common.reading import Reading

TOOLS_MOST, OFFERS_MOST, TIMES_MOST = 200, 50, 1_000
NAME_MOST = 200
CONFIRMATIONS = ("approved", "refused")


def read_tools(value: Any, problems: list[InputProblem]) -> list[dict[str, Any]]:
    """The members of `tools` that say something, with every problem noted."""
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > TOOLS_MOST:
        problems.append(InputProblem("/tools", "type", f"a list of at most {TOOLS_MOST} recorded calls is expected"))
        return []
    return [_tool(each, f"/tools/{place}", problems) for place, each in enumerate(value)]


def _tool(value: Any, pointer: str, problems: list[InputProblem]) -> dict[str, Any]:
    read = Reading(value, pointer=pointer)
    found: dict[str, Any] = {"tool": read.text("tool", required=True, most=NAME_MOST)}
    found |= read_arguments(value, read)
    times = read.integer("times", least=1, most=TIMES_MOST)
    if times is not None and times > 1:
        found["times"] = times
    confirmation = read.choice("confirmation", CONFIRMATIONS, required=False)
    if confirmation:
        found["confirmation"] = confirmation
    answers = [name for name in ("result", "error") if isinstance(value, dict) and name in value]
    result, error = read.anything("result"), read.anything("error")
    if confirmation == "refused":
        if answers:
            read.problem(answers[0], "unexpected", "what people refused has no result; leave it out")
    elif len(answers) != 1:
        read.problem("", "answer", "exactly one of result (any JSON) and error (type, message) is expected")
    elif answers == ["result"]:
        found["result"] = result
    else:
        found["error"] = _error(error, f"{pointer}/error", problems)
    problems += read.all_problems()
    return found


def read_arguments(value: Any, read: Reading) -> dict[str, Any]:
    """`arguments` (exactly these), `arguments_include` (at least these), or neither (any)."""
    found: dict[str, Any] = {}
    for name in ("arguments", "arguments_include"):
        given = read.anything(name)
        if not isinstance(value, dict) or name not in value:
            continue
        if not isinstance(given, dict):
            read.problem(name, "type", "an object of arguments by name is expected; leave it out for any arguments")
        elif found:
            read.problem(name, "unexpected", "there is arguments already; one of the two is expected")
        else:
            found[name] = given
    return found


def _error(value: Any, pointer: str, problems: list[InputProblem]) -> dict[str, str]:
    read = Reading(value, pointer=pointer)
    found = {"type": read.text("type", required=True, most=100), "message": read.text("message", most=4_000)}
    problems += read.all_problems()
    return {name: text for name, text in found.items() if text}


def read_offers(value: Any, problems: list[InputProblem]) -> list[dict[str, Any]]:
    """Tools that an agent which has none of its own can be given."""
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > OFFERS_MOST:
        problems.append(InputProblem("/offers", "type", f"a list of at most {OFFERS_MOST} tools is expected"))
        return []
    found: list[dict[str, Any]] = []
    for place, each in enumerate(value):
        pointer = f"/offers/{place}"
        read = Reading(each, pointer=pointer)
        name = read.text("name", required=True, most=NAME_MOST)
        description = read.text("description", required=True, most=4_000)
        arguments = read.mapping("arguments")
        if name in [known["name"] for known in found]:
            read.problem("name", "duplicate", "there is a tool of this name already")
        problems += read.all_problems()
        if arguments:
            problems += schemas.problems(arguments, at=f"{pointer}/arguments")
        found.append({"name": name, "description": description, "arguments": dict(arguments)})
    return found
