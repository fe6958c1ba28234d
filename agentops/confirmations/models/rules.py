"""What an organisation wants beyond what its tools say."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agentops.common.models import HasId, TenantOwned


class Rule(HasId, TenantOwned):
    """For all calls (agent and tool empty), those of an agent, of a tool, or of a tool by an agent. None: says nothing."""

    agent = models.TextField(blank=True)
    tool = models.TextField(blank=True)
    tier_floor = models.SmallIntegerField(null=True)  # the highest of all that fit holds
    amount_threshold = models.DecimalField(max_digits=30, decimal_places=6, null=True)  # the lowest; as the tool counts
    delay_seconds = models.IntegerField(null=True)  # of tier 4; the longest
    may_stand_at_tier_3 = models.BooleanField(null=True)  # the most exact one that says something
    changed_at = models.DateTimeField()
    changed_by = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "agent", "tool"], name="confirmation_rule_once"),
            models.CheckConstraint(
                name="confirmation_rule_tier", condition=Q(tier_floor__isnull=True) | Q(tier_floor__in=[2, 3, 4])
            ),
            models.CheckConstraint(
                name="confirmation_rule_delay",
                condition=Q(delay_seconds__isnull=True) | Q(delay_seconds__gte=60, delay_seconds__lte=43_200),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent or 'every agent'}, {self.tool or 'every tool'}"


class Payment(TenantOwned):
    """A call of a tool that declares payee and amount: what "a new payee" and "today's sum" are told from."""

    pk = models.CompositePrimaryKey("tenant_id", "run_id", "call_id")
    run_id = models.UUIDField()
    call_id = models.TextField()
    tool = models.TextField()
    acting_user = models.TextField()
    payee = models.BinaryField()  # SHA-256 of the payee as it stands in the arguments
    amount = models.DecimalField(max_digits=40, decimal_places=6)
    at = models.DateTimeField()
    was_paid = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["tenant_id", "tool", "payee", "at"], name="payment_to", condition=Q(was_paid=True)),
            models.Index(fields=["tenant_id", "acting_user", "tool", "at"], name="payment_by"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} by {self.acting_user}"
