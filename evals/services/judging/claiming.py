"""Taking judgements to be asked now, and letting go of them. A claim is a row's claim id: only who holds it writes the end.

An endpoint's row is locked while its judgements are claimed, so how many are in flight and how many were begun within the
minute is exact, however many workers there are. What a worker took and never ended is claimed again once its time is over.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from agentops.common import scope
from evals.judging import asking
from evals.models import JudgeEndpoint, Judgement
from evals.types import JudgementState, JudgeState, Subject

ATTEMPTS = 5
GRACE = timedelta(seconds=30)  # after the longest ask: for writing its end


@dataclass(frozen=True, slots=True)
class Claimed:
    judgement: Judgement
    claim: uuid.UUID


def claim(*, tenant: uuid.UUID, most: int, at: datetime) -> list[Claimed]:
    """Take up to `most` judgements whose endpoint may be asked now, the longest-waiting first."""
    scope.require_tenant(tenant)
    found: list[Claimed] = []
    endpoints = (
        JudgeEndpoint.objects.select_for_update(skip_locked=True)
        .filter(Q(paused_until__isnull=True) | Q(paused_until__lte=at), tenant_id=tenant)
        .order_by("id")
    )
    for endpoint in endpoints:
        room = min(most - len(found), _room(endpoint, at))
        if room > 0:
            taken = _take(endpoint, room, at)
            _count(endpoint, len(taken), at)
            found += taken
    return found


def is_mine(judgement: Judgement, claim: uuid.UUID) -> bool:
    return judgement.state == JudgementState.RUNNING and judgement.claim == claim


def _room(endpoint: JudgeEndpoint, at: datetime) -> int:
    """How many more may be asked of it now."""
    running = Judgement.objects.filter(
        tenant_id=endpoint.tenant_id, judge__endpoint=endpoint, state=JudgementState.RUNNING, claimed_until__gt=at
    )
    room = endpoint.max_in_flight - running.count()
    if endpoint.requests_per_minute is not None:
        begun = endpoint.asked if endpoint.minute == _minute(at) else 0
        room = min(room, endpoint.requests_per_minute - begun)
    return room


def _take(endpoint: JudgeEndpoint, room: int, at: datetime) -> list[Claimed]:
    due = Q(state=JudgementState.PLANNED, next_at__lte=at) | Q(state=JudgementState.RUNNING, claimed_until__lte=at)
    asked_for = ~Q(judge__state=JudgeState.PAUSED) & (
        Q(subject=Subject.CASE_RUN) | ~Q(judge__state=JudgeState.REPLACED)
    )
    rows = (
        Judgement.objects.select_for_update(of=("self",), skip_locked=True)
        .filter(due, asked_for, tenant_id=endpoint.tenant_id, judge__endpoint=endpoint, next_at__lte=at)
        .select_related("judge", "judge__rubric_version", "judge__endpoint")
        .order_by("next_at", "id")[:room]
    )
    taken = []
    for row in rows:
        if row.attempts >= ATTEMPTS:  # its workers died, each time
            end(
                row, JudgementState.FAILED, at, code="lost", detail="The worker was lost while it was asked, each time."
            )
            continue
        row.state, row.claim = JudgementState.RUNNING, uuid.uuid4()
        row.attempts += 1
        row.claimed_until = at + timedelta(seconds=asking.longest(row.judge.settings)) + GRACE
        row.next_at = row.claimed_until
        row.save(update_fields=["state", "claim", "attempts", "claimed_until", "next_at"])
        taken.append(Claimed(row, row.claim))
    return taken


def end(
    row: Judgement, state: str, at: datetime, *, code: str = "", detail: str = "", changed: Sequence[str] = ()
) -> None:
    """Write an end into a row that is locked and held by the caller's claim."""
    row.state, row.code, row.detail = state, code, detail
    row.claim, row.claimed_until, row.ended_at = None, None, at
    row.save(update_fields=["state", "code", "detail", "claim", "claimed_until", "ended_at", *changed])


def wait(row: Judgement, until: datetime, *, code: str, detail: str, is_attempt: bool) -> None:
    """Put a claimed row back, to be asked later. Who was told to have patience has lost no attempt."""
    row.state, row.code, row.detail = JudgementState.PLANNED, code, detail
    row.claim, row.claimed_until, row.next_at = None, None, until
    row.attempts -= 0 if is_attempt else 1
    row.save(update_fields=["state", "code", "detail", "claim", "claimed_until", "next_at", "attempts"])


def count_further(endpoint_id: uuid.UUID, requests: int, at: datetime) -> None:
    """Requests that an ask took beyond its first count in the minute, too."""
    endpoint = JudgeEndpoint.objects.select_for_update().filter(id=endpoint_id).first()
    if endpoint is not None and requests > 0:
        _count(endpoint, requests, at)


def _count(endpoint: JudgeEndpoint, begun: int, at: datetime) -> None:
    if not begun:
        return
    minute = _minute(at)
    endpoint.asked = endpoint.asked + begun if endpoint.minute == minute else begun
    endpoint.minute = minute
    endpoint.save(update_fields=["asked", "minute"])


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
