"""One thing that happened, as written in the transaction that did it."""

from __future__ import annotations

from typing import Any

import orjson
from django.db import models

from agentops.common.ids import new_id
from agentops.common.models import AppendOnly
from audit.types import SENSITIVE, Category, Outcome


class Entry(AppendOnly):
    """An audit entry. Partitioned by the month of `recorded_at`; never changed, never deleted by the application.

    `data` is canonical JSON text (RFC 8785), not jsonb: jsonb reorders keys, and a customer must be able to hash what
    we hashed. Personal values and their salts (`private`, and the columns of canonical.PERSONAL_COLUMNS) are erased by
    the owner of the tables; `commitments` stand for them in what is hashed.
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
    src_ip = models.CharField(max_length=64, db_default="")
    user_agent = models.CharField(max_length=300, db_default="")
    auth_method = models.CharField(max_length=20, db_default="")
    data = models.TextField()
    commitments = models.TextField(db_default="{}")
    private = models.TextField(db_default="{}")
    nonce = models.BinaryField(max_length=16)

    class Meta:
        db_table = "audit_entry"
        # Every question of the page has one of these (queries/entries.py); each ends in the order of the page, and holds
        # what is asked for besides: an entry that is only looked at on the way costs no read of its row.
        indexes = [
            models.Index(
                fields=["tenant_id", "actor_id", "recorded_at", "id"],
                include=["action", "outcome", "target_type", "target_id"],
                name="audit_entry_actor",
            ),
            models.Index(
                fields=["tenant_id", "action", "recorded_at", "id"],
                include=["actor_id", "outcome"],
                name="audit_entry_action",
            ),
            models.Index(
                fields=["tenant_id", "target_type", "target_id", "recorded_at", "id"],
                include=["action", "outcome", "actor_id"],
                name="audit_entry_target",
            ),
            models.Index(
                "tenant_id",
                "run_id",
                "recorded_at",
                "id",
                name="audit_entry_run",
                condition=models.Q(run_id__isnull=False),
            ),
            models.Index(
                fields=["tenant_id", "on_behalf_of_id", "recorded_at", "id"],
                include=["action", "outcome", "target_type", "target_id", "actor_id"],
                name="audit_entry_person",
                condition=~models.Q(on_behalf_of_id=""),
            ),
            models.Index(
                "tenant_id",
                "recorded_at",
                "id",
                name="audit_entry_sensitive",
                condition=models.Q(category__in=SENSITIVE) | ~models.Q(outcome=Outcome.SUCCESS),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.actor_label}"

    def told(self) -> dict[str, Any]:
        """The fields of `data`, with the personal ones that were not erased."""
        found: dict[str, Any] = orjson.loads(self.data)
        for name, kept in orjson.loads(self.private).items():
            if name.startswith("data."):
                found[name.removeprefix("data.")] = kept[1]
        return found


class Blob(AppendOnly):
    """Data of an entry that was too large to stand in it; the entry holds its digest."""

    pk = models.CompositePrimaryKey("tenant_id", "entry_id")
    entry_id = models.UUIDField()
    recorded_at = models.DateTimeField()
    content = models.BinaryField()

    class Meta:
        db_table = "audit_blob"

    def __str__(self) -> str:
        return f"{len(self.content)} bytes of entry {self.entry_id}"
