"""Reads of quality, by area."""

# sets
from evals.queries.sets import (
    KeyedCase,
    SetSummary,
    case_versions,
    cases_of,
    digests_of,
    eval_set,
    eval_sets,
    keys_from,
    revision,
    revisions,
)
from evals.queries.suites import newest_suite_runs

__all__ = [
    # sets
    "KeyedCase",
    "SetSummary",
    "case_versions",
    "cases_of",
    "digests_of",
    "eval_set",
    "eval_sets",
    "keys_from",
    "newest_suite_runs",
    "revision",
    "revisions",
]
