"""Who judges a finished run: by the assignments of that moment, the draw, and rows that say so."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count

from agentops.common.ids import new_id
from evals.judging import sampling
from evals.models import Assignment, Judge, Judgement, RunFact
from evals.types import JUDGE_AGENT, JudgementState, JudgeState, Sampled, Subject

_DAY = timedelta(days=1)
_STRATUM = ("agent", "agent_version", "plan", "language", "region", "user_age")
Draws = dict[str, dict[str, Any]]  # by the judge's name: {"p": probability, "drawn": bool}


@dataclass(slots=True)
class Plan:
    draws: dict[uuid.UUID, Draws] = field(default_factory=dict)
    judgements: list[Judgement] = field(default_factory=list)


def plan_runs(*, tenant: uuid.UUID, facts: Sequence[Mapping[str, Any]], at: datetime) -> Plan:
    """Draw for each run and each judge of its agent. What was drawn for a run before stays; what is always judged is added."""
    plan = Plan(draws=_earlier_draws(tenant, [fact["run_id"] for fact in facts]))
    lines = _lines(tenant)
    if not lines:
        return plan
    judges = {judge.name: judge for judge in Judge.objects.filter(tenant_id=tenant).exclude(state=JudgeState.REPLACED)}
    known = {run_id for run_id, draws in plan.draws.items() if draws}
    seen = _seen_today(tenant, facts, at)
    for fact in facts:
        stratum = tuple(fact[name] for name in _STRATUM)
        is_new = fact["run_id"] not in known
        for name, rate in lines.get(fact["agent"], lines.get("", {})).items():
            judge = judges.get(name)
            if judge is None or fact["agent"] == JUDGE_AGENT:
                continue
            before = plan.draws[fact["run_id"]].get(name)
            if before is not None and (before["drawn"] or not fact["kept_because"]):
                continue
            drawn = sampling.draw(
                tenant=tenant,
                run=fact["run_id"],
                judge=name,
                rate=rate,
                seen_today=seen[stratum],
                kept=fact["kept_because"],
            )
            plan.draws[fact["run_id"]][name] = {"p": round(drawn.probability, 6), "drawn": drawn.is_chosen}
            if drawn.is_chosen:
                plan.judgements.append(_judgement(judge, fact, drawn, at))
        seen[stratum] += is_new
    return plan


def store(plan: Plan) -> None:
    """After the facts. A judgement that is there already stays as it is."""
    Judgement.objects.bulk_create(plan.judgements, ignore_conflicts=True)


def _judgement(judge: Judge, fact: Mapping[str, Any], drawn: sampling.Draw, at: datetime) -> Judgement:
    is_paused = judge.state == JudgeState.PAUSED
    return Judgement(
        id=new_id(),
        tenant_id=judge.tenant_id,
        subject=Subject.RUN,
        subject_id=fact["run_id"],
        judge=judge,
        agent=fact["agent"],
        agent_version=fact["agent_version"],
        day=fact["day"],
        state=JudgementState.SKIPPED if is_paused else JudgementState.PLANNED,
        code="paused" if is_paused else "",
        detail="The judge was paused when the run ended." if is_paused else "",
        ended_at=at if is_paused else None,
        sampled=Sampled.KEPT if drawn.is_kept else Sampled.SAMPLE,
        probability=drawn.probability,
        planned_at=at,
        next_at=at,
    )


def _earlier_draws(tenant: uuid.UUID, run_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Draws]:
    found: dict[uuid.UUID, Draws] = {run_id: {} for run_id in run_ids}
    rows = RunFact.objects.filter(tenant_id=tenant, run_id__in=run_ids).values_list("run_id", "draws")
    return found | {run_id: dict(draws) for run_id, draws in rows}


def _lines(tenant: uuid.UUID) -> dict[str, dict[str, float]]:
    """Rate by judge's name, by agent; "" is for agents without a line of their own."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for agent, name, rate in Assignment.objects.filter(tenant_id=tenant).values_list("agent", "judge_name", "rate"):
        found[agent][name] = rate
    return dict(found)


def _seen_today(tenant: uuid.UUID, facts: Sequence[Mapping[str, Any]], at: datetime) -> Counter[tuple[Any, ...]]:
    """How many runs of each stratum began within a day."""
    agents = sorted({fact["agent"] for fact in facts})
    rows = (
        RunFact.objects.filter(tenant_id=tenant, agent__in=agents, started_at__gte=at - _DAY)
        .values_list(*_STRATUM)
        .annotate(runs=Count("run_id"))
        .order_by()
    )
    return Counter({row[:-1]: row[-1] for row in rows})
