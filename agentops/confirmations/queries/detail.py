"""One confirmation, as people see it."""

from __future__ import annotations

import uuid
from typing import Any

from agentops.common import clock
from agentops.confirmations import rendering
from agentops.confirmations.errors import NotEligible
from agentops.confirmations.models import Confirmation, Vote
from agentops.confirmations.queries.asking import state_at
from agentops.confirmations.queries.eligibility import is_known_to, may_decide, may_stop
from agentops.confirmations.types import OPEN, Choice, Detail, Person, Said, State, ToolFacts


def detail(
    *, tenant: uuid.UUID, confirmation: uuid.UUID, person: Person | None = None, may_read: bool = False
) -> Detail:
    """What there is to know of one confirmation; as far as `person` may know it, where one is named.

    Raises NotEligible (404) where there is none, and for a person who neither can decide it, nor has, nor can stop it;
    once it is decided or lapsed, the person in whose name it was to be done may know of it too (`is_known_to`).
    With `may_read`, a person whose role reads all confirmations gets it too, and is blind where they could decide.
    """
    found = Confirmation.objects.filter(tenant_id=tenant, id=confirmation).first()
    if found is None:
        raise NotEligible
    votes = list(Vote.objects.filter(tenant_id=tenant, confirmation=confirmation).order_by("at", "id"))
    now = clock.database_now()
    state = state_at(State(found.state), found.expires_at, now)
    if person is None:
        return _detail(found, state, votes, now)
    has_voted = any(vote.voter == person.voter for vote in votes)
    can_decide = may_decide(found, person)
    can_stop = (can_decide and found.state in OPEN) or may_stop(found, person)
    if not (can_decide or can_stop or has_voted or may_read or is_known_to(person, found, state)):
        raise NotEligible
    if state is State.HALF and can_decide and not has_voted:
        state, votes = State.PENDING, []
    is_open = state in (State.PENDING, State.HALF)
    return _detail(
        found,
        state,
        votes,
        now,
        may_decide=can_decide and is_open and not has_voted,
        may_stop=can_stop and (is_open or state is State.COOLING),
        has_voted=has_voted,
    )


def view_of(detail: Detail) -> rendering.View:
    """All that a page says of it, from the stored bytes."""
    return rendering.render(
        binding=detail.binding, facts=detail.facts, raised_because=detail.raised_because, current=detail.current
    )


def shown(confirmation: Confirmation) -> rendering.View:
    """As `view_of`, from the row."""
    return rendering.render(
        binding=bytes(confirmation.binding),
        facts=facts_of(confirmation),
        raised_because=confirmation.raised_because,
        current=confirmation.current,
    )


def headline(confirmation: Confirmation) -> str:
    """What would happen, to whom and how much, in words: for lists."""
    return rendering.headline(binding=bytes(confirmation.binding), facts=facts_of(confirmation))


def facts_of(confirmation: Confirmation) -> ToolFacts:
    facts: dict[str, Any] = dict(confirmation.facts)
    return ToolFacts(**{**facts, "cosmetic": tuple(facts.get("cosmetic", ()))})


def _detail(found: Confirmation, state: State, votes: list[Vote], now: Any, **powers: bool) -> Detail:
    newer = Confirmation.objects.filter(tenant_id=found.tenant_id, supersedes_id=found.id)
    return Detail(
        id=found.id,
        state=state,
        tier=found.tier,
        agent=found.agent,
        agent_version=found.agent_version,
        acting_user=found.acting_user,
        tool=found.tool,
        tool_version=found.tool_version,
        tool_version_id=found.tool_version_id,
        run_id=found.run_id,
        call_id=found.call_id,
        raised_because=tuple(found.raised_because),
        says=found.says,
        arguments=bytes(found.arguments),
        binding=bytes(found.binding),
        action_digest=bytes(found.action_digest),
        facts=facts_of(found),
        is_tainted=found.is_tainted,
        resource=found.resource,
        resource_version=found.resource_version,
        current=found.current,
        eligible=tuple(found.eligible),
        delay_seconds=found.delay_seconds,
        supersedes_id=found.supersedes_id,
        superseded_by=newer.values_list("id", flat=True).first() if state is State.EDITED else None,
        edited_by=found.edited_by,
        standing_id=found.standing_id,
        requested_at=found.requested_at,
        expires_at=found.expires_at,
        cooling_until=found.cooling_until,
        decided_at=found.decided_at,
        decided_by=found.decided_by,
        reason=found.reason,
        redeemed_at=found.redeemed_at,
        permit_jti=found.permit_jti,
        ended_at=found.ended_at,
        executed_digest=bytes(found.executed_digest) if found.executed_digest is not None else None,
        said=tuple(_said(vote) for vote in votes),
        now=now,
        **powers,
    )


def _said(vote: Vote) -> Said:
    return Said(
        voter=vote.voter,
        user_id=vote.user_id,
        label=vote.label,
        choice=Choice(vote.choice),
        stage=vote.stage,
        action_digest=bytes(vote.action_digest),
        view_digest=bytes(vote.view_digest),
        renderer=vote.renderer,
        reason=vote.reason,
        at=vote.at,
    )
