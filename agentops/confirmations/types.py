"""Words of confirmations."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models

LIFETIME = {2: timedelta(minutes=10), 3: timedelta(hours=1), 4: timedelta(hours=24)}


class Tier(models.IntegerChoices):
    """What a person's agreement takes (CONFIRMATIONS.md); tier 1 asks nobody."""

    ONE_LOOK = 2, "Do it, edit or cancel"
    FULL_DISCLOSURE = 3, "Full disclosure and a typed phrase"
    TWO_PEOPLE = 4, "Two people, and a delay"


class State(models.TextChoices):
    PENDING = "pending", "Waiting"
    HALF = "half", "Waiting for the second person"
    COOLING = "cooling", "Cooling down"
    APPROVED = "approved", "Approved"
    EDITED = "edited", "Edited"
    REFUSED = "refused", "Refused"
    CANCELLED = "cancelled", "Cancelled"
    EXPIRED = "expired", "Expired"
    INVALIDATED = "invalidated", "Invalidated"
    EXECUTING = "executing", "Executing"
    EXECUTED = "executed", "Executed"
    FAILED = "failed", "Failed"
    OUTCOME_UNKNOWN = "outcome_unknown", "Outcome unknown"


OPEN = (State.PENDING, State.HALF, State.COOLING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A confirmation as the guard and the agent see it."""

    id: uuid.UUID
    state: State
    tier: int
    expires_at: datetime
    run_id: uuid.UUID
    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a confirmation is bound to."""

    tool_version_id: uuid.UUID
    tier: int
    arguments: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeemed:
    """What may run now: the stored bytes, and the digest of what was agreed to."""

    id: uuid.UUID
    arguments: bytes
    action_digest: bytes
    tier: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What is asked for."""

    run_id: uuid.UUID
    call_id: str
    agent: str
    agent_version: str
    acting_user: str
    tool: str
    tool_version: str
    tool_version_id: uuid.UUID
    schema_digest: str
    resource: str
    arguments: bytes
    likeness: bytes
    policy_version: int
    says: str
