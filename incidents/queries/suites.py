"""Suite runs of a customer's evals as the proof of a fix reads them. In that organisation's scope, or staff's."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from evals import queries as evals
from evals.types import SuiteMode, SuiteState
from incidents.policies.fixes import Suite


def suite_of(*, tenant: uuid.UUID, suite_run: uuid.UUID) -> Suite:
    """Raises evals' Unknown."""
    summary = evals.suite_run(tenant=tenant, suite_run=suite_run)
    results = evals.case_results(tenant=tenant, suite_run=suite_run)
    return Suite(
        eval_set=summary.name,
        agent=summary.run.agent,
        version=summary.run.agent_version,
        is_done=summary.run.state == SuiteState.DONE,
        is_plain=summary.run.mode == SuiteMode.PLAIN,
        is_whole=not summary.run.tags,
        statuses={result.key: result.status for result in results if not result.fault},
    )


def cases_of_runs(*, tenant: uuid.UUID, runs: Iterable[str]) -> list[dict[str, str]]:
    """The cases that were made of some runs (hex), as a fix names them."""
    return [{"set": name, "key": key} for name, key in evals.cases_made_of(tenant=tenant, sources=list(runs))]


def missing_cases(*, tenant: uuid.UUID, cases: Iterable[dict[str, str]]) -> list[str]:
    """Which of the named cases are in no newest revision of their set, in words."""
    named = [(case["set"], case["key"]) for case in cases]
    there = set(evals.cases_there(tenant=tenant, named=named))
    return [f"{name}/{key}" for name, key in named if (name, key) not in there]
