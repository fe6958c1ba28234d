"""What leaves the log on a customer's word: exports, a stream, checkpoints sent to where they choose."""

from __future__ import annotations

from django.db import models

from agentops.common.models import HasId, TenantOwned
from audit.types import Every, ExportFormat, ExportState, StreamState


class Export(HasId, TenantOwned):
    """An export that somebody asked for. A job writes it part by part, and goes on where it was left.

    `filters` are those of the page; `upto_leaf` and `cursor` are the frozen plan and how far it came: an export holds what
    was in the log when it was asked for.
    """

    format = models.CharField(max_length=12, choices=ExportFormat.choices)
    filters = models.JSONField(default=dict)
    state = models.CharField(max_length=12, choices=ExportState.choices, default=ExportState.WAITING)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=200)
    asked_by_label = models.CharField(max_length=200)
    upto = models.DateTimeField()
    upto_leaf = models.BigIntegerField(default=0)
    cursor = models.JSONField(default=dict)
    rows_written = models.BigIntegerField(default=0)
    rows_expected = models.BigIntegerField(null=True)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.SmallIntegerField(default=0)
    ended_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        db_table = "audit_export"
        indexes = [models.Index("tenant_id", "asked_at", name="audit_export_asked")]

    def __str__(self) -> str:
        return f"{self.format} of {self.asked_at:%Y-%m-%d}"


class ExportPart(TenantOwned):
    """One file of an export."""

    pk = models.CompositePrimaryKey("tenant_id", "export_id", "number")
    export_id = models.UUIDField()
    number = models.IntegerField()
    name = models.CharField(max_length=100)
    row_count = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    content = models.BinaryField()
    made_at = models.DateTimeField()

    class Meta:
        db_table = "audit_exportpart"

    def __str__(self) -> str:
        return self.name


class Stream(HasId, TenantOwned):
    """Entries sent to a customer's webhook in the order of their leaves, batch by batch, one on its way at a time.

    `next_leaf` moves only when a batch has arrived; `message_id` is the outbox's message that is on its way, and holds the
    leaves up to `message_upto`.
    """

    destination = models.CharField(max_length=500)
    format = models.CharField(max_length=12, choices=ExportFormat.choices)
    state = models.CharField(max_length=12, choices=StreamState.choices, default=StreamState.ACTIVE)
    next_leaf = models.BigIntegerField()
    message_id = models.UUIDField(null=True)
    message_upto = models.BigIntegerField(null=True)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=200)
    delivered_at = models.DateTimeField(null=True)
    why_stopped = models.TextField(blank=True)

    class Meta:
        db_table = "audit_stream"
        constraints = [models.UniqueConstraint("tenant_id", "destination", name="audit_stream_destination")]

    def __str__(self) -> str:
        return self.destination


class CheckpointDelivery(HasId, TenantOwned):
    """Where a customer keeps our checkpoints: what we said once, we cannot take back there."""

    channel = models.CharField(max_length=10)
    destination = models.CharField(max_length=500)
    every = models.CharField(max_length=6, choices=Every.choices)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=200)
    sent_size = models.BigIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "audit_checkpointdelivery"
        constraints = [
            models.UniqueConstraint("tenant_id", "channel", "destination", name="audit_checkpointdelivery_destination")
        ]

    def __str__(self) -> str:
        return f"{self.every} to {self.destination}"
