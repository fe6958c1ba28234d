"""When a finding is over: back within noise for some days, its value out of use, or so old that it is how things are."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from agentops.common import scope
from evals.drifting import policy
from evals.drifting.sums import Sums, compare, compare_tools
from evals.models import DriftFinding
from evals.queries import drift as queries
from evals.queries.drift import Days
from evals.statistics.sampletests import Compared, MixCompared
from evals.types import Dimension, DriftKind, Metric

RECENT_DAYS = 3  # that are compared with what was before
_STILL = 0.5  # of the least effect that is told
_CHANCE = 0.05


def end_what_is_over(
    *, tenant: uuid.UUID, days: Mapping[tuple[str, Dimension, str], Days], today: date, at: datetime
) -> int:
    """See again what goes on, and end what is over; answers how many ended."""
    scope.require_tenant(tenant)
    ended = 0
    for finding in DriftFinding.objects.filter(tenant_id=tenant, ended_at=None).order_by("id"):
        quiet = policy.QUIET_DAYS
        if finding.kind == DriftKind.SLIDE:
            quiet = policy.SLIDE_QUIET_DAYS  # its own detector says when it was seen last
        elif finding.last_seen_at < at and _goes_on(finding, days, today):
            finding.last_seen_at = at
            finding.save(update_fields=["last_seen_at"])
        is_quiet = at - finding.last_seen_at >= timedelta(days=quiet)
        if is_quiet or at - finding.found_at >= timedelta(days=policy.SETTLED_DAYS):
            ended += DriftFinding.objects.filter(tenant_id=tenant, id=finding.id, ended_at=None).update(ended_at=at)
    return ended


def _goes_on(finding: DriftFinding, days: Mapping[tuple[str, Dimension, str], Days], today: date) -> bool:
    """Do the newest days still differ, the same way, from what was before? Too few runs say nothing, and so: no."""
    dimension, metric = Dimension(finding.dimension), Metric(finding.metric)
    first, last = (date.fromisoformat(finding.before[name]) for name in ("from", "until"))
    kept = queries.cohort_days(
        tenant=finding.tenant_id,
        agent=finding.agent,
        since=first,
        until=last + timedelta(days=1),
        dimensions=[dimension],
        value=finding.before["value"],
    )
    before = sum((sums for by_day in kept.values() for sums in by_day.values()), Sums())
    newest = days.get((finding.agent, dimension, finding.value), {})
    after = sum((sums for day, sums in newest.items() if day >= today - timedelta(days=RECENT_DAYS)), Sums())
    result: Compared | MixCompared | None = (
        compare_tools(before, after) if metric == Metric.TOOL_MIX else compare(metric, before, after)
    )
    if result is None or result.p > _CHANCE:
        return False
    return result.effect * (finding.effect or 1) > 0 and abs(result.effect) >= policy.SAID[metric] * _STILL
