"""How gates are shown: lines, words and the figure. No reads here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evals.gating.policy import Finding, Ground, Place
from evals.types import CaseState, SuiteMode

_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross")


@dataclass(frozen=True, slots=True)
class Change:
    """One case of a suite on both versions, where there is something to say of it."""

    key: str
    fault: str
    here: str
    current: str
    word: str
    tone: str


@dataclass(frozen=True, slots=True)
class Suite:
    """A requirement on the page of a version."""

    finding: Finding
    mode: str
    asks: str
    rate: str
    difference: str
    changes: Sequence[Change]
    same: int  # cases that pass on both, each time


def suite(ground: Ground, finding: Finding) -> Suite:
    here = ground.tried.turns if ground.tried else {}
    before = ground.current.turns if ground.current else {}
    changes = [_change(place, states, before.get(place), finding) for place, states in sorted(here.items())]
    told = [change for change in changes if change.word]
    asked = finding.asked
    repeats = f", each {asked.repeats} times" if asked.repeats > 1 else ""
    return Suite(
        finding=finding,
        mode="tools fail" if asked.mode == SuiteMode.CHAOS else "",
        asks=f"{percent(asked.least_rate)} pass{repeats}; at most {points(asked.margin)} worse",
        rate=f"{round(finding.rate.mean * finding.rate.n)} of {finding.rate.n}" if finding.rate else "",
        difference=interval(finding) if finding.difference else "",
        changes=sorted(told, key=lambda change: (_ORDER[change.tone], change.key, change.fault)),
        same=len(changes) - len(told),
    )


def interval(finding: Finding) -> str:
    """The difference to the current version, in points, with its interval."""
    found = finding.difference
    assert found is not None
    return f"{_signed(found.mean)} points ({_signed(found.low)} to {_signed(found.high)})"


def percent(share: float) -> str:
    return f"{share * 100:.1f}".removesuffix(".0") + " %"


def points(share: float) -> str:
    return f"{share * 100:.1f}".removesuffix(".0") + " points"


def figure(lines: Sequence[Any]) -> dict[str, Any]:
    """Pass rates over time with their intervals, one line a suite, told apart by symbol as well."""
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": f"{line.eval_set}{' (tools fail)' if line.mode == SuiteMode.CHAOS else ''}",
                "x": [point.at.isoformat() for point in line.points],
                "y": [round(point.rate.mean * 100, 2) for point in line.points],
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [round((point.rate.high - point.rate.mean) * 100, 2) for point in line.points],
                    "arrayminus": [round((point.rate.mean - point.rate.low) * 100, 2) for point in line.points],
                    "thickness": 1,
                    "width": 3,
                },
                "text": [f"{point.version}{': ' if point.because else ''}{point.because}" for point in line.points],
                "marker": {"symbol": _SYMBOLS[place % len(_SYMBOLS)], "size": 7},
                "hovertemplate": "%{y:.1f} % · %{text}",
            }
            for place, line in enumerate(lines)
        ],
        "layout": {"yaxis": {"ticksuffix": " %", "range": [_floor(lines), 102]}, "xaxis": {"type": "date"}},
    }


def _floor(lines: Sequence[Any]) -> float:
    """A round number below every interval, so that small moves can be seen."""
    lowest = min((point.rate.low for line in lines for point in line.points), default=0.0)
    return max(0.0, lowest * 100 // 10 * 10 - 10)


_ORDER = {"bad": 0, "warn": 1, "ok": 2, "quiet": 3}
_WORDS = {
    CaseState.PASSED: "passes",
    CaseState.FAILED: "fails",
    CaseState.DIVERGED: "diverges",
    CaseState.ERRORED: "broke",
}


def _change(place: Place, states: Sequence[CaseState], before: Sequence[CaseState] | None, finding: Finding) -> Change:
    key, fault = place
    word = f"{key} ({fault})" if fault else key
    told, tone = "", "quiet"
    if word in finding.broken:
        told, tone = "came to no result", "bad"
    elif word in finding.lost:
        told, tone = ("passes at times only" if word in finding.flaky else "passes no more"), "bad"
    elif word in finding.won:
        told, tone = "passes now", "ok"
    elif word in finding.failed:
        told, tone = ("fails, as before" if before else "fails"), "warn"
    elif word in finding.flaky:
        told, tone = "passes at times", "warn"
    return Change(key, fault, _turns(states), _turns(before) if before else "", told, tone)


def _turns(states: Sequence[CaseState]) -> str:
    if len(states) == 1:
        return _WORDS.get(states[0], "waits")
    passed = sum(state == CaseState.PASSED for state in states)
    return f"{passed} of {len(states)}"


def _signed(share: float) -> str:
    return f"{share * 100:+.1f}".replace("+0.0", "0").replace("-0.0", "0")
