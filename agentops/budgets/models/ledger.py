"""The ledger: one row per charge or correction, never edited."""

from __future__ import annotations

from django.db import models

from agentops.budgets.types import EntryKind
from agentops.common.ids import new_id
from agentops.common.models import AppendOnly


class LedgerEntry(AppendOnly):
    """Partitioned by the month of `occurred_at`. Amounts are nano-dollars; 0 with `is_priced` false is "unknown"."""

    pk = models.CompositePrimaryKey("tenant_id", "occurred_at", "id")
    id = models.UUIDField(default=new_id, editable=False)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    kind = models.SmallIntegerField(choices=EntryKind.choices)
    run_id = models.UUIDField()
    span_id = models.BigIntegerField()
    call_id = models.TextField(blank=True)
    agent = models.TextField(blank=True)
    user_id = models.TextField(blank=True)
    model = models.TextField(blank=True)
    provider = models.TextField(blank=True)
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    cache_read_tokens = models.BigIntegerField()
    cache_write_tokens = models.BigIntegerField()
    reasoning_tokens = models.BigIntegerField()
    amount_nano_usd = models.BigIntegerField()
    saved_nano_usd = models.BigIntegerField(default=0, db_default=0)  # by caches; below 0: writing one cost more
    is_priced = models.BooleanField()
    price_version = models.TextField(blank=True)
    reason = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["tenant_id", "run_id"], name="ledger_run")]

    def __str__(self) -> str:
        return f"{self.amount_nano_usd} n$ for {self.model}"
