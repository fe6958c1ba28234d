"""The verdict of a gate: what each required suite says, and the word over all. Values in, a value out; this is the page an
auditor reads.

A requirement is met when all of this holds, in this order:

1. the set's newest revision was run to its end on exactly this content of the version, in the mode that is asked for, each
   case at least `repeats` times;
2. every case came to a result (what broke says nothing, so it passes nothing);
3. each judge that an expectation relies on was compared with people, and agrees with them;
4. the share of cases that passed is no less than `least_rate`; a case passes when each of its first `repeats` runs did;
5. if another version is approved: the same revision was run on it, too, and over the cases that came to a result there the
   difference, with its whole interval of 95 %, is not below minus `margin` (non-inferiority; paired.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evals.gating import paired
from evals.statistics import estimates
from evals.statistics.estimates import Estimate
from evals.types import CaseState, GateVerdictKind, SuiteMode

NAMED = 5  # cases that a sentence names
Place = tuple[str, str]  # a case's key, and the fault it was run with ("": none)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A requirement, with what is known of its set. `unsound`: sentences on judges that may not gate."""

    eval_set: str
    revision: int | None  # the newest; None where the set has none
    cases: int
    mode: SuiteMode
    least_rate: float
    margin: float
    repeats: int
    unsound: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A suite that was run to its end: by place, the state of each turn, in order. `attempts`: how often it was."""

    suite_run: str
    version: str
    repeats: int
    attempts: int
    turns: Mapping[Place, Sequence[CaseState]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one requirement came to. `lost`: cases that only the current version passes; `won`: that only this one does."""

    asked: Asked
    is_met: bool
    code: str
    sentence: str
    command: str = ""
    suite_run: str = ""
    current_run: str = ""
    attempts: int = 0
    rate: Estimate | None = None
    difference: Estimate | None = None
    failed: Sequence[str] = ()
    lost: Sequence[str] = ()
    won: Sequence[str] = ()
    flaky: Sequence[str] = ()
    broken: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    verdict: GateVerdictKind
    sentence: str
    findings: Sequence[Finding] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What is known of one requirement."""

    asked: Asked
    tried: Tried | None  # on this version
    current: Tried | None  # on the version that is approved now
    is_running: bool = False  # on this version, and none has ended
    revision_id: uuid.UUID | None = None


def decide(agent: str, version: str, current: str, grounds: Sequence[Ground]) -> Decision:
    """The gate's word on a version, against the version that is approved now ("" where there is none)."""
    findings = [weigh(agent, version, current, ground) for ground in grounds]
    unmet = [finding for finding in findings if not finding.is_met]
    if unmet:
        told = " ".join(f"{_name(finding.asked)}: {finding.sentence}" for finding in unmet)
        return Decision(verdict=GateVerdictKind.FAILED, sentence=told, findings=findings)
    against = f", and is not worse than {current}" if current else ""
    suites = "its suite" if len(findings) == 1 else f"all {len(findings)} suites"
    sentence = f"{version} passes {suites}{against}."
    return Decision(verdict=GateVerdictKind.PASSED, sentence=sentence, findings=findings)


def weigh(agent: str, version: str, current: str, ground: Ground) -> Finding:
    """What one requirement came to."""
    asked, tried = ground.asked, ground.tried
    if not asked.revision or not asked.cases:
        return _unmet(asked, "empty", "the set has no case; add some, or ask for another set.")
    if tried is None:
        command = command_of(agent, version, asked)
        return _unmet(asked, "missing", f"revision {asked.revision} was not run on this content.", command=command)
    seen = _Seen(asked, tried, ground.current)
    if seen.broken:
        told = f"{_cases(seen.broken)} came to no result; run it again."
        return seen.unmet("broken", told, command=command_of(agent, version, asked))
    if asked.unsound:
        return seen.unmet("not_calibrated", " ".join(asked.unsound))
    if seen.rate is None:  # nobody's cases: those of the set are all for other agents
        return seen.unmet("empty", "none of the set's cases is for this agent.")
    if seen.rate.mean < asked.least_rate - 1e-9:
        told = f"{_share(seen.rate)} passed, at least {_percent(asked.least_rate)} is asked; {_cases(seen.failed)} did not."
        return seen.unmet("below_rate", told)
    if current and seen.difference is None:
        told = f"it was not run on {current}, which is approved now, so nothing is there to compare with."
        if ground.current is not None:
            told = f"none of its cases came to a result on {current}, which is approved now; run it there again."
        return seen.unmet("current_missing", told, command=command_of(agent, current, asked))
    if seen.difference is not None and seen.difference.low < -asked.margin - 1e-9:
        return seen.unmet("worse", _worse(asked, seen, current))
    told = f"{_share(seen.rate)} passed"
    if seen.difference is not None:
        told += f"; against {current} it is {_points(seen.difference)}"
    return seen.finding(code="met", is_met=True, sentence=f"{told}.")


def command_of(agent: str, version: str, asked: Asked) -> str:
    """How a suite that is missing is run, by the client where the agent lives."""
    more = f" --repeats {asked.repeats}" if asked.repeats > 1 else ""
    mode = f" --mode {asked.mode}" if asked.mode != SuiteMode.PLAIN else ""
    return f"python -m agentops_client.evals run --agent {agent} --version {version} --set {asked.eval_set}{mode}{more} --call MODULE:NAME"


class _Seen:
    """The cases of a suite, side by side with the current version's."""

    def __init__(self, asked: Asked, tried: Tried, current: Tried | None) -> None:
        self.asked, self.tried, self.current = asked, tried, current
        most = asked.repeats
        passes = {place: _passes(states, most) for place, states in tried.turns.items()}
        sound = current.turns.items() if current else ()
        before = {place: _passes(states, most) for place, states in sound if not _is_broken(states, most)}
        both = [place for place in passes if place in before]
        self.broken = [_word(place) for place, states in tried.turns.items() if _is_broken(states, most)]
        self.failed = [_word(place) for place, passed in passes.items() if not passed]
        self.lost = [_word(place) for place in both if before[place] and not passes[place]]
        self.won = [_word(place) for place in both if passes[place] and not before[place]]
        self.flaky = [_word(place) for place, states in tried.turns.items() if _is_flaky(states)]
        self.rate = estimates.share(sum(passes.values()), len(passes))
        self.difference = paired.difference(won=len(self.won), lost=len(self.lost), n=len(both)) if current else None

    def finding(self, **said: Any) -> Finding:
        return Finding(
            asked=self.asked,
            suite_run=self.tried.suite_run,
            current_run=self.current.suite_run if self.current else "",
            attempts=self.tried.attempts,
            rate=self.rate,
            difference=self.difference,
            failed=sorted(self.failed),
            lost=sorted(self.lost),
            won=sorted(self.won),
            flaky=sorted(self.flaky),
            broken=sorted(self.broken),
            **said,
        )

    def unmet(self, code: str, sentence: str, command: str = "") -> Finding:
        return self.finding(is_met=False, code=code, sentence=sentence, command=command)


def _unmet(asked: Asked, code: str, sentence: str, command: str = "") -> Finding:
    return Finding(asked=asked, is_met=False, code=code, sentence=sentence, command=command)


def _passes(states: Sequence[CaseState], most: int) -> bool:
    return len(states) >= most and all(state == CaseState.PASSED for state in states[:most])


def _is_broken(states: Sequence[CaseState], most: int) -> bool:
    return any(state not in _RESULTS for state in states[:most])


def _is_flaky(states: Sequence[CaseState]) -> bool:
    passed = sum(state == CaseState.PASSED for state in states)
    return 0 < passed < len(states)


_RESULTS = frozenset({CaseState.PASSED, CaseState.FAILED, CaseState.DIVERGED})


# -- words ------------------------------------------------------------------------------------------------------------


def _worse(asked: Asked, seen: _Seen, current: str) -> str:
    difference = seen.difference
    assert difference is not None
    may = f"it may be {_percent(-difference.low, 'points')} worse than {current}, and {_percent(asked.margin, 'points')} are allowed"
    if seen.lost:
        passes = "passes" if len(seen.lost) == 1 else "pass"
        return f"{_cases(seen.lost)} {passes} on {current} and not here; {may}."
    least = paired.narrowest(difference.n)
    if least > asked.margin:
        needed = paired.cases_for(asked.margin)
        enough = f"take a margin of {_percent(least, 'points')}, or {needed} cases" if needed else "take a wider margin"
        return f"no case is worse, but {difference.n} cases cannot show that little: {may}; {enough}."
    return f"{may}."


def _name(asked: Asked) -> str:
    return f"{asked.eval_set}{' (tools fail)' if asked.mode == SuiteMode.CHAOS else ''}"


def _word(place: Place) -> str:
    key, fault = place
    return f"{key} ({fault})" if fault else key


def _cases(words: Sequence[str]) -> str:
    named = ", ".join(sorted(words)[:NAMED])
    more = f" and {len(words) - NAMED} more" if len(words) > NAMED else ""
    return f"{len(words)} case{'' if len(words) == 1 else 's'} ({named}{more})"


def _share(rate: Estimate) -> str:
    return f"{round(rate.mean * rate.n)} of {rate.n}"


def _percent(share: float, unit: str = "%") -> str:
    return f"{share * 100:.1f}".removesuffix(".0") + f" {unit}"


def _points(difference: Estimate) -> str:
    low, high = f"{difference.low * 100:+.1f}", f"{difference.high * 100:+.1f}"
    return f"{difference.mean * 100:+.1f} points ({low} to {high})".replace("+0.0 points", "0 points")
