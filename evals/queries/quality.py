"""How good each agent is: figures of a period from its days, the state of judging, and today beside the same weekday."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.db.models import Count, Q

from evals.drifting.sums import Sums, total
from evals.models import DriftFinding, Judgement, RunFact
from evals.queries.drift import Days, cohort_days
from evals.statistics.estimates import Estimate
from evals.types import Dimension, JudgementState, Metric, Subject

_WAITING = (JudgementState.PLANNED, JudgementState.RUNNING)


@dataclass(frozen=True, slots=True)
class AgentQuality:
    """One agent in a period. `judgements`: how many in each state."""

    agent: str
    days: Days
    sums: Sums
    judgements: Mapping[str, int] = field(default_factory=dict)
    open_findings: int = 0

    @property
    def scored(self) -> int:
        return self.judgements.get(JudgementState.SCORED, 0)

    @property
    def failed(self) -> int:
        return self.judgements.get(JudgementState.FAILED, 0)

    @property
    def skipped(self) -> int:
        return self.judgements.get(JudgementState.SKIPPED, 0)

    @property
    def waiting(self) -> int:
        return sum(self.judgements.get(state, 0) for state in _WAITING)

    def estimate(self, metric: Metric) -> Estimate | None:
        return self.sums.estimate(metric)


@dataclass(frozen=True, slots=True)
class Glance:
    """The judge score of a day, and of the same weekday a week before."""

    today: Estimate | None
    week_ago: Estimate | None
    open_findings: int


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """One of a finding's worst runs."""

    fact: RunFact
    score: float | None


def agents(*, tenant: uuid.UUID, since: date, until: date) -> list[AgentQuality]:
    """Agents with runs, suites or judgements from `since` until before `until`, those with most runs first."""
    by_agent = cohort_days(tenant=tenant, since=since, until=until, dimensions=[Dimension.ALL])
    judgements = _judgements(tenant, since, until)
    open_findings = open_by_agent(tenant=tenant)
    names = {agent for agent, _, _ in by_agent} | judgements.keys()
    found = [
        AgentQuality(
            agent=name,
            days=(days := by_agent.get((name, Dimension.ALL, ""), {})),
            sums=total(days.values()),
            judgements=judgements.get(name, {}),
            open_findings=open_findings.get(name, 0),
        )
        for name in names
    ]
    return sorted(found, key=lambda one: (-one.sums.runs, one.agent))


def by_value(
    *, tenant: uuid.UUID, agent: str, dimension: Dimension, since: date, until: date
) -> list[tuple[str, Sums]]:
    """An agent's runs of a period by one dimension, the largest first."""
    found = cohort_days(tenant=tenant, since=since, until=until, agent=agent, dimensions=[dimension])
    rows = [(value, total(days.values())) for (_, _, value), days in found.items()]
    return sorted(rows, key=lambda row: (-row[1].runs, row[0]))


def open_by_agent(*, tenant: uuid.UUID) -> dict[str, int]:
    rows = DriftFinding.objects.filter(tenant_id=tenant, ended_at=None).values_list("agent").annotate(n=Count("id"))
    return dict(rows.order_by("agent"))


def glance(*, tenant: uuid.UUID, day: date) -> Glance:
    """For a dashboard: all agents together."""
    wanted = cohort_days(
        tenant=tenant, since=day - timedelta(days=7), until=day + timedelta(days=1), dimensions=[Dimension.ALL]
    )

    def score(of: date) -> Estimate | None:
        return total(days[of] for days in wanted.values() if of in days).estimate(Metric.SCORE)

    return Glance(score(day), score(day - timedelta(days=7)), sum(open_by_agent(tenant=tenant).values()))


def judged_runs(*, tenant: uuid.UUID, runs: Collection[uuid.UUID]) -> list[JudgedRun]:
    """What is known of these runs, in their order; runs that are gone are left out."""
    facts = {fact.run_id: fact for fact in RunFact.objects.filter(tenant_id=tenant, run_id__in=runs)}
    scores: dict[uuid.UUID, list[float]] = defaultdict(list)
    judged = Judgement.objects.filter(
        tenant_id=tenant, subject=Subject.RUN, subject_id__in=runs, state=JudgementState.SCORED
    )
    for run, score in judged.values_list("subject_id", "score"):
        scores[run].append(score or 0.0)
    return [
        JudgedRun(facts[run], sum(scores[run]) / len(scores[run]) if scores[run] else None)
        for run in runs
        if run in facts
    ]


def _judgements(tenant: uuid.UUID, since: date, until: date) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    wanted = Q(tenant_id=tenant, subject=Subject.RUN, day__gte=since, day__lt=until)
    rows = Judgement.objects.filter(wanted).values_list("agent", "state").annotate(n=Count("id"))
    for agent, state, number in rows.order_by("agent", "state"):
        found[agent[:200]][state] = number
    return dict(found)
