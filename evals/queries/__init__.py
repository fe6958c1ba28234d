"""Reads of quality, by area. Every function runs inside a scope and filters by tenant besides."""

from evals.queries import judging

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
    "judging",
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
