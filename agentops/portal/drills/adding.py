"""Old days, added up. Beat's sweep takes days that are at most some weeks late; after an import an operator does the rest."""

from __future__ import annotations

import uuid
from datetime import timedelta

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.portal.drills.watching import until
from evals.queries import drift as told
from evals.services import drift

_FACTS_SECONDS = 180.0


def add_up(*, tenant: uuid.UUID, agent: str, runs: int, days: int) -> None:
    """Wait until every run has its facts, add up its days, and have them tested. Raises RuntimeError."""
    from evals.services.drift.watching import watch  # numpy

    def are_known() -> bool | None:
        with tenant_scope(tenant):
            return told.known_runs(tenant=tenant, agent=agent) >= runs or None

    if until(are_known, seconds=_FACTS_SECONDS) is None:
        raise RuntimeError(f"after {_FACTS_SECONDS:g} s some runs of {agent} have no facts yet: does the worker run?")
    today = clock.now().date()
    for back in range(days, 0, -1):
        with tenant_scope(tenant):
            drift.recompute_day(tenant=tenant, day=today - timedelta(days=back), at=clock.now())
    with tenant_scope(tenant):
        watch(tenant=tenant, at=clock.now())
