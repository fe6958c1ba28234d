"""Reads of the review queue: its items, and all that is at hand about the run of one."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Count, Q, QuerySet

from agentops.common.cursors import Cursor
from evals.errors import Unknown
from evals.models import (
    Assignment,
    HumanLabel,
    Judge,
    Judgement,
    ReviewItem,
    ReviewSampling,
    RubricVersion,
    RunFact,
    Score,
)
from evals.reviewing.chance import DEFAULT_SHARE
from evals.reviewing.criteria import Rubric, criteria_of
from evals.types import JudgeState, QueueReason, QueueState, Subject

RUBRICS_MOST = 4  # that a person is asked to label by at once
EVERYWHERE_MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which items of the queue."""

    is_done: bool = False
    reason: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class ItemPage:
    items: list[ReviewItem]
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many are open: in all, by reason (an item can have several), and by agent."""

    total: int
    by_reason: dict[str, int]
    by_agent: dict[str, int]


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judge came to, with its scores."""

    judgement: Judgement
    judge: Judge
    scores: list[Score]


def review_items(*, tenant: uuid.UUID, wanted: Wanted, cursor: Cursor | None = None, limit: int = 50) -> ItemPage:
    """The newest first."""
    rows = _wanted(tenant, wanted)
    if cursor is not None:
        rows = rows.filter(Q(found_at__lt=cursor.at) | Q(found_at=cursor.at, id__lt=cursor.id))
    found = list(rows.order_by("-found_at", "-id")[: limit + 1])
    last = found[limit - 1] if len(found) > limit else None
    return ItemPage(found[:limit], Cursor(last.found_at, last.id) if last else None)


def review_counts(*, tenant: uuid.UUID) -> Counts:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.reason, count(*) FROM evals_reviewitem i, unnest(i.reasons) AS r (reason) "
            "WHERE i.tenant_id = %s AND i.state = 'open' GROUP BY 1",
            [tenant],
        )
        by_reason = dict(cursor.fetchall())
    rows = ReviewItem.objects.filter(tenant_id=tenant, state=QueueState.OPEN)
    by_agent = dict(rows.values_list("agent").annotate(Count("id")).order_by("-id__count", "agent"))
    return Counts(sum(by_agent.values()), by_reason, by_agent)


def review_item(*, tenant: uuid.UUID, item: uuid.UUID) -> ReviewItem:
    """Raises Unknown."""
    found = ReviewItem.objects.filter(tenant_id=tenant, id=item).first()
    if found is None:
        raise Unknown("There is no such item.")
    return found


def neighbour(*, tenant: uuid.UUID, item: ReviewItem, wanted: Wanted, is_before: bool = False) -> ReviewItem | None:
    """The item after this one (or before it) in the order of the list; at the end the first one that is open still."""
    rows = _wanted(tenant, wanted).exclude(id=item.id)
    if is_before:
        newer = rows.filter(Q(found_at__gt=item.found_at) | Q(found_at=item.found_at, id__gt=item.id))
        return newer.order_by("found_at", "id").first()
    older = rows.filter(Q(found_at__lt=item.found_at) | Q(found_at=item.found_at, id__lt=item.id))
    return older.order_by("-found_at", "-id").first() or rows.order_by("-found_at", "-id").first()


def others_of_run(*, item: ReviewItem) -> list[ReviewItem]:
    """Earlier and later items of the same run."""
    rows = ReviewItem.objects.filter(tenant_id=item.tenant_id, run_id=item.run_id).exclude(id=item.id)
    return list(rows.order_by("-found_at", "-id")[:20])


def fact_of(*, tenant: uuid.UUID, run_id: uuid.UUID) -> RunFact | None:
    return RunFact.objects.filter(tenant_id=tenant, run_id=run_id).first()


def judged(*, tenant: uuid.UUID, run_id: uuid.UUID) -> list[Judged]:
    """Every judge's look at a run, scored or not."""
    rows = Judgement.objects.filter(tenant_id=tenant, subject=Subject.RUN, subject_id=run_id).select_related("judge")
    found = list(rows.order_by("judge__name", "-judge__number")[:20])
    scores: dict[uuid.UUID, list[Score]] = {}
    for score in Score.objects.filter(tenant_id=tenant, judgement__in=found).order_by("id"):
        scores.setdefault(score.judgement_id, []).append(score)
    return [Judged(row, row.judge, scores.get(row.id, [])) for row in found]


def labels_of(*, tenant: uuid.UUID, run_id: uuid.UUID) -> list[HumanLabel]:
    """What people gave a run, by criterion."""
    rows = HumanLabel.objects.filter(tenant_id=tenant, run_id=run_id)
    return list(
        rows.select_related("rubric_version__rubric").order_by("rubric_version_id", "criterion", "labelled_at")[:200]
    )


def rubrics(*, tenant: uuid.UUID, versions: Collection[uuid.UUID]) -> dict[uuid.UUID, Rubric]:
    """Versions of rubrics, as people label by them."""
    rows = RubricVersion.objects.filter(tenant_id=tenant, id__in=list(versions)).select_related("rubric")
    return {row.id: _rubric(row) for row in rows}


def rubrics_for(*, tenant: uuid.UUID, agent: str) -> list[Rubric]:
    """By what a run of an agent is labelled: the rubrics of the judges that look at it; without any, the newest of all."""
    names = set(Assignment.objects.filter(tenant_id=tenant, agent__in=[agent, ""]).values_list("judge_name", flat=True))
    judges = Judge.objects.filter(tenant_id=tenant).exclude(state=JudgeState.REPLACED)
    chosen = judges.filter(name__in=names) if names else judges
    versions = set(chosen.values_list("rubric_version_id", flat=True))
    rows = RubricVersion.objects.filter(tenant_id=tenant, rubric__archived_at__isnull=True).select_related("rubric")
    if versions:
        rows = rows.filter(id__in=versions)
    newest: dict[uuid.UUID, RubricVersion] = {}
    for row in rows.order_by("number"):
        newest[row.rubric_id] = row
    return [_rubric(row) for row in sorted(newest.values(), key=lambda row: row.rubric.name)[:RUBRICS_MOST]]


def sampling(*, tenant: uuid.UUID) -> dict[str, float]:
    """The share of runs that comes to people by chance, by agent; "": of all others."""
    return {"": DEFAULT_SHARE} | dict(
        ReviewSampling.objects.filter(tenant_id=tenant).order_by("agent").values_list("agent", "share")
    )


# -- over all organisations; these need staff's scope -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenCount:
    """What waits in one organisation."""

    tenant_id: uuid.UUID
    count: int
    oldest_at: datetime
    by_reason: dict[str, int]


def open_counts() -> list[OpenCount]:
    """What waits, by organisation, the most first."""
    reasons: dict[uuid.UUID, dict[str, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.tenant_id, r.reason, count(*) FROM evals_reviewitem i, unnest(i.reasons) AS r (reason) "
            "WHERE i.state = 'open' GROUP BY 1, 2"
        )
        for tenant_id, reason, count in cursor.fetchall():
            reasons.setdefault(tenant_id, {})[reason] = count
        cursor.execute(
            "SELECT tenant_id, count(*), min(found_at) FROM evals_reviewitem WHERE state = 'open' GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        return [
            OpenCount(tenant, count, oldest, reasons.get(tenant, {})) for tenant, count, oldest in cursor.fetchall()
        ]


def open_everywhere(*, reason: str = "", most: int = EVERYWHERE_MOST) -> list[ReviewItem]:
    """The newest open items of all organisations."""
    rows = ReviewItem.objects.filter(state=QueueState.OPEN)
    if reason in QueueReason.values:
        rows = rows.filter(reasons__contains=[reason])
    return list(rows.order_by("-found_at", "-id")[:most])


def found_between(*, since: datetime, until: datetime, reason: QueueReason, most: int) -> tuple[list[ReviewItem], int]:
    """The newest items of all organisations that came for a reason, reviewed or not; and how many there are in all."""
    rows = ReviewItem.objects.filter(found_at__gte=since, found_at__lt=until, reasons__contains=[reason])
    return list(rows.order_by("-found_at", "-id")[:most]), rows.count()


def _wanted(tenant: uuid.UUID, wanted: Wanted) -> QuerySet[ReviewItem]:
    rows = ReviewItem.objects.filter(tenant_id=tenant, state=QueueState.DONE if wanted.is_done else QueueState.OPEN)
    if wanted.reason:
        rows = rows.filter(reasons__contains=[wanted.reason])
    return rows.filter(agent=wanted.agent) if wanted.agent else rows


def _rubric(row: RubricVersion) -> Rubric:
    return Rubric(version=row.id, name=row.rubric.name, number=row.number, criteria=criteria_of(row.content))
