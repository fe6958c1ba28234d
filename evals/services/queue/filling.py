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
from evals.queries import queue as queries
from evals.reviewing.chance import is_drawn, share_of
from evals.services.queue.adding import Candidate, add
from evals.services.signals import marks
from evals.types import QueueReason

BATCH = 2_000
DISAGREEMENT_DAYS = timedelta(days=14)
_FEEDBACK, _FACTS, _STOPPED = "queue.feedback", "queue.facts", "queue.stopped"
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
# The last word on each criterion, against what judges by the same version of the rubric gave for it.
_CRITERIA = """
SELECT l.run_id, j.agent, jd.name, l.rubric_version_id, l.criterion, s.value, l.value, greatest(l.labelled_at, j.ended_at)
FROM (
  SELECT DISTINCT ON (run_id, rubric_version_id, criterion) run_id, rubric_version_id, criterion, value, score, labelled_at
  FROM evals_humanlabel WHERE tenant_id = %(tenant)s AND labelled_at >= %(since)s
  ORDER BY run_id, rubric_version_id, criterion, labelled_at DESC, id DESC
) l
JOIN evals_judge jd ON jd.tenant_id = %(tenant)s AND jd.rubric_version_id = l.rubric_version_id AND jd.state <> 'replaced'
JOIN evals_judgement j ON j.tenant_id = %(tenant)s AND j.subject = 'run' AND j.subject_id = l.run_id AND j.judge_id = jd.id
  AND j.state = 'scored'
JOIN evals_score s ON s.tenant_id = %(tenant)s AND s.judgement_id = j.id AND s.criterion = l.criterion
  AND abs(s.score - l.score) >= %(apart)s
WHERE NOT EXISTS (SELECT 1 FROM evals_reviewitem i WHERE i.tenant_id = %(tenant)s AND i.run_id = l.run_id
  AND 'disagreement' = ANY(i.reasons))
ORDER BY l.run_id, jd.name, l.criterion
LIMIT %(most)s
"""
APART = 0.5  # of a criterion's scale, from 0 to 1: passed or not, or half of its length; 4 of 5 where a person says 5 is none


def fill_queue(*, tenant: uuid.UUID, at: datetime) -> tuple[int, bool]:
    """Look at what was written since the last look; answers how many items came of it, and whether more is to be read."""
    scope.require_tenant(tenant)
    said, is_more_said = _said(tenant, at)
    found, is_more_found = _found(tenant, at)
    stopped, is_more_stopped = _stopped(tenant, at)
    candidates = [*said, *found, *stopped, *_disagreements(tenant, at), *_differing_criteria(tenant, at)]
    return add(tenant, candidates, at), is_more_said or is_more_found or is_more_stopped


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


def _stopped(tenant: uuid.UUID, at: datetime) -> tuple[list[Candidate], bool]:
    """Runs that the guard ended, as it says itself: one that never sent a span has no fact. Of those that have, it is one
    reason, whichever comes first."""
    since, last = marks.since(tenant, _STOPPED, at)
    rows = guard.stopped_runs(tenant=tenant, since=since, after=last, most=BATCH)
    is_more = len(rows) == BATCH
    marks.move(tenant, _STOPPED, rows[-1][4] if is_more else at, last=rows[-1][0] if is_more else None)
    return [
        Candidate(
            run_id=run_id,
            reason=QueueReason.ABORTED,
            detail=detail or "The guard stopped it.",
            pattern=f"{agent}: aborted {code}".strip(),
            since=ended_at,
            agent=agent,
        )
        for run_id, agent, code, detail, ended_at in rows
    ], is_more


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


def _differing_criteria(tenant: uuid.UUID, at: datetime) -> list[Candidate]:
    """Criteria for which a judge gave something else than a person did, also where their verdicts over all are the same."""
    with connection.cursor() as cursor:
        cursor.execute(
            _CRITERIA, {"tenant": tenant, "since": at - DISAGREEMENT_DAYS, "most": BATCH, "apart": APART - 1e-9}
        )
        rows = cursor.fetchall()
    rubrics = queries.rubrics(tenant=tenant, versions={row[3] for row in rows})
    found = []
    for run_id, agent, judge, version, key, given, said, since in rows:
        criterion = rubrics[version].criterion(key) if version in rubrics else None
        title = criterion.title if criterion else key
        found.append(
            Candidate(
                run_id=run_id,
                reason=QueueReason.DISAGREEMENT,
                detail=f"{title}: the judge {judge} gave {given}, a person {said}.",
                pattern=f"{agent}: disagreement with {judge} on {key}",
                since=since,
                agent=agent,
            )
        )
    return found
