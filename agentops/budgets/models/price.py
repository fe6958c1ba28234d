"""What one tenant pays for a model, where that is not what the table says."""

from __future__ import annotations

from django.db import models

from agentops.common.models import HasId, TenantOwned


class PriceOverride(HasId, TenantOwned):
    """US dollars per million tokens of each class. Absent classes cost what their total costs (see prices.py)."""

    provider = models.CharField(max_length=64, blank=True)  # "" holds for any provider
    model = models.CharField(max_length=200)
    input_usd = models.DecimalField(max_digits=12, decimal_places=6)
    output_usd = models.DecimalField(max_digits=12, decimal_places=6)
    cache_read_usd = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    cache_write_usd = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    reasoning_usd = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "provider", "model"], name="price_override_once")]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}" if self.provider else self.model
