"""What is watched beyond one budget: spikes, baselines, plans, and spend against revenue."""

from __future__ import annotations

from django.db import models

from agentops.budgets.models.usage import Sums
from agentops.common.models import HasId, TenantOwned


class _Found(HasId):
    """Something about money that somebody should look at. Incidents reads them and makes alerts.

    One is open per kind and fingerprint (what it is about, such as an agent); seen again, it says so.
    """

    kind = models.CharField(max_length=40)
    fingerprint = models.CharField(max_length=200, blank=True)
    detail = models.TextField()
    data = models.JSONField(default=dict)  # the figures it was found by, as text or integers of nano-dollars
    found_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


class Finding(_Found, TenantOwned):
    """Of one organisation."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "kind", "fingerprint"],
                name="budgets_finding_open",
                condition=models.Q(ended_at__isnull=True),
            )
        ]
        indexes = [models.Index(fields=["tenant_id", "-found_at"], name="budgets_finding_newest")]


class ProductFinding(_Found):
    """Of the whole product."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "fingerprint"],
                name="budgets_product_finding_open",
                condition=models.Q(ended_at__isnull=True),
            )
        ]


class ProductPlan(HasId):
    """What the whole product is planned to spend in a week, from a Monday (UTC) on until the next plan."""

    starts_on = models.DateField(unique=True)
    weekly_nano_usd = models.BigIntegerField()
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=200)

    def __str__(self) -> str:
        return f"from {self.starts_on}: {self.weekly_nano_usd} n$ a week"


class Revenue(HasId, TenantOwned):
    """What an organisation paid for agent features in a month. A source (an invoice system) says it once; the last holds."""

    month = models.DateField()  # its first day
    source = models.CharField(max_length=100, blank=True)
    amount_nano_usd = models.BigIntegerField()
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "month", "source"], name="revenue_once"),
            models.CheckConstraint(name="revenue_month", condition=models.Q(month__day=1)),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}: {self.amount_nano_usd} n$"


class AgentDay(Sums):
    """A folded day of an organisation by agent and model, over all users: what pages over all organisations read.

    A charge to the day takes its rows away (services/agent_days.py), so what is here is exact.
    """

    pk = models.CompositePrimaryKey("tenant_id", "day", "agent", "provider", "model")
    user_id = None  # type: ignore[assignment]  # over all users
    day = models.DateField()

    class Meta:
        indexes = [models.Index(fields=["day"], name="agent_day_by_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.agent}: {self.amount_nano_usd} n$"


class AgentMonth(Sums):
    """What a month's rows of `AgentDay` add up to: adding up a day adds to it, taking one away takes from it."""

    pk = models.CompositePrimaryKey("tenant_id", "month", "agent", "provider", "model")
    user_id = None  # type: ignore[assignment]  # over all users
    month = models.DateField()  # its first day

    class Meta:
        indexes = [models.Index(fields=["month"], name="agent_month_by_month")]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.agent}: {self.amount_nano_usd} n$"


class AgentMonthDone(Sums):
    """What a month's rows of `AgentDayDone` add up to, and how many they are: with all of its days, nobody has to look for
    those that are read by their hours."""

    pk = models.CompositePrimaryKey("tenant_id", "month")
    agent = user_id = provider = model = None  # type: ignore[assignment]  # over all of them
    month = models.DateField()  # its first day
    days = models.SmallIntegerField()

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}: {self.days}"


class AgentDayDone(Sums):
    """A day that stands in `AgentDay`, and what its rows add up to; other days are read by their hours."""

    pk = models.CompositePrimaryKey("tenant_id", "day")
    agent = user_id = provider = model = None  # type: ignore[assignment]  # over all of them
    day = models.DateField()

    class Meta:
        indexes = [models.Index(fields=["day"], name="agent_day_done_by_day")]

    def __str__(self) -> str:
        return f"{self.day}"
