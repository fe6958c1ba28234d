"""One model call or tool call of a guarded run."""

from __future__ import annotations

from django.db import models

from agentops.common.models import TenantOwned
from agentops.runtime.types import CallState, Verb


class GuardCall(TenantOwned):
    """The answer to one call id. Partitioned by the month its run began, which the run id tells.

    A tool call's row is also its permit: `jti` is the run and the step, so a use is one conditional UPDATE.
    """

    pk = models.CompositePrimaryKey("tenant_id", "run_started_at", "run_id", "call_id")
    run_started_at = models.DateTimeField()
    run_id = models.UUIDField()
    call_id = models.TextField()
    verb = models.SmallIntegerField(choices=Verb.choices)
    step = models.IntegerField()
    state = models.SmallIntegerField(choices=CallState.choices)
    digest = models.BinaryField()
    answer = models.TextField()  # JSON; without the arguments, which the same request brings again
    decided_at = models.DateTimeField()
    tool = models.TextField(blank=True)
    likeness = models.BinaryField(blank=True, default=b"")  # tool and arguments without the cosmetic fields
    confirmation_id = models.UUIDField(null=True)
    permit_expires_at = models.DateTimeField(null=True)
    permit_consumed_at = models.DateTimeField(null=True)
    permit_consumed_by = models.UUIDField(null=True)  # the key of who used it up; the agent's own proves nothing
    key_id = models.UUIDField(null=True)  # the key of who asked
    redeemed_by = models.UUIDField(null=True)  # the key of who took up what people approved, and the permit it got
    redemption_permit = models.TextField(blank=True, default="", db_default="")
    hold_tokens = models.BigIntegerField(default=0)
    closing_digest = models.BinaryField(blank=True, default=b"")  # of the settlement or the result
    closing_answer = models.TextField(blank=True)
    closed_at = models.DateTimeField(null=True)
    outcome = models.TextField(blank=True)
    external_system = models.TextField(blank=True)
    external_id = models.TextField(blank=True)
    idempotency_key = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.run_id.hex}/{self.call_id}"
