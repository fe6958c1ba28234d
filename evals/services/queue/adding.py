"""How runs get into the queue: one open item a run, in which reasons come together."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from agentops.common.ids import new_id
from agentops.traces import queries as traces
from evals.models import ReviewItem, RunFact
from evals.types import QueueReason, QueueState

_UPSERT = """
INSERT INTO evals_reviewitem AS i (tenant_id, id, run_id, agent, reasons, detail, pattern, probability, state, found_at,
  verdict, note, reviewed_by, led_to)
VALUES (%(tenant)s, %(id)s, %(run)s, %(agent)s, %(reasons)s, %(detail)s, %(pattern)s, %(probability)s, 'open', %(at)s,
  '', '', '', '[]')
ON CONFLICT (tenant_id, run_id) WHERE state = 'open' DO UPDATE SET
  reasons = i.reasons || ARRAY(SELECT r FROM unnest(excluded.reasons) r WHERE r <> ALL(i.reasons)),
  detail = left(CASE WHEN position(excluded.detail IN i.detail) > 0 THEN i.detail
    ELSE concat_ws(' ', nullif(i.detail, ''), excluded.detail) END, 2000),
  agent = CASE WHEN i.agent = '' THEN excluded.agent ELSE i.agent END,
  probability = CASE WHEN 'random' = ANY(excluded.reasons) THEN excluded.probability ELSE i.probability END
RETURNING id
"""
DETAIL_MOST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A run with one reason to look at it. `since`: when the reason arose; a sentence says it."""

    run_id: uuid.UUID
    reason: QueueReason
    detail: str
    pattern: str
    since: datetime
    agent: str = ""
    probability: float = 1.0


def add(tenant: uuid.UUID, candidates: Sequence[Candidate], at: datetime) -> int:
    """Put runs into the queue; answers how many items were made or gained a reason.

    A reason that a run has had is not had again: not by the sweep that reads it twice, and not by spans that come late.
    What people say after a review is new, though.
    """
    if not candidates:
        return 0
    _lock(tenant)
    known = _known(tenant, {each.run_id for each in candidates})
    by_run: dict[uuid.UUID, list[Candidate]] = {}
    for each in candidates:
        if not _is_known(each, known.get(each.run_id, [])):
            by_run.setdefault(each.run_id, []).append(each)
    agents = _agents(tenant, by_run)
    for run_id, reasons in by_run.items():
        put(tenant, run_id, reasons, agents.get(run_id, ""), at)
    return len(by_run)


def put(tenant: uuid.UUID, run_id: uuid.UUID, reasons: Sequence[Candidate], agent: str, at: datetime) -> uuid.UUID:
    """Make the run's open item, or let the one there is have these reasons, too; its id."""
    drawn = [each.probability for each in reasons if each.reason is QueueReason.RANDOM]
    with connection.cursor() as cursor:
        cursor.execute(
            _UPSERT,
            {
                "tenant": tenant,
                "id": new_id(),
                "run": run_id,
                "agent": agent or next((each.agent for each in reasons if each.agent), ""),
                "reasons": list(dict.fromkeys(str(each.reason) for each in reasons)),
                "detail": " ".join(dict.fromkeys(each.detail[:DETAIL_MOST] for each in reasons if each.detail)),
                "pattern": reasons[0].pattern[:200],
                "probability": drawn[0] if drawn else 1.0,
                "at": at,
            },
        )
        found: uuid.UUID = cursor.fetchone()[0]
    return found


def _lock(tenant: uuid.UUID) -> None:
    """One sweep at a time: two would both see no item, and the second would open one that was reviewed meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [f"review queue {tenant}"])


def _known(tenant: uuid.UUID, runs: set[uuid.UUID]) -> dict[uuid.UUID, list[ReviewItem]]:
    found: dict[uuid.UUID, list[ReviewItem]] = {}
    rows = ReviewItem.objects.filter(tenant_id=tenant, run_id__in=runs)
    for row in rows.only("run_id", "reasons", "state", "reviewed_at"):
        found.setdefault(row.run_id, []).append(row)
    return found


def _is_known(candidate: Candidate, items: Iterable[ReviewItem]) -> bool:
    had = [item for item in items if candidate.reason in item.reasons]
    if candidate.reason is not QueueReason.NEGATIVE_FEEDBACK:
        return bool(had)
    return any(
        item.state == QueueState.OPEN or (item.reviewed_at and candidate.since <= item.reviewed_at) for item in had
    )


def _agents(tenant: uuid.UUID, runs: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    """From the facts; of a run that has none yet, from its spans."""
    wanted = set(runs)
    found = dict(RunFact.objects.filter(tenant_id=tenant, run_id__in=wanted).values_list("run_id", "agent"))
    missing = wanted - found.keys()
    return found | traces.agents_of_runs(tenant=tenant, runs=missing) if missing else found
