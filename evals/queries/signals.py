"""Reads of feedback, outcomes and signals."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q

from agentops.common.cursors import Cursor
from evals.models import Feedback, Outcome, RunFact, Signal
from evals.statistics.estimates import Estimate, share
from evals.types import SignalKind

OF_RUN_MOST = 200
AGENTS_MOST = 50


def feedback_of_runs(*, tenant: uuid.UUID, runs: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[Feedback]]:
    """What people said of each of these runs, the newest first; runs of which nobody said anything are left out."""
    found: dict[uuid.UUID, list[Feedback]] = {}
    rows = Feedback.objects.filter(tenant_id=tenant, run_id__in=list(runs))
    for row in rows.order_by("-received_at", "-id")[: 20 * OF_RUN_MOST]:
        found.setdefault(row.run_id, []).append(row)
    return found


def first_complaint(*, tenant: uuid.UUID, runs: Iterable[uuid.UUID]) -> datetime | None:
    """When somebody first said of one of these runs that it was bad."""
    bad = Q(is_up=False) | Q(is_correct=False)
    rows = Feedback.objects.filter(bad, tenant_id=tenant, run_id__in=list(runs))
    return rows.order_by("received_at", "id").values_list("received_at", flat=True).first()


def signals_of_run(*, tenant: uuid.UUID, run_id: uuid.UUID) -> list[Signal]:
    return list(Signal.objects.filter(tenant_id=tenant, run_id=run_id).order_by("at", "id"))


def outcomes_of_run(*, tenant: uuid.UUID, run_id: uuid.UUID) -> list[Outcome]:
    """What came of a run, in order."""
    return list(Outcome.objects.filter(tenant_id=tenant, run_id=run_id).order_by("at", "id")[:OF_RUN_MOST])


# -- over some weeks --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Words:
    """How many words of people there are about runs, and how many of them are good."""

    good: int
    count: int

    @property
    def share(self) -> Estimate | None:
        return share(self.good, self.count)

    def __add__(self, other: Words) -> Words:
        return Words(self.good + other.good, self.count + other.count)


_NONE = Words(0, 0)


@dataclass(frozen=True, slots=True)
class Precision:
    """How far one kind of signal can be believed: of the runs with it about which people also said something, how many they
    found bad."""

    kind: str
    signals: int
    said: int
    bad: int

    @property
    def share(self) -> Estimate | None:
        return share(self.bad, self.said)


@dataclass(frozen=True, slots=True)
class AgentWeek:
    """What came of one agent's runs of one week. Runs and cost are of all of them; None: not added up (yet)."""

    agent: str
    week: date  # its Monday, UTC
    runs: int | None
    cost_nano_usd: int | None
    told_runs: int  # of which an outcome says how they ended
    actions: int  # calls, or runs as a whole, that an outcome is about
    successes: int  # whose last word is a success

    @property
    def share(self) -> Estimate | None:
        return share(self.successes, self.actions)

    @property
    def cost_per_success(self) -> int | None:
        """All of the week's cost over its successes: what failed was paid for, too. None where it cannot be said."""
        return None if self.cost_nano_usd is None or not self.successes else self.cost_nano_usd // self.successes


_GOOD = "is_up AND is_correct IS DISTINCT FROM false"
# Weeks by comparing with their bounds, and Mondays by counting days: date_trunc takes as long as the reading of a row.
_WORDS = f"""
SELECT coalesce(f.agent, '') COLLATE "C", width_bucket(w.at, %(weeks)s::timestamptz[]), count(*) FILTER (WHERE {_GOOD}), count(*)
FROM evals_feedback w LEFT JOIN evals_runfact f ON f.tenant_id = w.tenant_id AND f.run_id = w.run_id
WHERE w.tenant_id = %(tenant)s AND w.received_at >= %(since)s GROUP BY 1, 2
"""  # noqa: S608  our own words
_PRECISION = f"""
WITH said AS (
  SELECT run_id, bool_or(NOT ({_GOOD})) AS is_bad FROM evals_feedback
  WHERE tenant_id = %(tenant)s AND received_at >= %(since)s AND run_id IN
    (SELECT s.run_id FROM evals_signal s WHERE s.tenant_id = %(tenant)s AND s.at >= %(since)s)
  GROUP BY run_id
)
SELECT s.kind, count(*), count(said.run_id), count(*) FILTER (WHERE said.is_bad)
FROM evals_signal s LEFT JOIN said ON said.run_id = s.run_id
WHERE s.tenant_id = %(tenant)s AND s.at >= %(since)s GROUP BY 1
"""  # noqa: S608  our own words
_MONDAY = "{0} - ({0} - date '2001-01-01') % 7"
# The last word about each call (or run) counts: what was delivered and then returned is no success. Runs are counted each for
# itself first, and texts are compared by their bytes: to sort ten thousand rows by agent takes longer than all the rest.
_OUTCOMES = f"""
WITH last AS (
  SELECT DISTINCT ON (o.run_id, o.tool_call_id COLLATE "C", o.idempotency_key COLLATE "C") o.run_id, o.is_success
  FROM evals_outcome o
  WHERE o.tenant_id = %(tenant)s AND o.received_at >= %(since)s AND o.is_success IS NOT NULL
  ORDER BY o.run_id, o.tool_call_id COLLATE "C", o.idempotency_key COLLATE "C", o.at DESC, o.id DESC
), runs AS (
  SELECT f.run_id, f.agent COLLATE "C" AS agent, f.day, count(*) AS actions, count(*) FILTER (WHERE last.is_success) AS successes
  FROM last JOIN evals_runfact f ON f.tenant_id = %(tenant)s AND f.run_id = last.run_id AND f.day >= %(first)s GROUP BY 1, 2, 3
), told AS (
  SELECT agent, {_MONDAY.format("day")} AS week, count(*) AS runs, sum(actions) AS actions, sum(successes) AS successes
  FROM runs GROUP BY 1, 2
), spent AS (
  SELECT agent, {_MONDAY.format("day")} AS week, sum(runs) AS runs, sum(cost_nano_usd) AS cost FROM evals_cohortday
  WHERE tenant_id = %(tenant)s AND day >= %(first)s AND dimension = 'all' GROUP BY 1, 2
)
SELECT told.agent, told.week, spent.runs, spent.cost, told.runs, told.actions, told.successes
FROM told LEFT JOIN spent USING (agent, week) ORDER BY told.week DESC, told.agent COLLATE "default" LIMIT 200
""".replace(" % 7", " %% 7")  # noqa: S608  our own words


@dataclass(frozen=True, slots=True)
class Feedbacks:
    """What people said since a Monday: by week (of what was said), and by agent, those with the most words first."""

    weeks: list[tuple[date, Words]]
    agents: list[tuple[str, Words]]  # "": of runs that have not come or are not finished


def feedbacks(*, tenant: uuid.UUID, since: datetime, weeks: int) -> Feedbacks:
    """`since` is the begin of the first week, UTC; what was said before it and came later counts for its agent alone."""
    mondays = [since + timedelta(weeks=number) for number in range(weeks + 1)]
    with connection.cursor() as cursor:
        cursor.execute(_WORDS, {"tenant": tenant, "since": since, "weeks": mondays})
        rows = cursor.fetchall()
    by_week: dict[date, Words] = {}
    by_agent: dict[str, Words] = {}
    for agent, number, good, count in rows:
        by_agent[agent] = by_agent.get(agent, _NONE) + Words(good, count)
        if number:
            week = mondays[number - 1].date()
            by_week[week] = by_week.get(week, _NONE) + Words(good, count)
    agents = sorted(by_agent.items(), key=lambda one: (-one[1].count, one[0]))
    return Feedbacks(sorted(by_week.items(), key=lambda one: one[0]), agents[:AGENTS_MOST])


def precisions(*, tenant: uuid.UUID, since: datetime) -> list[Precision]:
    """Of every kind of signal, in the order of the kinds; those that were not seen have none."""
    with connection.cursor() as cursor:
        cursor.execute(_PRECISION, {"tenant": tenant, "since": since})
        rows = {kind: Precision(kind, signals, said, bad) for kind, signals, said, bad in cursor.fetchall()}
    return [rows.get(kind, Precision(kind, 0, 0, 0)) for kind in SignalKind.values]


def outcomes_by_agent_week(*, tenant: uuid.UUID, since: datetime) -> list[AgentWeek]:
    """The newest week first."""
    with connection.cursor() as cursor:
        cursor.execute(_OUTCOMES, {"tenant": tenant, "since": since, "first": since.astimezone(UTC).date()})
        return [
            AgentWeek(agent, week, _whole(runs), _whole(cost), told, int(actions), int(successes))
            for agent, week, runs, cost, told, actions, successes in cursor.fetchall()
        ]


def unmatched_outcomes(*, tenant: uuid.UUID, at: datetime) -> tuple[int, int]:
    """How many outcomes wait for their span, and how many were given up, of the last sixty days."""
    rows = Outcome.objects.filter(tenant_id=tenant, matched_at__isnull=True, received_at__gte=at - timedelta(days=60))
    waiting = rows.filter(matching_ends_at__gt=at).count()
    return waiting, rows.count() - waiting


def latest_feedback(*, tenant: uuid.UUID, cursor: Cursor | None, limit: int) -> tuple[list[Feedback], Cursor | None]:
    """What people said, the newest first."""
    rows = Feedback.objects.filter(tenant_id=tenant)
    if cursor is not None:
        rows = rows.filter(Q(received_at__lt=cursor.at) | Q(received_at=cursor.at, id__lt=cursor.id))
    found = list(rows.order_by("-received_at", "-id")[: limit + 1])
    last = found[limit - 1] if len(found) > limit else None
    return found[:limit], Cursor(last.received_at, last.id) if last else None


def newest_run(*, tenant: uuid.UUID) -> RunFact | None:
    """The run that finished last: the widget's page tries itself on it."""
    return RunFact.objects.filter(tenant_id=tenant).order_by("-computed_at", "-run_id").first()


def _whole(number: Any) -> int | None:
    return None if number is None else int(number)
