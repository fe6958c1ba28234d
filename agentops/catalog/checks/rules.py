"""Semantic rules in CEL, compiled once. A rule that breaks, is not boolean or takes too long does not hold."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cel
import jsonschema_rs

from agentops.catalog.checks import cel_text, patterns
from agentops.catalog.checks.cel_text import LATE, MATCHES, Reading, Unacceptable
from agentops.catalog.types import Rejection

BUDGET_SECONDS = 0.05  # CPU time of one check, all rules together
MAX_VALUES = 2_000  # values that are handed to the evaluator: each costs some microseconds
TOLD_MOST = 5
_PATTERN_BYTES = 100_000  # of a compiled pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a manifest. `pointer` and `expected` are for the agent that is refused."""

    code: str
    expression: str
    pointer: str = ""
    expected: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TierRaise:
    """A condition under which a call needs one tier more, and why."""

    when: str
    because: str


class RuleChecks:
    """The compiled rules and tier conditions of one tool version. Thread-safe."""

    def __init__(self, rules: Sequence[Rule] = (), raises: Sequence[TierRaise] = ()) -> None:
        """Raises Unacceptable for an expression that `problem` would name."""
        self._rules, self._raises = tuple(rules), tuple(raises)
        self._conditions = _Conditions([rule.expression for rule in self._rules])
        self._raising = _Conditions([each.when for each in self._raises])

    @property
    def needs_contacts(self) -> bool:
        return self._conditions.needs_contacts or self._raising.needs_contacts

    def check(self, knowledge: Mapping[str, Any]) -> list[Rejection]:
        """The rules that do not hold (`rule_violated`), the first few. A rule that breaks does not hold."""
        if not self._rules:
            return []
        found = []
        for rule, broken in zip(self._rules, self._conditions.evaluated(knowledge), strict=True):
            if broken is None:
                continue
            why = f"the rule {rule.code} does not hold"
            if broken:
                why = f"the rule {rule.code} could not be decided: {broken}"
            hint = f"{why}; {rule.hint}" if rule.hint else why
            found.append(
                Rejection(
                    code="rule_violated", pointer=rule.pointer, expected=rule.expected or rule.expression, hint=hint
                )
            )
            if len(found) == TOLD_MOST:
                break
        return found

    def raised(self, knowledge: Mapping[str, Any]) -> list[str]:
        """Why the tier rises by one; empty when it does not. A condition that breaks raises it."""
        if not self._raises:
            return []
        found = []
        for each, broken in zip(self._raises, self._raising.evaluated(knowledge), strict=True):
            if broken is None:
                found.append(each.because)
            elif broken:
                found.append(f"{each.because} (could not be decided: {broken})")
        return found


def problem(expression: str) -> str:
    """Why an expression cannot be saved, with what would be taken; "" when it can."""
    try:
        read = cel_text.read(expression)
        program = _compiled(read)
        _compiled_patterns([read])
    except Unacceptable as error:
        return str(error)
    try:
        answer = program.execute(cel.Context({}, functions={LATE: lambda: True, MATCHES: lambda *_: False}))
    except _ENDS:
        raise
    except BaseException:
        return ""  # it looks at something, as a rule should
    return "" if isinstance(answer, bool) else "it is not a condition: something that is true or false is expected"


def variables(expression: str) -> frozenset[str]:
    """What an expression that `problem` takes looks at."""
    return cel_text.read(expression).variables


# -- evaluation -------------------------------------------------------------------------------------------------------

_ENDS = (KeyboardInterrupt, SystemExit, GeneratorExit)


class _Conditions:
    """Expressions that are evaluated together, over the variables that any of them reads, handed over once."""

    def __init__(self, expressions: Sequence[str]) -> None:
        readings = [cel_text.read(expression) for expression in expressions]
        self._programs = [_compiled(reading) for reading in readings]
        self._members = _merged(readings)
        self._loops = any(reading.loops for reading in readings)
        self._patterns = _compiled_patterns(readings)
        self._only_asks = all(reading.only_asks_contacts for reading in readings if "contacts" in reading.members)
        self._texts = frozenset().union(*(reading.texts for reading in readings))

    @property
    def needs_contacts(self) -> bool:
        return "contacts" in self._members

    def evaluated(self, knowledge: Mapping[str, Any]) -> list[str | None]:
        """For each expression: None where it holds, "" where it does not, a reason where it could not be decided."""
        box = _Box()
        try:
            context = self._context(knowledge, box)
        except _TooMuch as error:
            reason = str(error)
            return [reason for _ in self._programs]
        found: list[str | None] = []
        is_late = False
        for program in self._programs:
            if is_late:
                found.append("the rules before it took too long")
                continue
            answer = _answer(program, context)
            is_late = box.has_cut
            found.append("it took too long" if is_late else answer)
        return found

    def _context(self, knowledge: Mapping[str, Any], box: _Box) -> cel.Context:
        variables = {
            name: _narrowed(knowledge.get(name), members)
            for name, members in self._members.items()
            if name != "contacts"
        }
        left = MAX_VALUES
        texts: set[str] | None = None
        if "contacts" in self._members and self._only_asks:
            texts = set(self._texts)
        for value in variables.values():
            left = _count(value, left, texts)
        if "contacts" in self._members:
            variables["contacts"] = self._contacts(knowledge.get("contacts") or {}, texts, left)
        functions: dict[str, Callable[..., Any]] = {}
        if self._loops:
            functions[LATE] = box.is_over
        if self._patterns:
            functions[MATCHES] = functools.partial(self._matches, box)
        return cel.Context(variables, functions=functions) if functions else cel.Context(variables)

    def _matches(self, box: _Box, text: Any, pattern: str) -> bool | None:
        """None, which is neither true nor false, where there is no text, or no time for it: the evaluator tells exceptions
        to the log."""
        if not isinstance(text, str) or not box.has_time_for(text, pattern):
            return None
        return self._patterns[pattern].is_valid(text)

    def _contacts(self, known: Mapping[str, Any], texts: set[str] | None, left: int) -> dict[str, Any]:
        """The sets that are looked at: as far as an answer can depend on it, or wholly where it may depend on all.

        Handing a thousand contacts over costs milliseconds. Where an expression only asks whether a value that it was
        given is in a set, the values it was given are all that the set needs to hold.
        """
        found = {}
        for name in self._members["contacts"] or ():
            if name not in known:
                continue
            kept = [text for text in texts if text in known[name]] if texts is not None else list(known[name])
            left -= len(kept)
            if left < 0:
                raise _TooMuch(
                    f"the contacts are too many to be looked at one by one (at most {MAX_VALUES} values); "
                    f"a rule that asks 'value in contacts.{name}' has no such limit"
                )
            found[name] = kept
        return found


class _Box:
    """The time of one check. A pattern is looked at before it runs, as nothing interrupts it then.

    What neither loops nor matches is as short as its text, and never cut: a look of the garbage collector, or another
    machine's turn on this processor, may take longer than all rules.
    """

    def __init__(self) -> None:
        self.has_cut = False
        self._deadline = time.thread_time() + BUDGET_SECONDS
        self._left = patterns.MOST_COST // 3  # about the same time

    def is_over(self) -> bool:
        self.has_cut = self.has_cut or self._left < 0 or time.thread_time() > self._deadline
        return self.has_cut

    def has_time_for(self, text: str, pattern: str) -> bool:
        self._left -= len(text) * patterns.compiled_bytes(pattern)
        return not self.is_over()


def _answer(program: cel.Program, context: cel.Context) -> str | None:
    try:
        answer = program.execute(context)
    except _ENDS:
        raise
    except BaseException as error:  # a panic of the evaluator is no Exception
        return _in_words(error)
    if answer is True:
        return None
    return "" if answer is False else "it is neither true nor false"


class _TooMuch(ValueError):
    """More values than the evaluator is handed."""


def _compiled(reading: Reading) -> cel.Program:
    try:
        return cel.compile(reading.runnable)
    except _ENDS:
        raise
    except BaseException as error:
        lines = [line for line in str(error).splitlines() if "ERROR" in line]
        said = lines[0].split(":", 4)[-1].strip() if lines else "it cannot be read"
        raise Unacceptable(f"this is no valid CEL: {said[:200]}") from error


def _compiled_patterns(readings: Sequence[Reading]) -> dict[str, jsonschema_rs.Draft202012Validator]:
    """By the pattern. The engine for JSON Schema's `pattern` serves here too: it keeps what it has compiled."""
    found = {}
    for literal in {literal for reading in readings for literal in reading.patterns}:
        try:
            pattern = cel.compile(literal).execute()
            found[pattern] = jsonschema_rs.Draft202012Validator(
                {"pattern": pattern}, pattern_options=patterns.options(_PATTERN_BYTES)
            )
        except _ENDS:
            raise
        except BaseException as error:
            raise Unacceptable(f"the pattern {literal[:60]} is no regular expression, or too large") from error
    return found


def _merged(readings: Sequence[Reading]) -> dict[str, frozenset[str] | None]:
    found: dict[str, frozenset[str] | None] = {}
    for reading in readings:
        for name, members in reading.members.items():
            before = found.get(name, frozenset())
            found[name] = None if members is None or before is None else before | members
    return found


def _narrowed(value: Any, members: frozenset[str] | None) -> Any:
    if members is None or not isinstance(value, Mapping):
        return value
    return {name: value[name] for name in members if name in value}


def _count(value: Any, left: int, texts: set[str] | None) -> int:
    """How many values are left after these; notes their texts."""
    stack = [value]
    while stack:
        found = stack.pop()
        left -= 1
        if left < 0:
            raise _TooMuch(f"there are too many values to look at (at most {MAX_VALUES})")
        if isinstance(found, dict):
            stack.extend(found.values())
            if texts is not None:
                texts.update(found)
        elif isinstance(found, list):
            stack.extend(found)
        elif texts is not None and isinstance(found, str):
            texts.add(found)
    return left


def _in_words(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"it looks at {str(error.args[0])[:60] if error.args else 'something'}, which is not there"
    if isinstance(error, ZeroDivisionError):
        return "it divides by zero"
    if isinstance(error, OverflowError):
        return "a number is too large"
    if isinstance(error, TypeError):
        return "it compares or combines values of different types"
    return "it fails for these values"
