"""What people were asked, and what became of it."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from agentops.common import clock
from agentops.common.cursors import Cursor
from agentops.confirmations.models import Confirmation, Vote
from agentops.confirmations.queries.asking import state_at
from agentops.confirmations.queries.detail import headline
from agentops.confirmations.queries.eligibility import Eligibility, is_known_to
from agentops.confirmations.types import Choice, Past, Person, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some confirmations, the latest first, and where the list goes on; None at its end."""

    results: list[Past]
    next: Cursor | None


def history(
    *,
    tenant: uuid.UUID,
    person: Person | None = None,
    viewer: Person | None = None,
    states: Collection[State] = (),
    agent: str = "",
    tool: str = "",
    tier: int | None = None,
    about: str = "",
    after: Cursor | None = None,
    limit: int = 50,
) -> Page:
    """Confirmations of the organisation, or those that `person` decided, stopped or was acted for.

    `viewer` is who looks, where it is somebody who could be the second of two: what the first said is not there for them.
    `about` names somebody: in whose name it is done, or who decided it. Filtering by state is by the state that is written; what has expired since says so all the same.
    """
    found = Confirmation.objects.filter(tenant_id=tenant)
    if person is not None:
        voted = Vote.objects.filter(tenant_id=tenant, voter=person.voter).values("confirmation_id")
        found = found.filter(Q(id__in=voted) | Q(decided_by=person.voter) | Q(acting_user__in=person.end_users))
    if states:
        # Who must not know that one of two has agreed must not find out by asking for what waits for the second.
        asked = {*states, State.PENDING} if State.HALF in states else {*states}
        asked |= {State.HALF} if State.PENDING in states else set()
        found = found.filter(state__in=asked)
    if agent:
        found = found.filter(agent=agent)
    if tool:
        found = found.filter(tool=tool)
    if tier is not None:
        found = found.filter(tier=tier)
    if about:
        found = found.filter(Q(acting_user=about) | _said_by(tenant, about))
    if after is not None:
        found = found.filter(Q(requested_at__lt=after.at) | Q(requested_at=after.at, id__lt=after.id))
    rows = list(found.order_by("-requested_at", "-id")[: limit + 1])
    shown_rows = _past(tenant, rows[:limit], viewer or person)
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(
        results=[past for past in shown_rows if not states or past.state in states or past.state is State.EXPIRED],
        next=Cursor(last.requested_at, last.id) if last else None,
    )


def _said_by(tenant: uuid.UUID, name: str) -> Q:
    """Not where one of two has spoken: who is to speak next must not find them out by their name."""
    votes = Vote.objects.filter(tenant_id=tenant, label__icontains=name).exclude(confirmation__state=State.HALF)
    return Q(id__in=votes.values("confirmation_id"))


def _past(tenant: uuid.UUID, rows: Sequence[Confirmation], viewer: Person | None) -> list[Past]:
    now, votes = clock.database_now(), _votes(tenant, rows)
    eligibility = Eligibility(tenant, viewer) if viewer else None
    return [_line(row, votes.get(row.id, []), eligibility, now) for row in rows]


def _votes(tenant: uuid.UUID, rows: Sequence[Confirmation]) -> dict[uuid.UUID, list[Vote]]:
    found: dict[uuid.UUID, list[Vote]] = {}
    votes = Vote.objects.filter(tenant_id=tenant, confirmation__in=[row.id for row in rows])
    for vote in votes.order_by("at", "id"):
        found.setdefault(vote.confirmation_id, []).append(vote)
    return found


def _line(row: Confirmation, votes: Sequence[Vote], eligibility: Eligibility | None, now: datetime) -> Past:
    state, viewer = state_at(State(row.state), row.expires_at, now), eligibility.person if eligibility else None
    mine = next((vote for vote in votes if viewer and vote.voter == viewer.voter), None)
    if state is State.HALF and eligibility and mine is None and eligibility.may_decide(row):
        state, votes = State.PENDING, []  # the second of two is blind for the first
    return Past(
        id=row.id,
        state=state,
        tier=row.tier,
        agent=row.agent,
        acting_user=row.acting_user,
        tool=row.tool,
        headline=headline(row),
        requested_at=row.requested_at,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        ended_at=row.ended_at,
        reason=row.reason,
        people=tuple(vote.label for vote in votes),
        mine=Choice(mine.choice) if mine else None,
        has_page=eligibility is None
        or mine is not None
        or is_known_to(eligibility.person, row, state)
        or eligibility.may_decide(row),
    )
