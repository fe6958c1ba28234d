"""What a person looks at when traces do not look right: rates, refused spans, keys nobody maps."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agentops.common.models import HasId, TenantOwned


class DeadLetterState(models.TextChoices):
    NEW = "new", "New"
    REPLAYED = "replayed", "Replayed"
    DISCARDED = "discarded", "Discarded"


class DeadLetter(HasId, TenantOwned):
    """A span or log record that was refused, with the reason, kept for a person to look at and replay."""

    received_at = models.DateTimeField()
    signal = models.CharField(max_length=8)  # traces | logs | native
    code = models.CharField(max_length=40)
    detail = models.TextField()
    raw = models.TextField()  # JSON, after masking
    state = models.CharField(max_length=10, choices=DeadLetterState.choices, default=DeadLetterState.NEW)
    settled_at = models.DateTimeField(null=True)
    settled_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="dead_letter_settled_pair",
                condition=Q(settled_at__isnull=True, settled_by="") | (Q(settled_at__isnull=False) & ~Q(settled_by="")),
            )
        ]
        indexes = [models.Index(fields=["tenant_id", "state", "-received_at", "-id"], name="dead_letter_queue")]

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class IngestMinute(TenantOwned):
    """What came in during one minute."""

    pk = models.CompositePrimaryKey("tenant_id", "minute")
    minute = models.DateTimeField()
    requests = models.IntegerField()
    accepted = models.IntegerField()
    duplicates = models.IntegerField()
    rejected = models.IntegerField()
    body_bytes = models.BigIntegerField()
    lag_ms_sum = models.BigIntegerField()  # from the end of a span to its commit here, summed over accepted spans
    lag_ms_max = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.minute}: {self.accepted}"


class UnmappedKey(TenantOwned):
    """An attribute of a known namespace that no mapping reads."""

    pk = models.CompositePrimaryKey("tenant_id", "name")
    name = models.CharField(max_length=200)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
