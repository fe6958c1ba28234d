"""One sensitive action that waits for people."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agentops.common.models import HasId, TenantOwned
from agentops.confirmations.types import State, Tier


class Confirmation(HasId, TenantOwned):
    """Bound to exact bytes: `binding` is what the person agrees to, `action_digest` its digest (CONFIRMATIONS.md)."""

    run_id = models.UUIDField()
    call_id = models.TextField()
    agent = models.TextField()
    agent_version = models.TextField()
    acting_user = models.TextField()
    tool = models.TextField()
    tool_version = models.TextField()
    tool_version_id = models.UUIDField()
    tier = models.SmallIntegerField(choices=Tier.choices)
    raised_because = models.JSONField(default=list)
    says = models.TextField(blank=True)  # what the agent says; never part of what is agreed to
    arguments = models.BinaryField()  # RFC 8785 bytes: these run, nothing else
    binding = models.BinaryField()
    action_digest = models.BinaryField()
    likeness = models.BinaryField()
    state = models.TextField(choices=State.choices, default=State.PENDING)
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    redeemed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "run_id", "call_id"], name="confirmation_of_call"),
            models.CheckConstraint(name="confirmation_tier", condition=Q(tier__gte=2, tier__lte=4)),
        ]
        indexes = [
            models.Index(
                fields=["tenant_id", "expires_at"], name="confirmation_due", condition=Q(state__in=["pending", "half"])
            ),
            models.Index(fields=["tenant_id", "acting_user", "-requested_at"], name="confirmation_of_user"),
        ]

    def __str__(self) -> str:
        return f"{self.tool} ({self.state})"
