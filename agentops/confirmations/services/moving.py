"""From one state to another: one conditional UPDATE of what the table of states allows, and its entry in the audit log."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from django.db import connection
from psycopg import sql

from agentops.confirmations import states
from agentops.confirmations.states import Who
from agentops.confirmations.types import Person, State
from audit import services as audit
from audit.registry import ACTIONS
from audit.types import Actor, Outcome, Target

# The rows are locked first, and looked at again after a wait for them: whoever came before has brought them elsewhere.
_MOVE = sql.SQL(
    """
WITH held AS (
    SELECT id, state FROM confirmations_confirmation
    WHERE tenant_id = %(tenant)s AND state = ANY(%(origins)s) AND {which}
    ORDER BY id FOR UPDATE {others}
)
UPDATE confirmations_confirmation c SET state = %(target)s{sets} FROM held
WHERE c.tenant_id = %(tenant)s AND c.id = held.id
RETURNING c.id, held.state, c.run_id, c.agent, c.acting_user, c.tool, c.tier, c.arguments, c.action_digest,
    c.delay_seconds, c.binding
"""
)
_OUTCOMES = {
    State.HALF: Outcome.PENDING,
    State.COOLING: Outcome.PENDING,
    State.REFUSED: Outcome.DENIED,
    State.CANCELLED: Outcome.DENIED,
    State.EXPIRED: Outcome.FAILURE,
    State.INVALIDATED: Outcome.FAILURE,
    State.FAILED: Outcome.FAILURE,
    State.OUTCOME_UNKNOWN: Outcome.UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A confirmation that has just changed its state."""

    id: uuid.UUID
    origin: State
    run_id: uuid.UUID
    agent: str
    acting_user: str
    tool: str
    tier: int
    arguments: bytes
    action_digest: bytes
    delay_seconds: int
    binding: bytes


def move(
    *,
    tenant: uuid.UUID,
    to: State,
    who: Who,
    which: LiteralString,
    params: Mapping[str, Any],
    sets: LiteralString = "",
    by: Actor | None = None,
    at: datetime,
    told: Mapping[str, Any] | None = None,
    reason: str = "",
    waits: bool = True,
) -> list[Moved]:
    """Bring all that fit `which` to a state, each with its entry; by their agent where `by` says nobody else.

    `told` is what the entry says beyond what the row knows. Without `waits`, rows that others hold are left to them.
    """
    moved = change(tenant=tenant, to=to, who=who, which=which, params=params, sets=sets, waits=waits)
    entries = [_entry(each, to, who, by or agent_of(each), at, told or {}, reason) for each in moved]
    audit.record_many(tenant=tenant, entries=entries)
    return moved


def change(
    *,
    tenant: uuid.UUID,
    to: State,
    who: Who,
    which: LiteralString,
    params: Mapping[str, Any],
    sets: LiteralString = "",
    waits: bool = True,
) -> list[Moved]:
    """As `move`, where the caller leaves the entry in the same transaction."""
    statement = _MOVE.format(
        which=sql.SQL(which), sets=sql.SQL(f", {sets}" if sets else ""), others=sql.SQL("" if waits else "SKIP LOCKED")
    )
    origins = [state.value for state in states.origins(to, who)]
    with connection.cursor() as cursor:
        cursor.execute(statement, {**params, "tenant": tenant, "origins": origins, "target": to.value})
        rows = cursor.fetchall()
    return [
        Moved(
            id=row[0],
            origin=State(row[1]),
            run_id=row[2],
            agent=row[3],
            acting_user=row[4],
            tool=row[5],
            tier=row[6],
            arguments=bytes(row[7]),
            action_digest=bytes(row[8]),
            delay_seconds=row[9],
            binding=bytes(row[10]),
        )
        for row in rows
    ]


def actor_of(person: Person) -> Actor:
    return Actor(type="user", id=person.voter, label=person.label)


def agent_of(moved: Moved) -> Actor:
    return Actor(type="agent", id=f"agent:{moved.agent}", label=moved.agent)


def _entry(
    moved: Moved, to: State, who: Who, by: Actor, at: datetime, told: Mapping[str, Any], reason: str
) -> audit.NewEntry:
    arrow = states.may_become(moved.origin, to, who)
    assert arrow is not None, "the UPDATE asked for the origins of the table"
    known: dict[str, Any] = {
        "tool": moved.tool,
        "action_digest": moved.action_digest.hex(),
        "delay_seconds": moved.delay_seconds,
        "from": moved.origin.value,
        **told,
    }
    return audit.NewEntry(
        action=arrow.event,
        actor=by,
        target=Target(type="confirmation", id=str(moved.id)),
        outcome=_OUTCOMES.get(to, Outcome.SUCCESS),
        data={name: known[name] for name in ACTIONS[arrow.event].fields},
        at=at,
        run=moved.run_id,
        on_behalf_of=moved.acting_user,
        reason=reason[:500],
    )
