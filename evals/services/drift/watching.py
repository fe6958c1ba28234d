"""The daily look: what moved beyond noise becomes a finding, what is back within noise ends. For tasks: it needs numpy.

Everything is computed from rows each time, so a look that was missed or repeated changes nothing but the hour.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from agentops.common import scope
from evals.drifting import daily, policy, sentences
from evals.drifting.daily import Told
from evals.drifting.sums import Sums
from evals.queries import drift as queries
from evals.queries.drift import Days
from evals.services.drift import causes, ending, findings, slides
from evals.statistics.attribution import Attribution, Cell, attribute
from evals.statistics.estimates import Estimate
from evals.statistics.moments import Moments
from evals.types import Dimension, Metric

_SHORT_DAYS = policy.BASELINE_DAYS + policy.BOUNDARY_DAYS + 1


def watch(*, tenant: uuid.UUID, at: datetime) -> int:
    """Look at the newest complete day (UTC) and at the weeks before it; answers how many findings are new."""
    scope.require_tenant(tenant)
    today = at.astimezone(UTC).date()
    judged_since = queries.judged_since(tenant=tenant, today=today)
    days = by_one_judge(
        queries.cohort_days(tenant=tenant, since=today - timedelta(days=_SHORT_DAYS), until=today), judged_since
    )
    found = policy.found_among(daily.tests_of_day(days, today=today))
    new = sum(_note(tenant, one, at) for one in daily.told(found))
    long = by_one_judge(
        queries.cohort_days(
            tenant=tenant, since=today - timedelta(days=slides.DAYS), until=today, dimensions=[Dimension.ALL]
        ),
        judged_since,
    )
    new += slides.watch(tenant=tenant, days=long, today=today, at=at)
    ending.end_what_is_over(tenant=tenant, days={**days, **long}, today=today, at=at)
    return new


def by_one_judge(
    days: dict[tuple[str, Dimension, str], Days], since: dict[str, date]
) -> dict[tuple[str, Dimension, str], Days]:
    """Leave out scores from before the present judges: another judge's scores are not the agent's change."""
    return {
        key: {
            day: replace(sums, score=Moments()) if key[0] in since and day <= since[key[0]] else sums
            for day, sums in by_day.items()
        }
        for key, by_day in days.items()
    }


def _note(tenant: uuid.UUID, one: Told, at: datetime) -> bool:
    test = one.found.test
    before, after = causes.sides_of(test)
    attribution = _attribution(tenant, before, after, test.metric)
    changed = [(Dimension(change.factor), change.old, change.new) for change in attribution.causes]
    if not changed and test.boundary and test.boundary.dimension == Dimension.AGENT_VERSION:
        changed = [(Dimension.AGENT_VERSION, test.boundary.old, test.boundary.new)]
    return findings.note(
        tenant=tenant,
        told=one,
        causes=changed if attribution.is_told else [],
        sentence=f"{sentences.moved(test, *_estimates(test.metric, test.before, test.after))}. "
        + sentences.why(changed, is_told=attribution.is_told, kind=test.kind),
        worst_runs=causes.worst_runs(tenant, after, test.metric),
        at=at,
    )


def _estimates(metric: Metric, before: Sums, after: Sums) -> tuple[Estimate | None, Estimate | None]:
    if metric == Metric.TOOL_MIX:
        return None, None
    return before.estimate(metric), after.estimate(metric)


def _attribution(tenant: uuid.UUID, before: causes.Side, after: causes.Side, metric: Metric) -> Attribution:
    cells = [
        Cell(values, is_after, sums.runs, sums.moments(metric) if metric != Metric.TOOL_MIX else Moments())
        for is_after, side in ((False, before), (True, after))
        for values, sums in causes.cells(tenant, side)
    ]
    return attribute(cells, [dimension.value for dimension in policy.HASHES])
