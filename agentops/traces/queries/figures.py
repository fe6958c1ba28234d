"""What a home page says of runs."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from agentops.traces.models import Run
from agentops.traces.models.run import FacetKey, RunStatus
from agentops.traces.queries.runs import bounded_count, find_runs
from agentops.traces.search import RunSearch

LATEST = 5


@dataclass(frozen=True, slots=True)
class RunFigures:
    """Runs since a time. Both counts end at COUNT_MOST + 1."""

    count: int
    failed: int
    latest: list[Run]
    latest_failed: list[Run]


def run_figures(*, tenant: uuid.UUID, since: datetime) -> RunFigures:
    every = RunSearch(since=since)
    failed = RunSearch(since=since, facets=((FacetKey.STATUS, RunStatus.ERROR.label),))
    return RunFigures(
        count=bounded_count(tenant=tenant, search=every),
        failed=bounded_count(tenant=tenant, search=failed),
        latest=find_runs(tenant=tenant, search=every, cursor=None, limit=LATEST).runs,
        latest_failed=find_runs(tenant=tenant, search=failed, cursor=None, limit=LATEST).runs,
    )
