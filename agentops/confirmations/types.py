"""Words of confirmations."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models

DELAY_SECONDS = 900  # tier 4, unless a rule says otherwise
REDEEM_MOST = timedelta(minutes=10)  # what is left at least to redeem what was released after its delay
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
OVER = (State.EXECUTED, State.FAILED, State.OUTCOME_UNKNOWN)  # it ran, or may have


class Choice(models.TextChoices):
    """What a person says."""

    APPROVE = "approve", "Approved"
    REFUSE = "refuse", "Refused"
    EDIT = "edit", "Edited"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFacts:
    """What the tool's definition says of a call: kept with the confirmation, so that the page can be drawn again.

    Pointers are RFC 6901, relative to the arguments, and empty where the manifest declares none.
    """

    description: str = ""
    effect: str = ""
    reversal: str = ""
    recipe: str = ""
    reversible_seconds: int | None = None
    resource: str = ""
    payee: str = ""
    amount: str = ""
    phrase: str = ""
    cosmetic: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """How sure we are of who decides, as the web session tells. `reauthenticated_at` by password or passkey."""

    reauthenticated_at: datetime | None = None
    used_mfa_at: datetime | None = None
    session: str = ""  # SHA-256 of the session key, hex; never the key


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who decides. `voter` is `user:<pk>`, or `end_user:<external id>` for people without an account here."""

    voter: str
    label: str
    user_id: int | None = None
    end_users: tuple[str, ...] = ()  # the end users of the organisation that this person is


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
    """What a confirmation is bound to. `is_due`: its delay is over, and it has not been released yet."""

    tool: str
    tool_version_id: uuid.UUID
    tier: int
    arguments: bytes
    is_tainted: bool
    resource: str
    resource_version: str
    is_due: bool


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
    facts: ToolFacts = ToolFacts()
    is_tainted: bool = False
    resource_version: str = ""
    current: str = ""  # JSON: the resource as it is now, as the tool gives it
    root_user: str = ""  # whom the run's root was started for, where that is not the acting user
    delay_seconds: int = DELAY_SECONDS  # tier 4 only


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A one-time link, just made: its text is nowhere else."""

    text: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What a one-time link leads to: one confirmation, for one end user."""

    confirmation_id: uuid.UUID
    user: str
    is_open: bool  # its one browser is known; before that there is only a button


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one person said of a confirmation, and what they looked at."""

    voter: str
    user_id: int | None
    label: str
    choice: Choice
    stage: int
    action_digest: bytes
    view_digest: bytes
    renderer: int
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One confirmation, as far as a person may know of it.

    Where it waits for the second of two people, who has not voted sees nothing of the first: `state` is pending then, and
    `said` is empty. `now` is the database's clock; `may_decide` and `may_stop` are the person's, at that time.
    """

    id: uuid.UUID
    state: State
    tier: int
    agent: str
    agent_version: str
    acting_user: str
    tool: str
    tool_version: str
    tool_version_id: uuid.UUID
    run_id: uuid.UUID
    call_id: str
    raised_because: tuple[str, ...]
    says: str
    arguments: bytes
    binding: bytes
    action_digest: bytes
    facts: ToolFacts
    is_tainted: bool
    resource: str
    resource_version: str
    current: str
    eligible: tuple[int, ...]
    delay_seconds: int
    supersedes_id: uuid.UUID | None
    superseded_by: uuid.UUID | None
    edited_by: int | None
    standing_id: uuid.UUID | None
    requested_at: datetime
    expires_at: datetime
    cooling_until: datetime | None
    decided_at: datetime | None
    decided_by: str
    reason: str
    redeemed_at: datetime | None
    permit_jti: str
    ended_at: datetime | None
    executed_digest: bytes | None
    said: tuple[Said, ...]
    now: datetime
    may_decide: bool = False
    may_stop: bool = False
    has_voted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Something that a person can decide or stop now. `headline` is the renderer's: what will happen, in words."""

    id: uuid.UUID
    state: State
    tier: int
    agent: str
    acting_user: str
    tool: str
    headline: str
    requested_at: datetime
    expires_at: datetime
    cooling_until: datetime | None
    may_decide: bool
    may_stop: bool
    has_voted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One confirmation in a list of what was asked.

    `people` are those who said something, as they were called then; `mine` is what the one who looks said.
    """

    id: uuid.UUID
    state: State
    tier: int
    agent: str
    acting_user: str
    tool: str
    headline: str
    requested_at: datetime
    decided_at: datetime | None
    decided_by: str
    ended_at: datetime | None
    reason: str
    people: tuple[str, ...] = ()
    mine: Choice | None = None
    has_page: bool = True  # of their own history; what others have still to decide has none
