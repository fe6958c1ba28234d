"""Reads of feedback, outcomes and signals."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from evals.models import Feedback, Outcome, Signal

OF_RUN_MOST = 200


def feedback_of_runs(*, tenant: uuid.UUID, runs: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[Feedback]]:
    """What people said of each of these runs, the newest first; runs of which nobody said anything are left out."""
    found: dict[uuid.UUID, list[Feedback]] = {}
    rows = Feedback.objects.filter(tenant_id=tenant, run_id__in=list(runs))
    for row in rows.order_by("-received_at", "-id")[: 20 * OF_RUN_MOST]:
        found.setdefault(row.run_id, []).append(row)
    return found


def signals_of_run(*, tenant: uuid.UUID, run_id: uuid.UUID) -> list[Signal]:
    return list(Signal.objects.filter(tenant_id=tenant, run_id=run_id).order_by("at", "id"))


def outcomes_of_run(*, tenant: uuid.UUID, run_id: uuid.UUID) -> list[Outcome]:
    """What came of a run, in order."""
    return list(Outcome.objects.filter(tenant_id=tenant, run_id=run_id).order_by("at", "id")[:OF_RUN_MOST])
