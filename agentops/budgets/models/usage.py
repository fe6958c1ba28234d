"""Sums of the ledger, so that pages never scan it: by hour, by day, and by what became of the runs."""

from __future__ import annotations

from django.db import models

from agentops.common.models import TenantOwned


class Sums(TenantOwned):
    """What model calls of one agent for one user with one model add up to."""

    agent = models.TextField(blank=True)
    user_id = models.TextField(blank=True)
    provider = models.TextField(blank=True)
    model = models.TextField(blank=True)
    calls = models.BigIntegerField()
    unpriced_calls = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    cache_read_tokens = models.BigIntegerField()
    cache_write_tokens = models.BigIntegerField()
    reasoning_tokens = models.BigIntegerField()
    amount_nano_usd = models.BigIntegerField()
    saved_nano_usd = models.BigIntegerField(default=0, db_default=0)  # by the provider's cache and by stored answers
    guarded_nano_usd = models.BigIntegerField(default=0, db_default=0)  # the part of the amount that was reserved first
    cached_answers = models.BigIntegerField(default=0, db_default=0)  # stored answers that served instead of a run

    class Meta:
        abstract = True


class UsageHour(Sums):
    """Sums of one hour by agent, user and model; equal to the ledger's rows at every commit.

    Hours begin where those of the organisation's clock do (`Calendar`): in Kolkata at half past, by UTC.
    """

    pk = models.CompositePrimaryKey("tenant_id", "hour", "agent", "user_id", "provider", "model")
    hour = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["tenant_id", "user_id", "hour"], name="usage_by_user")]

    def __str__(self) -> str:
        return f"{self.hour}: {self.amount_nano_usd} n$"


class UsageDay(Sums):
    """The same of one day of the organisation's calendar, for days that are folded: what pages of a year read."""

    pk = models.CompositePrimaryKey("tenant_id", "day", "agent", "user_id", "provider", "model")
    day = models.DateField()

    class Meta:
        indexes = [models.Index(fields=["tenant_id", "user_id", "day"], name="usage_day_by_user")]

    def __str__(self) -> str:
        return f"{self.day}: {self.amount_nano_usd} n$"


class FoldedDay(TenantOwned):
    """A day whose hours were added up in `UsageDay`; from then on, a charge to it adds to both."""

    pk = models.CompositePrimaryKey("tenant_id", "day")
    day = models.DateField()

    def __str__(self) -> str:
        return f"{self.day}"


class SpendDay(TenantOwned):
    """What a day's spend was for: by what became of the run, and by the tools that it used. Added up anew by a sweep.

    Each run's spend is divided over its tools in equal parts (what does not divide goes to the first), so the rows of a
    day add up to the ledger of when they were added up. A run stands in `runs` once, on the day it began, in the row of
    its first tool.
    """

    pk = models.CompositePrimaryKey("tenant_id", "day", "agent", "outcome", "tool")
    day = models.DateField()
    agent = models.TextField(blank=True)
    outcome = models.TextField()  # running, ok, error, refused, aborted
    tool = models.TextField(blank=True)  # "": the run used none
    runs = models.BigIntegerField()
    amount_nano_usd = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.day} {self.agent} {self.outcome} {self.tool}"


class OutcomeDay(TenantOwned):
    """`SpendDay` without the tools: what pages over all organisations read."""

    pk = models.CompositePrimaryKey("tenant_id", "day", "agent", "outcome")
    day = models.DateField()
    agent = models.TextField(blank=True)
    outcome = models.TextField()
    runs = models.BigIntegerField()
    amount_nano_usd = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.day} {self.agent} {self.outcome}"


class OutcomeMonth(TenantOwned):
    """What a month's rows of `OutcomeDay` add up to, written with each of them."""

    pk = models.CompositePrimaryKey("tenant_id", "month", "agent", "outcome")
    month = models.DateField()  # its first day
    agent = models.TextField(blank=True)
    outcome = models.TextField()
    runs = models.BigIntegerField()
    amount_nano_usd = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["month"], name="outcome_month_by_month")]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.agent} {self.outcome}"


class StaleDay(TenantOwned):
    """A day whose `SpendDay` rows are not those of the ledger, or of how its runs ended, any more."""

    pk = models.CompositePrimaryKey("tenant_id", "day")
    day = models.DateField()

    def __str__(self) -> str:
        return f"{self.day}"


class SpendMinute(TenantOwned):
    """What one agent's calls of one minute cost, for the detectors of spikes; kept for some hours."""

    pk = models.CompositePrimaryKey("tenant_id", "minute", "agent")
    minute = models.DateTimeField()
    agent = models.TextField(blank=True)
    calls = models.BigIntegerField()
    amount_nano_usd = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.minute}: {self.amount_nano_usd} n$"
