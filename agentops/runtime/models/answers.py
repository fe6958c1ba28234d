"""Answers of whole runs that serve again where the same is asked."""

from __future__ import annotations

from django.db import models

from agentops.common.models import TenantOwned


class WantedAnswer(TenantOwned):
    """A run in progress whose answer is to be stored when it ends well; the row goes when the run ends."""

    pk = models.CompositePrimaryKey("tenant_id", "run_id")
    run_id = models.UUIDField()
    digest = models.BinaryField()
    prompt_hash = models.TextField()
    model = models.TextField()
    tool_definitions_hash = models.TextField()
    input_digest = models.TextField()
    wanted_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.run_id.hex


class StoredAnswer(TenantOwned):
    """What a run answered. `digest` is over agent, version, user (if it serves only them) and all that was asked."""

    pk = models.CompositePrimaryKey("tenant_id", "digest")
    digest = models.BinaryField()
    agent = models.TextField()
    agent_version = models.TextField()
    user_id = models.TextField()  # of the run that it comes from
    prompt_hash = models.TextField()
    model = models.TextField()
    tool_definitions_hash = models.TextField()
    input_digest = models.TextField()
    output = models.TextField()  # JSON
    run_id = models.UUIDField()
    cost_nano_usd = models.BigIntegerField()  # of that run: what each further use saves
    stored_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    served = models.BigIntegerField(default=0)
    served_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["tenant_id", "agent", "-stored_at"], name="stored_answer_agent"),
            models.Index(fields=["tenant_id", "expires_at"], name="stored_answer_over"),
        ]

    def __str__(self) -> str:
        return f"{self.agent}: {self.input_digest}"
