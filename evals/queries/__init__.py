"""Reads of quality, by area. Every function runs inside a scope and filters by tenant besides."""

from evals.queries import drift as drift
from evals.queries import findings as findings
from evals.queries import gates, judging
from evals.queries import quality as quality
from evals.queries.replays import replay, replays_of
from evals.queries.sets import (
    KeyedCase,
    SetSummary,
    case_versions,
    cases_made_of,
    cases_of,
    cases_there,
    digests_of,
    eval_set,
    eval_sets,
    keys_from,
    revision,
    revisions,
)
from evals.queries.suites import (
    CaseResult,
    PausedJudge,
    SuitePage,
    SuiteSummary,
    agent_endpoint,
    agent_endpoints,
    case_results,
    case_run,
    newest_suite_runs,
    paused_judges,
    suite_run,
    suite_runs,
    suites_at_endpoints,
    tenants_with_open_suites,
)

__all__ = [
    "CaseResult",
    "KeyedCase",
    "PausedJudge",
    "SetSummary",
    "SuitePage",
    "SuiteSummary",
    "agent_endpoint",
    "agent_endpoints",
    "case_results",
    "case_run",
    "case_versions",
    "cases_made_of",
    "cases_of",
    "cases_there",
    "digests_of",
    "drift",
    "eval_set",
    "eval_sets",
    "findings",
    "gates",
    "judging",
    "keys_from",
    "newest_suite_runs",
    "paused_judges",
    "quality",
    "replay",
    "replays_of",
    "revision",
    "revisions",
    "suite_run",
    "suite_runs",
    "suites_at_endpoints",
    "tenants_with_open_suites",
]
