"""Runs as quality knows them, made up by the day: facts, judgements and feedback, without traces behind them."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from agentops.common.scope import tenant_scope
from evals.models import CohortDay, DriftFinding, Feedback, Judgement, RunFact
from evals.services import drift
from evals.statistics import simulate
from tests.world import Organisation

TODAY = date(2026, 11, 25)
NOW = datetime.combine(TODAY, time(6), tzinfo=UTC)
JUDGE = uuid.UUID(int=7)
DEFAULTS: dict[str, Any] = {
    "agent": "support-bot",
    "agent_version": "1",
    "prompt_hash": "sha256:one",
    "model": "gpt-4o-2024-08-06",
    "tool_definitions_hash": "sha256:tools",
    "plan": "pro",
    "language": "en",
    "region": "eu",
    "user_age": "existing",
    "tools": ["get_order"],
    "tool_calls": 1,
}


def day_of(back: int) -> date:
    """So many days before today."""
    return TODAY - timedelta(days=back)


def facts(organisation: Organisation, day: date, count: int, **values: Any) -> list[RunFact]:
    """So many runs of a day. A value that can be called is asked for each run."""
    made = []
    for number in range(count):
        at = datetime.combine(day, time(9), tzinfo=UTC) + timedelta(seconds=number)
        row = {"is_error": False, "tokens": 1000 + number % 7, "cost_nano_usd": 2_000_000, **DEFAULTS, **values}
        given = {name: value(number) if callable(value) else value for name, value in row.items()}
        made.append(
            RunFact(
                tenant_id=organisation.id,
                run_id=uuid.uuid4(),
                day=day,
                started_at=at,
                ended_at=at,
                received_at=at,
                computed_at=at,
                **given,
            )
        )
    with tenant_scope(organisation.id):
        RunFact.objects.bulk_create(made, batch_size=2000)
    return made


def judged(
    organisation: Organisation,
    runs: Sequence[RunFact],
    score: Callable[[], float],
    *,
    probability: float = 1.0,
    judge: uuid.UUID = JUDGE,
    sampled: str = "sample",
) -> list[Judgement]:
    made = [
        Judgement(
            tenant_id=organisation.id,
            subject="run",
            subject_id=run.run_id,
            judge_id=judge,
            agent=run.agent,
            agent_version=run.agent_version,
            day=run.day,
            state="scored",
            sampled=sampled,
            probability=probability,
            planned_at=run.ended_at,
            next_at=run.ended_at,
            ended_at=run.ended_at,
            score=score(),
            is_pass=True,
        )
        for run in runs
    ]
    with tenant_scope(organisation.id):
        Judgement.objects.bulk_create(made, batch_size=2000)
    return made


def voted(organisation: Organisation, runs: Sequence[RunFact], is_up: Callable[[], bool]) -> None:
    with tenant_scope(organisation.id):
        Feedback.objects.bulk_create(
            Feedback(
                tenant_id=organisation.id,
                run_id=run.run_id,
                source="api",
                is_up=is_up(),
                at=run.ended_at,
                received_at=run.ended_at,
            )
            for run in runs
        )


def like_a_judge(seed: int, mean: float = 0.85, deviation: float = 0.25) -> Callable[[], float]:
    """Scores that scatter as the simulated ones do."""
    dice = random.Random(seed)
    concentration = mean * (1 - mean) / deviation**2 - 1
    return lambda: dice.betavariate(mean * concentration, (1 - mean) * concentration)


def add_up(organisation: Organisation, *, at: datetime = NOW) -> None:
    """All days that are stale, as the task does."""
    with tenant_scope(organisation.id):
        for day in drift.stale_days(tenant=organisation.id, at=at):
            drift.recompute_day(tenant=organisation.id, day=day, at=at)
        drift.note_sweep(tenant=organisation.id, at=at)


def watch(organisation: Organisation, *, at: datetime = NOW) -> int:
    from evals.services.drift.watching import watch as look

    with tenant_scope(organisation.id):
        return look(tenant=organisation.id, at=at)


def rows(organisation: Organisation, **wanted: Any) -> list[CohortDay]:
    with tenant_scope(organisation.id):
        found = CohortDay.objects.filter(tenant_id=organisation.id, **wanted)
        return list(found.order_by("day", "agent", "dimension", "value"))


def found(organisation: Organisation, **wanted: Any) -> list[DriftFinding]:
    with tenant_scope(organisation.id):
        return list(DriftFinding.objects.filter(tenant_id=organisation.id, **wanted).order_by("id"))


def sliding_year(
    organisation: Organisation, *, seed: int, weeks: int, falls_for: int, agent: str = "support-bot"
) -> None:
    """Daily sums of an agent whose score falls by 5 % a month in the last weeks, put where the sweep would put them."""
    import numpy

    random_numbers = numpy.random.default_rng(seed)
    noise, days = simulate.Noise(), weeks * 7
    means = simulate.sliding(simulate.flat(noise, days=days, phase=0), start=days - falls_for * 7, a_month=0.05)
    sums = simulate.daily_sums(random_numbers, noise, means)
    with tenant_scope(organisation.id):
        CohortDay.objects.bulk_create(
            CohortDay(
                tenant_id=organisation.id,
                agent=agent,
                dimension="all",
                value="",
                day=day_of(days - place),
                runs=int(sums.n[place]),
                judged=int(sums.n[place]),
                weight=sums.weight[place],
                weight_squares=sums.weight_squares[place],
                score_sum=sums.total[place],
                score_squares=sums.squares[place],
                computed_at=NOW,
                **dict.fromkeys(
                    (
                        "errors", "refusals", "tokens_sum", "tokens_logs", "tokens_log_squares", "cost_nano_usd",
                        "cost_logs", "cost_log_squares", "ups", "downs",
                    ),
                    0,
                ),
            )
            for place in range(days)
        )  # fmt: skip
