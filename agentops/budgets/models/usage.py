"""Hourly sums of the ledger, so that pages never scan it."""

from __future__ import annotations

from django.db import models

from agentops.common.models import TenantOwned


class UsageHour(TenantOwned):
    """Sums of one hour by agent, user and model; equal to the ledger's rows at every commit."""

    pk = models.CompositePrimaryKey("tenant_id", "hour", "agent", "user_id", "provider", "model")
    hour = models.DateTimeField()
    agent = models.TextField(blank=True)
    user_id = models.TextField(blank=True)
    provider = models.TextField(blank=True)
    model = models.TextField(blank=True)
    calls = models.BigIntegerField()
    unpriced_calls = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    cache_read_tokens = models.BigIntegerField()
    cache_write_tokens = models.BigIntegerField()
    reasoning_tokens = models.BigIntegerField()
    amount_nano_usd = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["tenant_id", "user_id", "hour"], name="usage_by_user")]

    def __str__(self) -> str:
        return f"{self.hour}: {self.amount_nano_usd} n$"
