"""What a runner tells of one case or replay, read strictly: output, steps, usage."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from agentops.common.ids import trace_uuid
from agentops.common.money import nano_usd
from agentops.common.reading import Reading
from evals.sets.recordings import CONFIRMATIONS, NAME_MOST

STEPS_MOST = 2_000
TOKENS_MOST = 1_000_000_000
MOST_BYTES = 4 * 1024 * 1024  # of one result
MOST_DEPTH = 60
FAULTS = ("timeout", "error", "malformed")
_BROKE_MOST = 4_000
Told = dict[str, Any]


def read(read: Reading) -> Told:
    """`output`, `steps`, `broke`, `input_tokens`, `output_tokens`, `cost_nano_usd`, `duration_ms`, `trace_id` of a body."""
    output, steps = read.anything("output"), _steps(read)
    read_nul(read, "output", output)
    usage = Reading(read.mapping("usage"), pointer=read.at("usage"))
    told: Told = {
        "output": output,
        "steps": steps,
        "broke": read.text("error", most=_BROKE_MOST),
        "input_tokens": usage.integer("input_tokens", most=TOKENS_MOST) or 0,
        "output_tokens": usage.integer("output_tokens", most=TOKENS_MOST) or 0,
        "cost_nano_usd": _dollars(usage),
        "duration_ms": read.integer("duration_ms", most=7 * 86_400_000),
        "trace_id": _trace(read),
    }
    read.problems += usage.all_problems()
    return told


def broken(why: str) -> Told:
    """Where nothing was told that could be read: that the agent broke, and how."""
    return {**read(Reading({})), "broke": why.replace("\0", "\ufffd")[:_BROKE_MOST]}


def read_nul(read: Reading, name: str, value: Any) -> None:
    """NUL is a character of JSON that PostgreSQL does not keep."""
    stack = [value]
    while stack:
        found = stack.pop()
        if isinstance(found, dict):
            stack += [*found, *found.values()]
        elif isinstance(found, list):
            stack += found
        elif isinstance(found, str) and "\0" in found:
            read.problem(name, "nul", "no NUL character may be in it")
            return


def _steps(read: Reading) -> list[Told]:
    value = read.anything("steps")
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > STEPS_MOST:
        read.problem("steps", "type", f"a list of at most {STEPS_MOST} steps is expected")
        return []
    read_nul(read, "steps", value)
    return [_step(each, Reading(each, pointer=read.at(f"steps/{place}")), read) for place, each in enumerate(value)]


def _step(value: Any, inner: Reading, outer: Reading) -> Told:
    kind = inner.choice("kind", ("model", "tool"))
    step: Told = {"kind": kind}
    said: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
    if kind == "model":
        step["model"] = inner.text("model")
        step |= {name: inner.integer(name, most=TOKENS_MOST) or 0 for name in ("input_tokens", "output_tokens")}
        if (output := inner.anything("output")) is not None:
            step["output"] = output
    if kind == "tool":
        step |= {"tool": inner.text("tool", required=True, most=NAME_MOST), "arguments": inner.anything("arguments")}
        step["recorded"] = inner.anything("recorded") is not False
        result, error = inner.anything("result"), inner.anything("error")
        if "error" in said:
            step["error"] = _error(error, inner)
        elif "result" in said:
            step["result"] = result
        if confirmation := inner.choice("confirmation", CONFIRMATIONS, required=False):
            step["confirmation"] = confirmation
        if fault := inner.choice("fault", FAULTS, required=False):
            step["fault"] = fault
    outer.problems += inner.all_problems()
    return step


def _error(value: Any, outer: Reading) -> Told:
    read = Reading(value, pointer=outer.at("error"))
    found = {"type": read.text("type", required=True, most=200), "message": read.text("message", most=_BROKE_MOST)}
    outer.problems += read.all_problems()
    return {name: text for name, text in found.items() if text}


def _dollars(read: Reading) -> int | None:
    text = read.text("cost_usd", most=30)
    if not text:
        return None
    try:
        amount = nano_usd(text)
        if 0 <= amount < 1 << 60:
            return amount
    except (ValueError, ArithmeticError):
        pass
    read.problem("cost_usd", "money", 'an amount of dollars in quotes is expected, such as "0.0042"')
    return None


def _trace(read: Reading) -> uuid.UUID | None:
    text = read.text("trace_id", most=32)
    if not text:
        return None
    try:
        return trace_uuid(text)
    except ValueError:
        read.problem("trace_id", "trace_id", "32 hex digits are expected")
        return None
