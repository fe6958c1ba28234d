"""What an organisation, a user or an agent may spend in a period."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from agentops.budgets.types import Action, Because, Period, Scope
from agentops.common.models import HasId, TenantOwned


class Budget(HasId, TenantOwned):
    """One limit. `scope_id` "" is the organisation itself, or each user or agent that has no budget of its own."""

    scope = models.CharField(max_length=8, choices=Scope.choices, default=Scope.TENANT)
    scope_id = models.CharField(max_length=200, blank=True)
    period = models.CharField(max_length=8, choices=Period.choices)
    limit_nano_usd = models.BigIntegerField()
    ceiling_nano_usd = models.BigIntegerField()
    thresholds = ArrayField(models.IntegerField(), default=list)  # percent of the limit
    action = models.CharField(max_length=12, choices=Action.choices)
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=200)
    is_plan_default = models.BooleanField(default=False, db_default=False)  # follows the plan until somebody sets it

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "scope", "scope_id", "period"], name="budget_once"),
            models.CheckConstraint(
                name="budget_amounts", condition=Q(limit_nano_usd__gte=0, ceiling_nano_usd__gte=F("limit_nano_usd"))
            ),
            models.CheckConstraint(name="budget_tenant_is_one", condition=~Q(scope="tenant") | Q(scope_id="")),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.scope_id} {self.period}"


class Counter(HasId, TenantOwned):
    """What was charged to one budget of one subject in one period, and the row that those who want of it wait for.

    `charged_nano_usd` + what open slices have spent = the ledger's entries of the subject in the period, at every commit
    since the counter `is_based`. Before, it only counts on from where the budget was set.
    """

    budget_id = models.UUIDField()
    subject = models.TextField(blank=True)  # the user or agent; "" for the organisation
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    charged_nano_usd = models.BigIntegerField(default=0)
    is_based = models.BooleanField(default=False)
    next_notice_nano_usd = models.BigIntegerField(null=True)  # spend at which the next threshold is crossed, if any

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "budget_id", "subject", "period_start"], name="budget_counter_once"
            ),
        ]
        indexes = [models.Index(fields=["period_end"], name="budget_counter_new", condition=Q(is_based=False))]

    def __str__(self) -> str:
        return f"{self.subject} {self.period_start:%Y-%m-%d}: {self.charged_nano_usd} n$"


class Notice(HasId, TenantOwned):
    """A threshold of a budget was crossed: once in a period for each limit it had. Incidents reads them, too."""

    budget_id = models.UUIDField()
    scope = models.CharField(max_length=8, choices=Scope.choices)
    subject = models.TextField(blank=True)
    period = models.CharField(max_length=8, choices=Period.choices)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    percent = models.IntegerField()
    limit_nano_usd = models.BigIntegerField()
    used_nano_usd = models.BigIntegerField()  # charged and spent by then
    because = models.CharField(max_length=8, choices=Because.choices)
    crossed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "budget_id", "subject", "period_start", "limit_nano_usd", "percent"],
                name="budget_notice_once",
            ),
        ]
        indexes = [models.Index(fields=["tenant_id", "-crossed_at", "-id"], name="budget_notice_newest")]

    def __str__(self) -> str:
        return f"{self.percent} % of {self.scope} {self.subject}"


class Calendar(TenantOwned):
    """The clock by which an organisation's hours, days, weeks and months begin. Absent: UTC.

    It is the organisation's setting, kept here because it changes only under the lock of its budgets.
    """

    tenant_id = models.UUIDField(primary_key=True)
    time_zone = models.CharField(max_length=64)
    set_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.time_zone
