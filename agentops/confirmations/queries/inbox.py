"""What waits for a person."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from agentops.confirmations.models import Confirmation, Vote
from agentops.confirmations.queries.detail import headline
from agentops.confirmations.queries.eligibility import Eligibility, may_stop_all
from agentops.confirmations.types import OPEN, Person, State, Waiting

MOST = 200


def inbox(*, tenant: uuid.UUID, person: Person, at: datetime) -> list[Waiting]:
    """All that this person can decide or stop now; what ends first comes first. At most `MOST`."""
    return [_waiting(found) for found in _found(tenant, person, at)]


def waiting_count(*, tenant: uuid.UUID, person: Person, at: datetime) -> int:
    """How many of them this person can decide: what they have agreed to already does not count."""
    return sum(found.may_decide for found in _found(tenant, person, at))


@dataclass(frozen=True, slots=True)
class _Found:
    row: Confirmation
    may_decide: bool
    may_stop: bool
    has_voted: bool


def _found(tenant: uuid.UUID, person: Person, at: datetime) -> list[_Found]:
    """What the person can decide or stop."""
    stops_all, eligibility = may_stop_all(tenant, person), Eligibility(tenant, person)
    rows = _rows(tenant, person, at, stops_all)
    votes = Vote.objects.filter(tenant_id=tenant, confirmation__in=[row.id for row in rows], voter=person.voter)
    voted = set(votes.values_list("confirmation_id", flat=True))
    found = []
    for row in rows:
        is_eligible = eligibility.may_decide(row)
        can_decide = is_eligible and row.state != State.COOLING and row.id not in voted
        can_stop = is_eligible or (stops_all and row.state == State.COOLING)
        if can_decide or can_stop:
            found.append(_Found(row, can_decide, can_stop, row.id in voted))
    return found


def _rows(tenant: uuid.UUID, person: Person, at: datetime, stops_all: bool) -> list[Confirmation]:
    mine = Q(eligible__contains=[person.user_id])
    found = Confirmation.objects.filter(tenant_id=tenant, state__in=OPEN, expires_at__gt=at)
    found = found.filter(mine | Q(state=State.COOLING) if stops_all else mine)
    return list(found.order_by("expires_at", "id")[:MOST])


def _waiting(found: _Found) -> Waiting:
    row = found.row
    is_blind = row.state == State.HALF and not found.has_voted
    return Waiting(
        id=row.id,
        state=State.PENDING if is_blind else State(row.state),
        tier=row.tier,
        agent=row.agent,
        acting_user=row.acting_user,
        tool=row.tool,
        headline=headline(row),
        requested_at=row.requested_at,
        expires_at=row.expires_at,
        cooling_until=row.cooling_until,
        may_decide=found.may_decide,
        may_stop=found.may_stop,
        has_voted=found.has_voted,
    )
