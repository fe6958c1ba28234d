"""What the sweep puts into the queue: what people found bad, what was stopped, what a check found, who disagrees, and chance."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from agentops.common import scope
from agentops.runtime import queries as guard
from evals.models import Feedback, ReviewSampling, RunFact
from evals.reviewing.chance import is_drawn, share_of
from evals.services.queue.adding import Candidate, add
from evals.services.signals import marks
from evals.types import QueueReason

BATCH = 2_000
DISAGREEMENT_DAYS = timedelta(days=14)
_FEEDBACK, _FACTS = "queue.feedback", "queue.facts"
_BAD = Q(is_up=False) | Q(is_correct=False)
_DISAGREEMENTS = """
SELECT DISTINCT ON (said.run_id) said.run_id, j.agent, jd.name, j.is_pass, said.who, greatest(said.at, j.ended_at)
FROM (
  SELECT run_id, is_up AND is_correct IS DISTINCT FROM false AS is_good, 'a user' AS who, received_at AS at
  FROM evals_feedback WHERE tenant_id = %(tenant)s AND received_at >= %(since)s
  UNION ALL
  SELECT run_id, verdict = 'good', 'a reviewer', reviewed_at
  FROM evals_reviewitem WHERE tenant_id = %(tenant)s AND state = 'done' AND reviewed_at >= %(since)s AND verdict IN ('good', 'bad')
) said
JOIN evals_judgement j ON j.tenant_id = %(tenant)s AND j.subject = 'run' AND j.subject_id = said.run_id AND j.state = 'scored'
  AND j.is_pass <> said.is_good
JOIN evals_judge jd ON jd.tenant_id = j.tenant_id AND jd.id = j.judge_id AND jd.state <> 'replaced'
WHERE NOT EXISTS (SELECT 1 FROM evals_reviewitem i WHERE i.tenant_id = %(tenant)s AND i.run_id = said.run_id
  AND 'disagreement' = ANY(i.reasons))
ORDER BY said.run_id, said.at DESC
LIMIT %(most)s
"""


def fill_queue(*, tenant: uuid.UUID, at: datetime) -> tuple[int, bool]:
    """Look at what was written since the last look; answers how many items came of it, and whether more is to be read."""
    scope.require_tenant(tenant)
    said, is_more_said = _said(tenant, at)
    found, is_more_found = _found(tenant, at)
    return add(tenant, [*said, *found, *_disagreements(tenant, at)], at), is_more_said or is_more_found


def _said(tenant: uuid.UUID, at: datetime) -> tuple[list[Candidate], bool]:
    """Bad words of people."""
    rows, is_more = marks.unread(
        Feedback.objects.filter(_BAD, tenant_id=tenant),
        tenant=tenant,
        sweep=_FEEDBACK,
        at=at,
        written="received_at",
        key="id",
        most=BATCH,
    )
    return [
        Candidate(
            run_id=row.run_id,
            reason=QueueReason.NEGATIVE_FEEDBACK,
            detail=_words(row),
            pattern=f"negative feedback by {row.source}",
            since=row.received_at,
        )
        for row in rows
    ], is_more


def _words(row: Feedback) -> str:
    who = row.user_id or "Somebody"
    found = f"{who} said that it was not correct." if row.is_correct is False else f"{who} found it bad."
    return f"{found} “{' '.join(row.comment.split())[:200]}”" if row.comment else found


def _found(tenant: uuid.UUID, at: datetime) -> tuple[list[Candidate], bool]:
    """Finished runs that the guard stopped, that a check found, or that chance drew."""
    rows, is_more = marks.unread(
        RunFact.objects.filter(tenant_id=tenant).only("run_id", "agent", "is_aborted", "failed_checks", "computed_at"),
        tenant=tenant,
        sweep=_FACTS,
        at=at,
        written="computed_at",
        key="run_id",
        most=BATCH,
    )
    shares = dict(ReviewSampling.objects.filter(tenant_id=tenant).values_list("agent", "share"))
    return [each for row in rows for each in _of_fact(tenant, row, shares)], is_more


def _of_fact(tenant: uuid.UUID, row: RunFact, shares: dict[str, float]) -> Iterable[Candidate]:
    if row.is_aborted:
        stopped = guard.guarded_run(tenant=tenant, run=row.run_id)
        code = stopped.end_code if stopped else ""
        detail = (stopped.end_detail if stopped else "") or "The guard stopped it."
        yield _candidate(row, QueueReason.ABORTED, detail, f"aborted {code}".strip())
    if row.failed_checks:
        names = ", ".join(row.failed_words)
        yield _candidate(row, QueueReason.CHECK, f"Checks failed: {names}.", f"check {sorted(row.failed_checks)[0]}")
    share = share_of(row.agent, shares)
    if is_drawn(tenant=tenant, run_id=row.run_id, share=share):
        detail = f"Drawn by chance: it stands for {1 / share:,.0f} run{'' if share > 0.67 else 's'} of this agent."
        yield _candidate(row, QueueReason.RANDOM, detail, "random", probability=share)


def _candidate(row: RunFact, reason: QueueReason, detail: str, pattern: str, *, probability: float = 1.0) -> Candidate:
    return Candidate(
        run_id=row.run_id,
        reason=reason,
        detail=detail,
        pattern=f"{row.agent}: {pattern}",
        since=row.computed_at,
        agent=row.agent,
        probability=probability,
    )


def _disagreements(tenant: uuid.UUID, at: datetime) -> list[Candidate]:
    """Runs that a judge passed and a person did not, or the other way round. Judges come late, so two weeks are looked at."""
    with connection.cursor() as cursor:
        cursor.execute(_DISAGREEMENTS, {"tenant": tenant, "since": at - DISAGREEMENT_DAYS, "most": BATCH})
        rows = cursor.fetchall()
    return [
        Candidate(
            run_id=run_id,
            reason=QueueReason.DISAGREEMENT,
            detail=f"The judge {judge} {'passed' if is_pass else 'failed'} it; {who} found it {'bad' if is_pass else 'good'}.",
            pattern=f"{agent}: disagreement with {judge}",
            since=since,
            agent=agent,
        )
        for run_id, agent, judge, is_pass, who, since in rows
    ]
