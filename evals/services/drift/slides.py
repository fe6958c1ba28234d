"""Slow slides of the judge's score and of users' feedback, by agent. For tasks: it needs numpy."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date, datetime, timedelta

import numpy as np

from agentops.common import scope
from evals.drifting import policy, sentences
from evals.drifting.sums import Sums
from evals.models import DriftFinding
from evals.queries.drift import Days
from evals.services.drift import causes, findings
from evals.statistics import slide
from evals.statistics.slide import Blocks, Slides
from evals.types import Dimension, DriftKind, Metric

WATCHED = (Metric.SCORE, Metric.FEEDBACK)
DAYS = slide.KEPT * slide.DAYS
_STILL = 0.7  # of the threshold: a slide that was found goes on


def watch(*, tenant: uuid.UUID, days: Mapping[tuple[str, Dimension, str], Days], today: date, at: datetime) -> int:
    """Find what slides, or see it again; answers how many are new."""
    scope.require_tenant(tenant)
    new = 0
    begins = _begins(tenant)
    for metric in WATCHED:
        agents = [agent for agent, dimension, _ in days if dimension == Dimension.ALL]
        if not agents:
            continue
        series = [
            _series(days[agent, Dimension.ALL, ""], metric, today, begins.get((agent, metric))) for agent in agents
        ]
        weeks = slide.blocks_of(_stacked(series), end=DAYS)
        found = slide.find(weeks)
        for place, agent in enumerate(agents):
            if found.is_found[place]:
                new += _note(tenant, agent, metric, found, place, days[agent, Dimension.ALL, ""], today, at)
            elif found.strength[place] >= slide.THRESHOLD * _STILL:
                mark = findings.fingerprint(DriftKind.SLIDE, agent, metric, Dimension.ALL, "")
                DriftFinding.objects.filter(tenant_id=tenant, fingerprint=mark, ended_at=None).update(last_seen_at=at)
    return new


def _begins(tenant: uuid.UUID) -> dict[tuple[str, str], date]:
    """From which day on an agent's history says something of slides: a step, or a slide that is over, begins a new level."""
    found: dict[tuple[str, str], date] = {}
    rows = DriftFinding.objects.filter(tenant_id=tenant, kind__in=[DriftKind.STEP, DriftKind.SLIDE])
    for kind, agent, metric, after, ended_at in rows.values_list("kind", "agent", "metric", "after", "ended_at"):
        if kind == DriftKind.STEP:
            begin = date.fromisoformat(after["from"])
        elif ended_at is not None:
            begin = ended_at.date() - timedelta(days=policy.SLIDE_QUIET_DAYS)
        else:
            continue
        found[agent, metric] = max(begin, found.get((agent, metric), begin))
    return found


def _series(days: Days, metric: Metric, today: date, begin: date | None) -> list[tuple[float, ...]]:
    rows: list[tuple[float, ...]] = []
    for back in range(DAYS, 0, -1):
        day = today - timedelta(days=back)
        known = day in days and (begin is None or day >= begin)
        sums = (days[day] if known else Sums()).moments(metric)
        rows.append((sums.n, sums.weight, sums.weight_squares, sums.total, sums.squares))
    return rows


def _stacked(series: list[list[tuple[float, ...]]]) -> Blocks:
    values = np.array(series, dtype=np.float64)  # agent × day × sum
    return Blocks(*(values[:, :, place] for place in range(5)))


def _note(
    tenant: uuid.UUID,
    agent: str,
    metric: Metric,
    found: Slides,
    place: int,
    days: Days,
    today: date,
    at: datetime,
) -> bool:
    weeks, level, fall = int(found.weeks[place]), float(found.level[place]), float(found.fall[place])
    begin, last = today - timedelta(days=weeks * slide.DAYS), today - timedelta(days=1)
    first = min(days, default=begin)
    before = sum((sums for day, sums in days.items() if day < begin), Sums())
    after = sum((sums for day, sums in days.items() if begin <= day), Sums())
    deviation = before.moments(metric).variance ** 0.5
    error = float(found.error[place])
    now = max(0.0, level - fall)
    return findings.write(
        tenant=tenant,
        kind=DriftKind.SLIDE,
        agent=agent,
        dimension=Dimension.ALL,
        value="",
        metric=metric,
        sentence=f"{sentences.slid(agent, metric, level=level, now=now, weeks=weeks)}. No single day shows it.",
        before=findings.side(metric, before, (first, begin - timedelta(days=1)), "", None),
        after={
            **findings.side(metric, after, (begin, last), "", None),
            "weeks": weeks,
            "fall": fall,
            "fall_low": fall - 1.96 * error,
            "fall_high": fall + 1.96 * error,
            "strength": float(found.strength[place]),
        },
        effect=-fall / deviation if deviation > 0 else 0.0,
        p=None,
        q=None,
        causes=[],
        worst_runs=causes.worst_runs(tenant, causes.Side(agent, (begin, last)), metric),
        at=at,
    )
