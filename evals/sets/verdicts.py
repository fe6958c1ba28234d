"""What the runs of one case come to together. Pure."""

from __future__ import annotations

from collections.abc import Collection

from evals.types import CaseState

PASSED, FLAKY = str(CaseState.PASSED), "flaky"
# Of runs that ended badly in several ways, what is told.
_WORST = (CaseState.DIVERGED, CaseState.FAILED, CaseState.ERRORED)
_OPEN = (CaseState.PLANNED, CaseState.CLAIMED, CaseState.JUDGING)


def status_of(states: Collection[str]) -> str:
    """Of the states of a case's repeats: passed, flaky (at times), diverged, failed, errored, or "" while one is open.

    A run that broke says nothing about the case: beside runs that passed it makes it errored, not flaky.
    """
    found = set(states)
    if not found or found & set(_OPEN):
        return ""
    if found == {CaseState.PASSED}:
        return PASSED
    if CaseState.PASSED in found:
        return str(CaseState.ERRORED) if found == {CaseState.PASSED, CaseState.ERRORED} else FLAKY
    return str(next(state for state in _WORST if state in found))
