"""What people said afterwards of what they had approved: for evals, and for the page that asks."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from agentops.confirmations.models import Confirmation, Correctness, Vote
from agentops.confirmations.types import OVER, Choice, Person, State

_DECIDED_WITHIN = timedelta(days=2)  # the longest lifetime and delay, and some


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One person's answer about one action. `state` is how the action ended; `edited` tells that a person had changed it."""

    id: uuid.UUID
    confirmation: uuid.UUID
    run_id: uuid.UUID
    call_id: str
    agent: str
    agent_version: str
    tool: str
    tool_version: str
    tier: int
    state: str
    is_edited: bool
    voter: str
    is_correct: bool
    comment: str
    at: datetime


def judged(
    *,
    tenant: uuid.UUID,
    since: datetime | None = None,
    after: tuple[datetime, uuid.UUID] | None = None,
    run: uuid.UUID | None = None,
    most: int = 1_000,
) -> list[Judged]:
    """Answers, the oldest first; `after` is (at, id) of the last one read. An answer that is changed comes again."""
    found = Correctness.objects.filter(tenant_id=tenant).select_related("confirmation")
    if since is not None:
        found = found.filter(at__gte=since)
    if run is not None:
        found = found.filter(run_id=run)
    if after is not None:
        found = found.filter(Q(at__gt=after[0]) | Q(at=after[0], id__gt=after[1]))
    return [_judged(row) for row in found.order_by("at", "id")[:most]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A proposal that a person refused or cancelled: the agent proposed what nobody wanted."""

    confirmation: uuid.UUID
    run_id: uuid.UUID
    agent: str
    tool: str
    state: str
    reason: str
    at: datetime


def stopped(*, tenant: uuid.UUID, since: datetime, most: int = 1_000) -> list[Stopped]:
    """Proposals that people refused or cancelled from a time on, the oldest first."""
    found = Confirmation.objects.filter(
        tenant_id=tenant,
        state__in=(State.REFUSED, State.CANCELLED),
        decided_at__gte=since,
        requested_at__gte=since - _DECIDED_WITHIN,
    )
    return [
        Stopped(
            confirmation=row.id,
            run_id=row.run_id,
            agent=row.agent,
            tool=row.tool,
            state=row.state,
            reason=row.reason,
            at=row.decided_at,
        )
        for row in found.order_by("decided_at", "id")[:most]
        if row.decided_at is not None
    ]


def my_answer(*, tenant: uuid.UUID, confirmation: uuid.UUID, by: Person) -> Judged | None:
    """What this person said of it."""
    found = Correctness.objects.filter(tenant_id=tenant, confirmation_id=confirmation, voter=by.voter)
    row = found.select_related("confirmation").first()
    return _judged(row) if row else None


def asks_for_correctness(*, tenant: uuid.UUID, confirmation: uuid.UUID, by: Person) -> bool:
    """Has it run, and is this person one whom the page asks?"""
    found = Confirmation.objects.filter(tenant_id=tenant, id=confirmation).first()
    return found is not None and found.state in OVER and may_judge(found, by)


def may_judge(confirmation: Confirmation, by: Person) -> bool:
    """Those who approved or changed it, and those in whose name it was done."""
    if confirmation.acting_user in by.end_users or by.voter == f"end_user:{confirmation.acting_user}":
        return True
    if by.user_id is not None and confirmation.edited_by == by.user_id:
        return True
    votes = Vote.objects.filter(tenant_id=confirmation.tenant_id, confirmation=confirmation, voter=by.voter)
    return votes.filter(choice=Choice.APPROVE).exists()


def _judged(row: Correctness) -> Judged:
    about = row.confirmation
    return Judged(
        id=row.id,
        confirmation=about.id,
        run_id=row.run_id,
        call_id=row.call_id,
        agent=about.agent,
        agent_version=about.agent_version,
        tool=about.tool,
        tool_version=about.tool_version,
        tier=about.tier,
        state=about.state,
        is_edited=about.supersedes_id is not None,
        voter=row.voter,
        is_correct=row.is_correct,
        comment=row.comment,
        at=row.at,
    )
