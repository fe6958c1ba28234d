"""What people were asked, and what became of it."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db.models import Q

from agentops.common import clock
from agentops.common.cursors import Cursor
from agentops.confirmations.models import Confirmation, Vote
from agentops.confirmations.queries.asking import state_at
from agentops.confirmations.queries.detail import shown
from agentops.confirmations.queries.eligibility import may_decide
from agentops.confirmations.types import Past, Person, State


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
    after: Cursor | None = None,
    limit: int = 50,
) -> Page:
    """Confirmations of the organisation, or those that `person` decided, stopped or was acted for.

    `viewer` is who looks, where it is somebody who could be the second of two: what the first said is not there for them.
    Filtering by state is by the state that is written; what has expired since says so all the same.
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
    if after is not None:
        found = found.filter(Q(requested_at__lt=after.at) | Q(requested_at=after.at, id__lt=after.id))
    rows = list(found.order_by("-requested_at", "-id")[: limit + 1])
    shown_rows = _past(tenant, rows[:limit], viewer or person)
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(
        results=[past for past in shown_rows if not states or past.state in states or past.state is State.EXPIRED],
        next=Cursor(last.requested_at, last.id) if last else None,
    )


def _past(tenant: uuid.UUID, rows: Sequence[Confirmation], viewer: Person | None) -> list[Past]:
    now = clock.database_now()
    voted: set[uuid.UUID] = set()
    if viewer is not None:
        votes = Vote.objects.filter(tenant_id=tenant, confirmation__in=[row.id for row in rows], voter=viewer.voter)
        voted = set(votes.values_list("confirmation_id", flat=True))
    return [
        Past(
            id=row.id,
            state=_seen(row, state_at(State(row.state), row.expires_at, now), viewer, row.id in voted),
            tier=row.tier,
            agent=row.agent,
            acting_user=row.acting_user,
            tool=row.tool,
            headline=shown(row).headline,
            requested_at=row.requested_at,
            decided_at=row.decided_at,
            decided_by=row.decided_by,
            ended_at=row.ended_at,
            reason=row.reason,
        )
        for row in rows
    ]


def _seen(row: Confirmation, state: State, viewer: Person | None, has_voted: bool) -> State:
    """The second of two is blind for the first."""
    is_blind = state is State.HALF and viewer is not None and not has_voted and may_decide(row, viewer)
    return State.PENDING if is_blind else state
