"""Findings as rows: one is open per fingerprint; seen again, it keeps its beginning."""

from __future__ import annotations

import hashlib
import json
import math
import uuid
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction

from agentops.common import scope
from evals.drifting.daily import Told
from evals.drifting.sums import Sums
from evals.models import DriftFinding
from evals.statistics.estimates import Estimate
from evals.statistics.sampletests import MixCompared
from evals.types import Dimension, DriftKind, Metric

_MOST_TOOLS = 12
_MOST_EFFECT = 10.0  # where nothing varies, an effect has no end
Cause = tuple[Dimension, str, str]


def note(
    *,
    tenant: uuid.UUID,
    told: Told,
    causes: Sequence[Cause],
    sentence: str,
    worst_runs: Sequence[uuid.UUID],
    at: datetime,
) -> bool:
    """Write what a test found, or see again what is open; is it new?"""
    test, result = told.found.test, told.found.test.result
    old = test.boundary.old if test.boundary else test.value
    return write(
        tenant=tenant,
        kind=test.kind,
        agent=test.agent,
        dimension=test.dimension,
        value=test.value,
        metric=test.metric,
        sentence=sentence,
        before=side(test.metric, test.before, test.before_days, old, result),
        after={
            **side(test.metric, test.after, test.after_days, test.value, result, is_after=True),
            "worst": [[dimension.value, value, _bounded(effect)] for dimension, value, effect in told.worst],
        },
        effect=result.effect,
        p=result.p,
        q=told.found.q,
        causes=causes,
        worst_runs=worst_runs,
        at=at,
    )


def write(
    *,
    tenant: uuid.UUID,
    kind: DriftKind,
    agent: str,
    dimension: Dimension,
    value: str,
    metric: Metric,
    sentence: str,
    before: dict[str, Any],
    after: dict[str, Any],
    effect: float,
    p: float | None,
    q: float | None,
    causes: Sequence[Cause],
    worst_runs: Sequence[uuid.UUID],
    at: datetime,
) -> bool:
    scope.require_tenant(tenant)
    mark = fingerprint(kind, agent, metric, dimension, value)
    cause, cause_from, cause_to = causes[0] if len(causes) == 1 else ("", "", "")
    figures = {
        "sentence": sentence,
        "before": before,
        "after": after,
        "effect": _bounded(effect),
        "p_value": p,
        "q_value": q,
        "cause": cause,
        "cause_from": cause_from,
        "cause_to": cause_to,
        "worst_runs": list(worst_runs),
        "last_seen_at": at,
    }
    if DriftFinding.objects.filter(tenant_id=tenant, fingerprint=mark, ended_at=None).update(**figures):
        return False
    try:
        with transaction.atomic():
            DriftFinding.objects.create(
                tenant_id=tenant,
                fingerprint=mark,
                kind=kind,
                agent=agent,
                dimension=dimension,
                value=value,
                metric=metric,
                found_at=at,
                **figures,
            )
    except IntegrityError:  # another worker was faster
        return False
    return True


def fingerprint(kind: DriftKind, agent: str, metric: Metric, dimension: Dimension, value: str) -> str:
    """Readable as far as it goes; the digest keeps long names apart."""
    parts = json.dumps([agent, metric.value, dimension.value, value, kind.value])
    return (
        f"{kind.value} {metric.value} {dimension.value} {hashlib.sha256(parts.encode()).hexdigest()[:32]} {agent[:80]}"
    )


def side(
    metric: Metric,
    sums: Sums,
    days: tuple[date, date],
    value: str,
    result: object,
    *,
    is_after: bool = False,
) -> dict[str, Any]:
    """One side of a finding as its page shows it."""
    shown: dict[str, Any] = {
        "value": value,
        "from": days[0].isoformat(),
        "until": days[1].isoformat(),
        "runs": sums.runs,
        "n": sums.size(metric),
    }
    if isinstance(result, MixCompared):
        place = 2 if is_after else 1
        return shown | {"mix": {str(row[0]): row[place] for row in result.moved[:_MOST_TOOLS]}}
    return shown | of_estimate(sums.estimate(metric))


def of_estimate(found: Estimate | None) -> dict[str, float]:
    return {} if found is None else {"mean": found.mean, "low": found.low, "high": found.high}


def _bounded(effect: float) -> float:
    return 0.0 if math.isnan(effect) else max(-_MOST_EFFECT, min(_MOST_EFFECT, effect))
