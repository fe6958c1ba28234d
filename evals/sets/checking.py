"""Whether what an agent did is what a case expects. Pure: values in, a sentence and a yes or no out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from agentops.catalog.checks import Rule, RuleChecks, SchemaCheck
from agentops.common import strictjson
from evals.sets import expectations, jsonpath
from evals.types import CaseState, SuiteMode

_SHOWN = 200  # characters of a value in a sentence
Finding = dict[str, Any]  # {"kind", "holds": true, false or null while a judge is asked, "said"}


@dataclass(frozen=True)
class Seen:
    """What an agent did with a case. `broke`: the exception that ended it, "" where it answered.

    A step is `{"kind": "model", "model", "input_tokens", "output_tokens"}` or `{"kind": "tool", "tool", "arguments",
    "recorded": bool}` with `result` or `error` ({"type", "message"}), and where so `confirmation` and `fault`.
    """

    input: Any
    output: Any = None
    steps: Sequence[Mapping[str, Any]] = ()
    broke: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nano_usd: int | None = None
    duration_ms: int | None = None
    asks: frozenset[str] = field(default_factory=frozenset)  # tools about which people are asked, by the catalog's tier
    _plain: dict[tuple[str, bool], str] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def calls(self) -> list[Mapping[str, Any]]:
        return [step for step in self.steps if step.get("kind") == "tool"]

    @cached_property
    def text(self) -> str:
        if isinstance(self.output, str):
            return self.output
        return "" if self.output is None else strictjson.canonical(self.output).decode()

    @cached_property
    def parsed(self) -> Any:
        """The output as a value: a text that is JSON is that value."""
        if isinstance(self.output, str) and self.output.strip()[:1] in ("{", "["):
            try:
                return strictjson.loads(self.output.encode(), max_bytes=4_000_000, max_depth=100)
            except Exception:
                return self.output
        return self.output

    @cached_property
    def arguments(self) -> list[bytes]:
        """Of each call, as they are compared: written once, however many expectations look at them."""
        return [strictjson.canonical(call.get("arguments")) for call in self.calls]

    def plain(self, text: str, is_exact: bool) -> str:
        """A text as it is searched, made once: it may have megabytes."""
        if (text, is_exact) not in self._plain:
            self._plain[text, is_exact] = _plain(text, is_exact)
        return self._plain[text, is_exact]

    @cached_property
    def for_cel(self) -> dict[str, Any]:
        calls = [
            {
                "tool": call["tool"],
                "arguments": call.get("arguments"),
                "result": call.get("result"),
                "error": (call.get("error") or {}).get("type"),
                "confirmation": call.get("confirmation", ""),
            }
            for call in self.calls
        ]
        return {
            "input": self.input,
            "output": self.parsed,
            "text": self.text,
            "calls": calls,
            "tools": [call["tool"] for call in calls],
            "tool_calls": len(calls),
            "model_calls": sum(step.get("kind") == "model" for step in self.steps),
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": -1.0 if self.cost_nano_usd is None else self.cost_nano_usd / 1e9,
            "duration_seconds": -1.0 if self.duration_ms is None else self.duration_ms / 1e3,
        }


def check(expect: Sequence[Mapping[str, Any]], seen: Seen, *, mode: str) -> list[Finding]:
    """What each expectation that is asked in this mode says, in order. A rubric's `holds` is None: a judge says it."""
    found = []
    for expectation in expect:
        if mode not in expectations.modes_of(expectation):
            continue
        kind = expectation["kind"]
        if kind == "rubric":
            found.append({"kind": kind, "holds": None, "said": "waits for the judge", **_asked(expectation)})
            continue
        said = _CHECKS[kind](expectation, seen)
        found.append({"kind": kind, "holds": not said, "said": said or _holds(expectation)})
    return found


def state_of(findings: Sequence[Finding], seen: Seen, *, mode: str) -> tuple[CaseState, str]:
    """What the findings come to, with a sentence where they do not say it themselves.

    An agent that breaks in a plain run says nothing about the case; where tools were made to fail, not to break is what
    is tested. A call that nobody recorded leaves the case undecided, unless it is the one that must not be made.
    """
    if any(each["holds"] is False and each["kind"] == "must_not_call" for each in findings):
        return CaseState.FAILED, ""
    strange = next((call for call in seen.calls if not call.get("recorded", True)), None)
    if strange is not None:
        return (
            CaseState.DIVERGED,
            f"it called {strange['tool']} with {_short(strange.get('arguments'))}, which nobody recorded",
        )
    if mode == SuiteMode.CHAOS and not any(call.get("fault") for call in seen.calls):
        return CaseState.ERRORED, "it made no recorded call, so nothing could fail"
    if seen.broke:
        state = CaseState.FAILED if mode == SuiteMode.CHAOS else CaseState.ERRORED
        return state, f"the agent broke: {seen.broke}"
    if any(each["holds"] is False for each in findings):
        return CaseState.FAILED, ""
    if any(each["holds"] is None for each in findings):
        return CaseState.JUDGING, ""
    return CaseState.PASSED, ""


# -- the output -------------------------------------------------------------------------------------------------------


def _exact(expectation: Mapping[str, Any], seen: Seen) -> str:
    wanted = expectation["value"]
    value: Any = seen.output if isinstance(wanted, str) else seen.parsed
    if path := expectation.get("path"):
        try:
            found = jsonpath.find(path, seen.parsed)
        except ValueError as error:
            return str(error)
        if len(found) != 1:
            return f"{path} finds {len(found)} values; one is expected"
        value = found[0]
    return "" if _same(value, wanted) else f"{_short(wanted)} is expected; it answered {_short(value)}"


def _contains(expectation: Mapping[str, Any], seen: Seen) -> str:
    is_exact = bool(expectation.get("case_sensitive"))
    text = seen.plain(seen.text, is_exact)
    for name in ("all", "any", "none"):
        if name not in expectation:
            continue
        texts: list[str] = expectation[name]
        there = [each for each in texts if _plain(each, is_exact) in text]
        if name == "all" and len(there) < len(texts):
            return f"it does not say {_listed([each for each in texts if each not in there])}"
        if name == "any" and not there:
            return f"it says none of {_listed(texts)}"
        if name == "none" and there:
            return f"it says {_listed(there)}"
    return ""


def _json_path(expectation: Mapping[str, Any], seen: Seen) -> str:
    path = expectation["path"]
    try:
        found = jsonpath.find(path, seen.parsed)
    except ValueError as error:
        return str(error)
    if "exists" in expectation:
        if bool(found) == expectation["exists"]:
            return ""
        return f"{path} finds {_short(found[0])}; nothing is expected there" if found else f"{path} finds nothing"
    if "count" in expectation:
        wanted = expectation["count"]
        return "" if len(found) == wanted else f"{path} finds {len(found)} values; {wanted} are expected"
    if not found:
        return f"{path} finds nothing"
    if "contains" in expectation:
        text = expectation["contains"]
        if any(isinstance(value, str) and _plain(text, False) in seen.plain(value, False) for value in found):
            return ""
        return f"{path} finds {_short(found[0])}, which does not say {text!r}"
    wanted_values = expectation["one_of"] if "one_of" in expectation else [expectation["equals"]]
    if any(_same(value, wanted) for value in found for wanted in wanted_values):
        return ""
    return f"{path} finds {_short(found[0])}; {_short(wanted_values[0])} is expected"


def _schema(expectation: Mapping[str, Any], seen: Seen) -> str:
    wrong = SchemaCheck(expectation["schema"]).check(seen.parsed)
    return f"{wrong[0].pointer or 'the output'}: {wrong[0].expected} is expected ({wrong[0].hint})" if wrong else ""


def _cel(expectation: Mapping[str, Any], seen: Seen) -> str:
    rule = Rule(code="case", expression=expectation["expression"], expected=expectation.get("expected", ""))
    [*wrong] = RuleChecks([rule]).check({"run": seen.for_cel})
    if not wrong:
        return ""
    because = wrong[0].hint.removeprefix("the rule case ")
    return f"{rule.expected or rule.expression} is expected; it {because}"


# -- the calls --------------------------------------------------------------------------------------------------------


def _must_call(expectation: Mapping[str, Any], seen: Seen) -> str:
    tool = expectation["tool"]
    number = len(_matching(expectation, [tool], seen))
    least, most = expectation.get("at_least", 1), expectation.get("at_most")
    such = " so" if "arguments" in expectation or "arguments_include" in expectation else ""
    if number < least:
        others = [call for call in seen.calls if call["tool"] == tool]
        instead = f"; it called it with {_short(others[0].get('arguments'))}" if others and such else ""
        return f"{tool} was called{such} {_times(number)}; at least {_times(least)} is expected{instead}"
    if most is not None and number > most:
        return f"{tool} was called{such} {_times(number)}; at most {_times(most)} is expected"
    return ""


def _must_not_call(expectation: Mapping[str, Any], seen: Seen) -> str:
    found = _matching(expectation, expectation["tools"], seen)
    return f"it called {found[0]['tool']} with {_short(found[0].get('arguments'))}" if found else ""


def _must_confirm(expectation: Mapping[str, Any], seen: Seen) -> str:
    tool = expectation["tool"]
    if tool in seen.asks:
        return ""
    bare = [call for call in seen.calls if call["tool"] == tool and not call.get("confirmation")]
    return f"{tool} was called with {_short(bare[0].get('arguments'))}, and no person was asked" if bare else ""


def _max_calls(expectation: Mapping[str, Any], seen: Seen) -> str:
    tool, most = expectation.get("tool", ""), expectation["most"]
    number = sum(tool in ("", call["tool"]) for call in seen.calls)
    return f"{number} calls{f' of {tool}' if tool else ''}; at most {most} are expected" if number > most else ""


def _calls_in_order(expectation: Mapping[str, Any], seen: Seen) -> str:
    left = list(expectation["tools"])
    for call in seen.calls:
        if left and call["tool"] == left[0]:
            left.pop(0)
    if not left:
        return ""
    made = _listed([call["tool"] for call in seen.calls]) if seen.calls else "nothing"
    return f"{' then '.join(expectation['tools'])} is expected; it called {made}"


_CHECKS: dict[str, Callable[[Mapping[str, Any], Seen], str]] = {
    "exact": _exact,
    "contains": _contains,
    "json_path": _json_path,
    "schema": _schema,
    "cel": _cel,
    "must_call": _must_call,
    "must_not_call": _must_not_call,
    "must_confirm": _must_confirm,
    "max_calls": _max_calls,
    "calls_in_order": _calls_in_order,
}


def _matching(expectation: Mapping[str, Any], tools: Sequence[str], seen: Seen) -> list[Mapping[str, Any]]:
    calls = [(call, place) for place, call in enumerate(seen.calls) if call["tool"] in tools]
    if "arguments" in expectation:
        exactly = strictjson.canonical(expectation["arguments"])
        return [call for call, place in calls if seen.arguments[place] == exactly]
    wanted: Mapping[str, Any] = expectation.get("arguments_include", {})
    return [call for call, _ in calls if _includes(call.get("arguments"), wanted)]


def _includes(arguments: Any, wanted: Mapping[str, Any]) -> bool:
    given = arguments if isinstance(arguments, dict) else {}
    return all(name in given and _same(given[name], value) for name, value in wanted.items())


def _same(one: Any, other: Any) -> bool:
    """Alike as JSON: what Python finds unlike is, and true is no 1."""
    return one == other and strictjson.canonical(one) == strictjson.canonical(other)


# -- words ------------------------------------------------------------------------------------------------------------


def sentence(expectation: Mapping[str, Any]) -> str:
    """An expectation in words, for pages."""
    return _holds(expectation)


def _holds(expectation: Mapping[str, Any]) -> str:
    kind = expectation["kind"]
    args = expectation.get("arguments", expectation.get("arguments_include"))
    exactly = "" if args is None else f" with {'exactly ' if 'arguments' in expectation else ''}{_short(args)}"
    match kind:
        case "exact":
            where = expectation.get("path", "the output")
            return f"{where} is {_short(expectation['value'])}"
        case "contains":
            name = next(name for name in ("all", "any", "none") if name in expectation)
            words = {"all": "it says", "any": "it says one of", "none": "it does not say"}
            return f"{words[name]} {_listed(expectation[name])}"
        case "json_path":
            [said] = [name for name in ("equals", "one_of", "contains", "exists", "count") if name in expectation]
            return f"{expectation['path']} {said.replace('_', ' ')} {_short(expectation[said])}"
        case "schema":
            return "the output fits the schema"
        case "cel":
            return str(expectation.get("expected") or expectation["expression"])
        case "rubric":
            least = expectation.get("at_least")
            return f"the judge {expectation['judge']} {'lets it pass' if least is None else f'gives at least {least}'}"
        case "must_call":
            least, most = expectation.get("at_least", 1), expectation.get("at_most")
            often = f"{'' if least == 1 else f' at least {_times(least)}'}{'' if most is None else f' at most {_times(most)}'}"
            return f"{expectation['tool']} is called{exactly}{often}"
        case "must_not_call":
            return f"{_listed(expectation['tools'], 'or')} is not called{exactly}"
        case "must_confirm":
            return f"people are asked before {expectation['tool']} runs"
        case "max_calls":
            tool = expectation.get("tool", "")
            return f"at most {expectation['most']} calls{f' of {tool}' if tool else ''}"
        case _:
            return " then ".join(expectation["tools"])


def _asked(expectation: Mapping[str, Any]) -> dict[str, Any]:
    return {name: expectation[name] for name in ("judge", "at_least") if name in expectation}


def _plain(text: str, is_exact: bool) -> str:
    text = re.sub(r"\s+", " ", text)
    return text if is_exact else text.casefold()


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "), default=str)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _listed(texts: Sequence[str], word: str = "and") -> str:
    shown = [each if len(each) <= 60 else f"{each[:59]}…" for each in texts[:6]]
    more = f" {word} {len(texts) - 6} more" if len(texts) > 6 else ""
    return ", ".join(f"“{each}”" for each in shown) + more


def _times(number: int) -> str:
    return "once" if number == 1 else "twice" if number == 2 else "never" if number == 0 else f"{number} times"
