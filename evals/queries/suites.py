"""Reads of suite runs. Inside the tenant's scope."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evals.models import CaseRun, SuiteRun
from evals.sets import verdicts
from evals.types import SuiteMode, SuiteState

Statuses = Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class TwoRuns:
    """The newest runs of one set on two agent versions: (status, digest of the case) by key; empty where there is none."""

    name: str
    before: Statuses
    after: Statuses


def newest_suite_runs(*, tenant: uuid.UUID, agent: str, versions: tuple[str, str], name: str = "") -> Sequence[TwoRuns]:
    """By set, those that were run wholly on at least one of the versions."""
    found: dict[str, dict[str, uuid.UUID]] = defaultdict(dict)
    of_agent = SuiteRun.objects.filter(
        tenant_id=tenant, agent=agent, agent_version__in=versions, state=SuiteState.DONE, mode=SuiteMode.PLAIN, tags=[]
    ).order_by("-begun_at", "-id")
    if name:
        of_agent = of_agent.filter(revision__eval_set__name=name)
    for id, version, set_name in of_agent.values_list("id", "agent_version", "revision__eval_set__name"):
        found[set_name].setdefault(version, id)
    return [
        TwoRuns(set_name, *(_statuses(tenant, runs.get(version)) for version in versions))
        for set_name, runs in sorted(found.items())
    ]


def _statuses(tenant: uuid.UUID, suite_run: uuid.UUID | None) -> Statuses:
    states: dict[str, list[str]] = defaultdict(list)
    digests: dict[str, str] = {}
    rows = CaseRun.objects.filter(tenant_id=tenant, suite_run_id=suite_run)
    for key, state, digest in rows.values_list("key", "state", "case__digest"):
        states[key].append(state)
        digests[key] = digest
    return {key: (verdicts.status_of(each), digests[key]) for key, each in states.items()}
