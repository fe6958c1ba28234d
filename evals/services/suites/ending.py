"""The end of a suite run: once no case is open, its counters are counted anew from its cases."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime

from evals.models import CaseRun, SuiteRun
from evals.sets import verdicts
from evals.types import CaseState, SuiteState

_OPEN = (CaseState.PLANNED, CaseState.CLAIMED, CaseState.JUDGING)


def end_if_done(locked: SuiteRun, at: datetime, *, otherwise: SuiteState = SuiteState.DONE) -> bool:
    """Call it with the suite run locked, so that two last results do not both think the other is still open."""
    of_run = CaseRun.objects.filter(tenant_id=locked.tenant_id, suite_run=locked)
    if locked.state != SuiteState.RUNNING or of_run.filter(state__in=_OPEN).exists():
        return False
    states: dict[tuple[str, str], list[str]] = defaultdict(list)
    for key, fault, state in of_run.values_list("key", "fault", "state"):
        states[key, fault].append(state)
    counted = Counter(verdicts.status_of(each) for each in states.values())
    locked.passed, locked.flaky = counted[verdicts.PASSED], counted[verdicts.FLAKY]
    locked.failed = len(states) - locked.passed - locked.flaky
    locked.state, locked.ended_at = otherwise, at
    locked.save(update_fields=["passed", "failed", "flaky", "state", "ended_at"])
    return True
