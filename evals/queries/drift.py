"""Sums by cohort and day as the pure functions take them, and findings as pages show them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q

from evals.drifting.sums import Sums
from evals.models import CohortDay, RunFact
from evals.statistics.moments import Moments
from evals.types import Dimension

_YEAR, _PRESENT_DAYS = 371, 7
Days = dict[date, Sums]
_NAMES = (
    "runs", "errors", "refusals", "tokens_logs", "tokens_log_squares", "cost_logs", "cost_log_squares", "judged",
    "weight", "weight_squares", "score_sum", "score_squares", "ups", "downs", "passed_cases", "cases", "tools",
    "tokens_sum", "cost_nano_usd",
)  # fmt: skip


def cohort_days(
    *,
    tenant: uuid.UUID,
    since: date,
    until: date,
    agent: str | None = None,
    dimensions: Sequence[Dimension] = (),
    value: str | None = None,
) -> dict[tuple[str, Dimension, str], Days]:
    """By agent, dimension and value: the sums of each day from `since` until before `until`."""
    wanted = Q(tenant_id=tenant, day__gte=since, day__lt=until)
    if agent is not None:
        wanted &= Q(agent=agent)
    if dimensions:
        wanted &= Q(dimension__in=dimensions)
    if value is not None:
        wanted &= Q(value=value)
    found: dict[tuple[str, Dimension, str], Days] = defaultdict(dict)
    rows = CohortDay.objects.filter(wanted).values_list("agent", "dimension", "value", "day", *_NAMES)
    for of_agent, dimension, of_value, day, *figures in rows.order_by("agent", "dimension", "value", "day").iterator():
        found[of_agent, Dimension(dimension), of_value][day] = sums_of(figures)
    return dict(found)


def known_runs(*, tenant: uuid.UUID, agent: str) -> int:
    """How many runs of an agent have their facts: what days are added up from."""
    return RunFact.objects.filter(tenant_id=tenant, agent=agent).count()


_JUDGES = """
SELECT left(agent, 200), judge_id, min(day), max(day) FROM evals_judgement
WHERE tenant_id = %s AND subject = 'run' AND state = 'scored' AND sampled IN ('sample', 'kept') AND day >= %s AND day < %s
GROUP BY 1, 2
"""


def judged_since(*, tenant: uuid.UUID, today: date) -> dict[str, date]:
    """By agent: the day on which the newest of its present judges came after another one; scores up to it are not
    comparable. Agents whose judges never changed are not in it."""
    by_agent: dict[str, list[tuple[date, date]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_JUDGES, [tenant, today - timedelta(days=_YEAR), today])
        for agent, _, first, last in cursor.fetchall():
            by_agent[agent].append((first, last))
    found = {}
    for agent, judges in by_agent.items():
        newest = max(last for _, last in judges)
        present = [first for first, last in judges if last >= newest - timedelta(days=_PRESENT_DAYS)]
        if max(present) > min(first for first, _ in judges):
            found[agent] = max(present)
    return found


def sums_of(figures: Sequence[Any]) -> Sums:
    """One row's figures, in the order of `_NAMES`."""
    row = dict(zip(_NAMES, figures, strict=True))
    runs = row["runs"]

    def of_runs(total: str, squares: str) -> Moments:
        return Moments(runs, runs, runs, row[total], row[squares])

    return Sums(
        runs=runs,
        errors=row["errors"],
        refusals=row["refusals"],
        tokens=of_runs("tokens_logs", "tokens_log_squares"),
        cost=of_runs("cost_logs", "cost_log_squares"),
        score=Moments(row["judged"], row["weight"], row["weight_squares"], row["score_sum"], row["score_squares"]),
        ups=row["ups"],
        downs=row["downs"],
        passed_cases=row["passed_cases"],
        cases=row["cases"],
        tools=row["tools"],
        total_tokens=row["tokens_sum"],
        total_cost_nano_usd=row["cost_nano_usd"],
    )
