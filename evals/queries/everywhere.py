"""Quality over all organisations, in the staff scope: added up in the database, one row an agent."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import FloatField, Sum
from django.db.models.functions import Cast

from evals.drifting.sums import Sums
from evals.models import CohortDay, DriftFinding, GateVerdict
from evals.statistics.moments import Moments
from evals.types import Dimension, GateVerdictKind

_NAMES = (
    "runs", "errors", "refusals", "judged", "weight", "weight_squares", "score_sum", "score_squares", "ups", "downs",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    tenant_id: uuid.UUID
    agent: str
    sums: Sums
    open_findings: int


def lines(*, since: date, until: date) -> list[Line]:
    """Every organisation's agents, those with open findings first, then by score from below."""
    open_findings = Counter(DriftFinding.objects.filter(ended_at=None).values_list("tenant_id", "agent"))
    rows = (
        CohortDay.objects.filter(dimension=Dimension.ALL, day__gte=since, day__lt=until)
        .values_list("tenant_id", "agent")
        .annotate(**{f"of_{name}": Sum(Cast(name, FloatField())) for name in _NAMES})
        .order_by("tenant_id", "agent")
    )
    found = []
    for tenant_id, agent, runs, errors, refusals, judged, w, ww, x, xx, ups, downs in rows:
        sums = Sums(
            runs=int(runs),
            errors=int(errors),
            refusals=int(refusals),
            score=Moments(int(judged), w, ww, x, xx),
            ups=int(ups),
            downs=int(downs),
        )
        found.append(Line(tenant_id, agent, sums, open_findings[tenant_id, agent]))
    return sorted(found, key=_worst_first)


def failed_gates(*, since: datetime, until: datetime, most: int) -> list[GateVerdict]:
    """Versions of all organisations that did not pass their gate, the newest first."""
    rows = GateVerdict.objects.filter(verdict=GateVerdictKind.FAILED, at__gte=since, at__lt=until)
    return list(rows.order_by("-at", "-id")[:most])


def drift_found(*, since: datetime, until: datetime, most: int) -> list[DriftFinding]:
    """What moved, of all organisations, the newest first."""
    rows = DriftFinding.objects.filter(found_at__gte=since, found_at__lt=until)
    return list(rows.order_by("-found_at", "-id")[:most])


def _worst_first(line: Line) -> tuple[bool, bool, float, str]:
    score = line.sums.score
    return not line.open_findings, score.weight <= 0, score.mean if score.weight > 0 else 0.0, line.agent
