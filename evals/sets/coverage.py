"""What a set covers, and what it does not: tags, tools, ways of failing. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from evals.sets.cases import Case


@dataclass(frozen=True, slots=True)
class Mode:
    """A way in which agents fail, how many cases look at it, and what would."""

    title: str
    cases: int
    advice: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """`tools`: (name, cases in which it is recorded, cases in which something is expected of it); `missing_tools`: those that
    agents have and no case speaks of."""

    tags: list[tuple[str, int]]
    tools: list[tuple[str, int, int]]
    missing_tools: list[str]
    modes: list[Mode]
    origins: list[tuple[str, int]]


def of_cases(found: Iterable[Case], *, known_tools: Iterable[str] = ()) -> Coverage:
    """Of the cases of a set. `known_tools`: what the catalog grants to agents."""
    listed = list(found)
    tags = Counter(tag for case in listed for tag in case.tags)
    recorded = Counter(tool for case in listed for tool in {each["tool"] for each in case.tools})
    expected = Counter(tool for case in listed for tool in _expected_tools(case))
    return Coverage(
        tags=sorted(tags.items(), key=lambda item: (-item[1], item[0])),
        tools=[(tool, recorded[tool], expected[tool]) for tool in sorted(recorded | expected)],
        missing_tools=sorted(set(known_tools) - set(recorded) - set(expected)),
        modes=[Mode(title, sum(map(looks, listed)), advice) for title, looks, advice in _MODES],
        origins=Counter(str(case.provenance.get("kind", "curated")) for case in listed).most_common(),
    )


def _expected_tools(case: Case) -> set[str]:
    return {tool for each in case.expect for tool in [*each.get("tools", ()), each.get("tool", "")] if tool}


def _kinds(*kinds: str) -> Callable[[Case], bool]:
    return lambda case: any(each["kind"] in kinds for each in case.expect)


def _tagged(*tags: str) -> Callable[[Case], bool]:
    return lambda case: bool(set(tags) & set(case.tags))


def _size(value: Any) -> int:
    return len(str(value))


def _has(test: Callable[[Mapping[str, Any]], bool]) -> Callable[[Case], bool]:
    return lambda case: any(test(each) for each in case.tools)


_MODES: list[tuple[str, Callable[[Case], bool], str]] = [
    ("A tool fails", _has(lambda tool: "error" in tool), "record a call with an error"),
    ("A tool finds nothing", _has(lambda tool: "result" in tool and tool["result"] in ([], {}, "", None)), "record an empty result"),
    ("People refuse", _has(lambda tool: tool.get("confirmation") == "refused"), "record a call with confirmation: refused"),
    ("Something must not be called", _kinds("must_not_call"), "expect must_not_call"),
    ("People must be asked first", _kinds("must_confirm"), "expect must_confirm"),
    ("Too many calls", _kinds("max_calls"), "expect max_calls"),
    ("The form of the answer", _kinds("schema", "json_path", "exact"), "expect schema, json_path or exact"),
    ("Several steps in order", _kinds("calls_in_order"), "expect calls_in_order"),
    ("Injection and other attacks", _tagged("adversarial", "injection", "jailbreak"), "tag a case adversarial"),
    ("Ambiguous requests", _tagged("ambiguity"), "tag a case ambiguity"),
    ("Long input", lambda case: _size(case.input) > 4_000, "give a case an input of more than 4,000 characters"),
    ("Other languages", _tagged("languages", "language"), "tag a case languages"),
]  # fmt: skip
