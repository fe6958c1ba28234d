"""One thing that happened, as written in the transaction that did it."""

from __future__ import annotations

from django.db import models

from agentops.common.ids import new_id
from agentops.common.models import AppendOnly
from audit.types import Category, Outcome


class Entry(AppendOnly):
    """An audit entry. Partitioned by the month of `recorded_at`; never changed, never deleted by the application.

    `data` is canonical JSON text (RFC 8785), not jsonb: jsonb reorders keys, and a customer must be able to hash what
    we hashed.
    """

    pk = models.CompositePrimaryKey("tenant_id", "recorded_at", "id")
    id = models.UUIDField(default=new_id, editable=False)
    schema_version = models.SmallIntegerField(default=1)
    recorded_at = models.DateTimeField()
    occurred_at = models.DateTimeField()
    category = models.SmallIntegerField(choices=Category.choices)
    action = models.CharField(max_length=64)
    outcome = models.SmallIntegerField(choices=Outcome.choices)
    actor_type = models.CharField(max_length=12)
    actor_id = models.CharField(max_length=200)
    actor_label = models.CharField(max_length=200)
    on_behalf_of_id = models.CharField(max_length=200, blank=True)
    run_id = models.UUIDField(null=True)
    target_type = models.CharField(max_length=40)
    target_id = models.CharField(max_length=200)
    reason = models.TextField(blank=True)
    data = models.TextField()
    nonce = models.BinaryField(max_length=16)

    class Meta:
        db_table = "audit_entry"

    def __str__(self) -> str:
        return f"{self.action} by {self.actor_label}"
