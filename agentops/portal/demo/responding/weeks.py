"""The twelve weeks that the demo tells at its beginning, added up: what an operator does after an import.

Beat's first sweep may come while they still arrive, and later ones go back some weeks only; the oldest days, which a slow
slide is measured against, would be missing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from agentops.common.scope import tenant_scope
from agentops.portal.demo import history
from evals.queries import drift as told
from evals.services import drift
from tenants import queries as tenants


def add_up(*, at: datetime, say: Callable[[str], None]) -> bool:
    """Add the days up anew and have them tested, once every run is known; False before. What the last users say comes
    a moment later, of days that the sweep adds up again."""
    from evals.services.drift.watching import watch  # numpy

    tenant = tenants.tenant_called(history.TENANT).id
    with tenant_scope(tenant):
        if told.known_runs(tenant=tenant, agent=history.CARE_LINE) < history.RUNS:
            return False
    for back in range(history.WEEKS * 7, 0, -1):
        with tenant_scope(tenant):
            drift.recompute_day(tenant=tenant, day=at.date() - timedelta(days=back), at=at)
    with tenant_scope(tenant):
        found = watch(tenant=tenant, at=at)
    say(f"the twelve weeks of {history.CARE_LINE} are added up: {found} new findings")
    return True
