"""Does a fix fix it? Its cases fail on the old version and pass on the new one, and so does the whole set. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# A case that passes at times fails: an agent is not asked twice.
FAILS = frozenset({"failed", "diverged", "flaky"})
PASSES = "passed"
NO_CANARY = "Not available: agentops has no canary releases yet. What stands for it is the watch after the fix."


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A suite run as its rows tell it. `statuses`: by the key of a case, of its repeats together."""

    eval_set: str
    agent: str
    version: str
    is_done: bool
    is_plain: bool  # tools answered as recorded
    is_whole: bool  # no tags left cases out
    statuses: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Proof:
    failed_on_old: bool
    passes_on_new: bool
    full_suite_passed: bool
    reasons: tuple[str, ...] = field(default=())  # why not

    @property
    def holds(self) -> bool:
        return self.failed_on_old and self.passes_on_new and self.full_suite_passed


def proof(
    *, agent: str, old_version: str, new_version: str, cases: Sequence[Mapping[str, str]], old: Suite, new: Suite
) -> Proof:
    """What two suite runs show of a fix."""
    reasons = [
        *_wrong("old", old, agent, old_version),
        *_wrong("new", new, agent, new_version),
    ]
    sound_old, sound_new = not _wrong("old", old, agent, old_version), not _wrong("new", new, agent, new_version)
    if not cases:
        reasons.append("The fix names no case.")
    failed, passed = bool(cases) and sound_old, bool(cases) and sound_new
    for case in cases:
        key = case["key"]
        before, after = _status(old, case), _status(new, case)
        if before not in FAILS:
            failed = False
            reasons.append(f"{key} {_told(before)} on {old_version}: it should fail there.")
        if after != PASSES:
            passed = False
            reasons.append(f"{key} {_told(after)} on {new_version}: it should pass there.")
    bad = sorted(key for key, status in new.statuses.items() if status != PASSES)
    whole = sound_new and new.is_whole and bool(new.statuses) and not bad
    if not new.is_whole:
        reasons.append(f"The run on {new_version} left cases out: it is not the full suite.")
    if bad:
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        reasons.append(f"The full suite does not pass on {new_version}: {', '.join(bad[:3])}{more}.")
    return Proof(failed, passed, whole, tuple(reasons))


def _wrong(which: str, suite: Suite, agent: str, version: str) -> list[str]:
    found = []
    if (suite.agent, suite.version) != (agent, version):
        found.append(f"The {which} suite ran {suite.agent} {suite.version}, not {agent} {version}.")
    if not suite.is_done:
        found.append(f"The {which} suite has not ended.")
    if not suite.is_plain:
        found.append(f"In the {which} suite tools were made to fail: it shows nothing about the fix.")
    return found


def _status(suite: Suite, case: Mapping[str, str]) -> str:
    return suite.statuses.get(case["key"], "") if case["set"] == suite.eval_set else ""


def _told(status: str) -> str:
    return {"": "was not run", "passed": "passes", "flaky": "passes at times", "errored": "broke"}.get(status, status)
