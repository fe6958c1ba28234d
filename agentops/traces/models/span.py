"""A span as it is stored. Written by SQL only (writing.py); the models are for reading."""

from __future__ import annotations

from django.db import models

from agentops.common.models import TenantOwned
from agentops.traces.types import SpanKind, SpanStatus


class SpanRow(TenantOwned):
    """Partitioned by `day`, the day of its run. `details` is JSON text: content, events, raw attributes, resource."""

    pk = models.CompositePrimaryKey("tenant_id", "day", "run_id", "span_id")
    day = models.DateField()
    run_id = models.UUIDField()
    span_id = models.BigIntegerField()
    parent_id = models.BigIntegerField(null=True)
    kind = models.SmallIntegerField(choices=[(k.value, k.name.lower()) for k in SpanKind])
    status = models.SmallIntegerField(choices=[(s.value, s.name.lower()) for s in SpanStatus])
    # False where a nested span of the same kind holds the same call: totals and the ledger count the inner one.
    is_counted = models.BooleanField()
    # True where the guard admitted this call, and so charges it: the span is not charged again.
    is_guarded = models.BooleanField(default=False, db_default=False)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    name = models.TextField()
    error_type = models.TextField()
    agent = models.TextField()
    agent_version = models.TextField()
    user_id = models.TextField()
    session_id = models.TextField()
    model = models.TextField()
    provider = models.TextField()
    tool = models.TextField()
    tool_call_id = models.TextField()
    call_id = models.TextField()
    prompt_hash = models.TextField()
    tool_definitions_hash = models.TextField()
    idempotency_key = models.TextField()
    external_system = models.TextField()
    external_id = models.TextField()
    input_tokens = models.BigIntegerField(null=True)
    output_tokens = models.BigIntegerField(null=True)
    cache_read_tokens = models.BigIntegerField(null=True)
    cache_write_tokens = models.BigIntegerField(null=True)
    reasoning_tokens = models.BigIntegerField(null=True)
    cost_nano_usd = models.BigIntegerField(null=True)
    price_version = models.TextField()
    details = models.TextField()

    guard_note: str = ""  # not stored: why a guarded span that was read shows no cost (queries/guardcosts.py)

    class Meta:
        db_table = "traces_span"
        indexes = [
            models.Index(
                fields=["tenant_id", "day", "run_id", "parent_id", "started_at", "span_id"], name="span_children"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SpanEvent(TenantOwned):
    """A log record that belongs to a span: a message, or the result of an evaluation. Sent twice, kept once."""

    pk = models.CompositePrimaryKey("tenant_id", "run_id", "digest")
    run_id = models.UUIDField()
    digest = models.BinaryField(max_length=16)  # of the record, so that a resend is the same row
    span_id = models.BigIntegerField(null=True)
    at = models.DateTimeField()
    name = models.TextField()
    body = models.TextField()  # JSON

    class Meta:
        indexes = [models.Index(fields=["tenant_id", "at"], name="span_event_at")]

    def __str__(self) -> str:
        return self.name
