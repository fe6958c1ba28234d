"""What the guard decided: one row each, never edited."""

from __future__ import annotations

from django.db import models

from agentops.common.ids import new_id
from agentops.common.models import AppendOnly
from agentops.runtime.types import Verb


class Decision(AppendOnly):
    """Who asked what, what was answered and by which rule. Partitioned by the month of `decided_at`."""

    pk = models.CompositePrimaryKey("tenant_id", "decided_at", "id")
    id = models.UUIDField(default=new_id, editable=False)
    decided_at = models.DateTimeField()
    run_id = models.UUIDField(null=True)  # none: a run that was refused
    call_id = models.TextField()
    verb = models.SmallIntegerField(choices=Verb.choices)
    decision = models.TextField()
    code = models.TextField(blank=True)
    detail = models.TextField(blank=True)
    agent = models.TextField()
    agent_version = models.TextField()
    user_id = models.TextField()
    tool = models.TextField(blank=True)
    tool_version = models.TextField(blank=True)
    model = models.TextField(blank=True)
    tier = models.SmallIntegerField(default=0)
    policy_version = models.BigIntegerField()
    amount_nano_usd = models.BigIntegerField(default=0)  # held by a reserve, charged by a settlement
    took_us = models.IntegerField()
    key_id = models.UUIDField(null=True)
    data = models.JSONField(default=dict)  # errors, advice, why a model was chosen, why a tier rose

    class Meta:
        indexes = [
            models.Index(fields=["tenant_id", "run_id"], name="decision_run"),
            models.Index(
                fields=["tenant_id", "tool", "decided_at"], name="decision_tool", condition=~models.Q(tool="")
            ),
            models.Index(fields=["tenant_id", "agent", "decided_at"], name="decision_agent"),
            models.Index(fields=["tenant_id", "user_id", "decided_at"], name="decision_user"),
            models.Index(
                fields=["tenant_id", "code", "decided_at"], name="decision_code", condition=~models.Q(code="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.decision} {self.code}"
