"""Agreement given beforehand, within limits."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from agentops.common.models import HasId, TenantOwned
from agentops.confirmations.types import Tier


class StandingApproval(HasId, TenantOwned):
    """One person lets one agent call one definition of one tool, in their own name, under constraints; for a while."""

    user_id = models.BigIntegerField()  # the person whose agreement it is
    acting_user = models.TextField()  # the end user that person is: calls in this name only
    agent = models.TextField()
    tool = models.TextField()
    tool_version_id = models.UUIDField()
    tier = models.SmallIntegerField(
        choices=Tier.choices
    )  # what calls of the tool took when it was made; a call that takes more asks
    constraints = models.JSONField()  # [{pointer, kind: equals|one_of|at_most, value}]; every other argument: any value
    uses_most = models.IntegerField()
    uses = models.IntegerField(default=0)
    sum_most = models.DecimalField(max_digits=30, decimal_places=6, null=True)  # of the amount the tool declares
    sum_used = models.DecimalField(max_digits=30, decimal_places=6, default=0)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)  # revoked by somebody, or void after a refusal
    ended_by = models.TextField(blank=True)
    end_reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="standing_tier", condition=Q(tier__in=[2, 3])),
            models.CheckConstraint(name="standing_uses", condition=Q(uses__gte=0) & Q(uses__lte=F("uses_most"))),
            models.CheckConstraint(
                name="standing_sum", condition=Q(sum_most__isnull=True) | Q(sum_used__lte=F("sum_most"))
            ),
            models.CheckConstraint(
                name="standing_end_pair",
                condition=(Q(ended_at__isnull=True) & Q(ended_by="")) | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant_id", "acting_user", "agent", "tool"],
                name="standing_open",
                condition=Q(ended_at__isnull=True),
            ),
            models.Index(fields=["tenant_id", "user_id", "-made_at"], name="standing_of_user"),
        ]

    def __str__(self) -> str:
        return f"{self.tool} for {self.acting_user}"
