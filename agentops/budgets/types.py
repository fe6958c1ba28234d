"""Words of money: budgets, holds, the ledger."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import models

from agentops.common.partitions import Partitioned

GUARD_SPAN = 0  # stands in a charge of the guard, and in its corrections: no span has the id 0
HOLDS_KEPT = timedelta(days=92)  # as long as the guard keeps its calls
# What the roll-ups add up, in the order of their columns.
SUMS = (
    "calls", "unpriced_calls", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "reasoning_tokens", "amount_nano_usd", "saved_nano_usd", "guarded_nano_usd", "cached_answers",
)  # fmt: skip
MINUTES_KEPT = timedelta(hours=12)  # of SpendMinute
# Kinds of findings.
MINUTE_SPIKE = "minute_spike"  # a minute far above the hour before it, of an agent or of the whole product
DAY_ABOVE, WEEK_ABOVE = "day_above_baseline", "week_above_plan"  # of the whole product
PLAN_NEAR, PLAN_FORECAST = "plan_near", "plan_forecast"  # an organisation is about to outgrow its plan
LEDGER_PARTITIONS = Partitioned(table="budgets_ledgerentry", every="month", ahead=2, back=4)


class EntryKind(models.IntegerChoices):
    CHARGE = 1, "Charge"  # a model call that was observed
    CORRECTION = 2, "Correction"  # takes back what an earlier entry charged, for a stated reason
    GUARDED = 3, "Guarded call"  # a model call that was reserved first; its `span_id` is GUARD_SPAN
    CACHED = 4, "Stored answer"  # a stored answer served instead of a run: no cost, and what was saved


@dataclass(slots=True, kw_only=True)
class Charge:
    """One model call to be charged (or, with negative counts, taken back). Tokens as in `traces.types.Span`.

    `amount_nano_usd` is None for a model without a price: such a call is loud, never free.
    """

    kind: EntryKind
    occurred_at: datetime
    run_id: uuid.UUID
    span_id: int
    call_id: str
    agent: str
    user_id: str
    model: str
    provider: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    amount_nano_usd: int | None
    price_version: str
    reason: str = ""
    saved_nano_usd: int = 0  # by caches; negative where writing one cost more than it saved

    @property
    def sign(self) -> int:
        """How the number of calls changes: a correction takes one back, a stored answer is none."""
        return {EntryKind.CORRECTION: -1, EntryKind.CACHED: 0}.get(self.kind, 1)

    @property
    def guarded_nano_usd(self) -> int:
        """The part of the amount that was reserved first."""
        return (self.amount_nano_usd or 0) if self.span_id == GUARD_SPAN else 0


class Scope(models.TextChoices):
    """Whose budget it is."""

    TENANT = "tenant", "Organisation"
    USER = "user", "End user"
    AGENT = "agent", "Agent"


class Period(models.TextChoices):
    DAY = "day", "Day"
    WEEK = "week", "Week"
    MONTH = "month", "Month"


class Action(models.TextChoices):
    """What happens when the limit is reached and the ceiling is not."""

    THROTTLE = "throttle", "One run at a time"
    DOWNGRADE = "downgrade", "The cheapest allowed model"
    BLOCK = "block", "No more calls"


class Because(models.TextChoices):
    """How a threshold came to be crossed."""

    SPENT = "spent", "Spent"
    REFUSED = "refused", "The next call did not fit"
    CHANGED = "changed", "The budget was changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one model call. Input includes cached tokens, output includes reasoning, as in `traces.types.Span`."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueLine:
    """What one organisation paid for agent features in a month, as one source says it."""

    month: date  # its first day
    source: str
    amount_nano_usd: int


@dataclass(frozen=True, slots=True)
class SpentOn:
    """The spend of one agent's runs that ended in one way, as far as one tool has part in it."""

    agent: str
    outcome: str  # running, ok, error, refused (or handed to a person), aborted
    tool: str
    runs: int
    amount_nano_usd: int


class HoldState(models.TextChoices):
    """A hold ends once: a late settlement may still correct `unknown`, nothing else moves."""

    HELD = "held", "Held"
    SETTLED = "settled", "Settled"
    RELEASED = "released", "Released"  # the call was not made: nothing is charged
    UNKNOWN = "unknown", "Unknown"  # nobody knows what it cost: charged at the hold


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetTerms:
    """What a budget says. A user's or agent's budget without `scope_id` holds for each one that has none of its own."""

    scope: Scope
    scope_id: str
    period: Period
    limit_nano_usd: int
    ceiling_nano_usd: int
    thresholds: tuple[int, ...]  # percent of the limit
    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """A budget as it stands now. `used_nano_usd` is None where it holds for each of many users or agents."""

    id: uuid.UUID
    terms: BudgetTerms
    set_at: datetime
    set_by: str
    is_plan_default: bool  # made from the plan; follows it until somebody sets it
    period_start: datetime
    resets_at: datetime
    used_nano_usd: int | None  # charged and held in the period


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A worst case that was taken out of every budget of a call. Its money comes back when the call is settled."""

    run: uuid.UUID
    call_id: str
    hold_nano_usd: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedCall:
    """What the guard knows of one model call of a run. `cost_nano_usd` is 0 while it is held."""

    state: HoldState
    hold_nano_usd: int
    cost_nano_usd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A hold that does not fit. `free_nano_usd` is what is left up to the limit or, with `is_ceiling`, the ceiling."""

    scope: Scope
    scope_id: str
    action: Action
    is_ceiling: bool
    free_nano_usd: int
    limit_nano_usd: int
    used_nano_usd: int  # charged and held in the period
    resets_at: datetime
    others: tuple[Refused, ...] = ()  # further limits that the hold would pass; none beside a ceiling


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How a hold ended. `state` is settled, released or unknown."""

    state: str
    cost_nano_usd: int
    hold_nano_usd: int
    debt_nano_usd: int  # by how much the cost passed the hold
    was_unknown: bool  # the sweep had charged it at the hold before


class RepricingState(models.TextChoices):
    """How far the pricing anew of a period is."""

    PLANNED = "planned", "Begins soon"
    RUNNING = "running", "Under way"
    DONE = "done", "Done"
    STOPPED = "stopped", "Stopped"  # what was priced anew by then stays so


REPRICING_OPEN = (RepricingState.PLANNED, RepricingState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallKey:
    """One model call in the ledger: its charge and all that was ever corrected in it. In this order calls are gone through."""

    occurred_at: datetime
    run_id: uuid.UUID
    span_id: int
    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargedCall:
    """What a call is charged now, after all corrections."""

    key: CallKey
    agent: str
    user_id: str
    model: str
    provider: str
    usage: Usage
    amount_nano_usd: int | None  # None: without a price
    saved_nano_usd: int
    price_version: str  # "" without a price, and where it was charged at its hold

    @property
    def is_guarded(self) -> bool:
        return self.key.span_id == GUARD_SPAN


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrice:
    """What a call is charged from now on."""

    call: ChargedCall
    amount_nano_usd: int | None
    saved_nano_usd: int
    price_version: str

    @property
    def dearer_nano_usd(self) -> int:
        """By how much; below 0: cheaper."""
        return (self.amount_nano_usd or 0) - (self.call.amount_nano_usd or 0)
