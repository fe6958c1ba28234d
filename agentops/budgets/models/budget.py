"""What an organisation, a user or an agent may spend in a period."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from agentops.budgets.types import Action, Period, Scope
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

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "budget_id", "subject", "period_start"], name="budget_counter_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.period_start:%Y-%m-%d}: {self.charged_nano_usd} n$"
