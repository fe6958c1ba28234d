"""The price book of one tenant: what it pays for a model where that is not what the table says, and its discounts."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from agentops.common.models import HasId, TenantOwned

_IN_ORDER = Q(valid_until__isnull=True) | Q(valid_until__gte=F("valid_from"))


class PriceOverride(HasId, TenantOwned):
    """US dollars per million tokens of each class. Absent classes cost what their total costs (see prices.py).

    It holds for calls from `valid_from` until (and without) `valid_until`; a new price ends the one before. Where people
    ended it themselves, `ended_at` says so: it holds no longer than until then, whatever becomes of the one after it.
    """

    provider = models.CharField(max_length=64, blank=True)  # "" holds for any provider
    model = models.CharField(max_length=200)
    input_usd = models.DecimalField(max_digits=12, decimal_places=6)
    output_usd = models.DecimalField(max_digits=12, decimal_places=6)
    cache_read_usd = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    cache_write_usd = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    reasoning_usd = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "provider", "model"],
                name="price_override_open",
                condition=Q(valid_until__isnull=True),
            ),
            models.CheckConstraint(name="price_override_times", condition=_IN_ORDER),
        ]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}" if self.provider else self.model


class Discount(HasId, TenantOwned):
    """What a provider takes off its list prices for this tenant. An override is the price itself: nothing comes off it."""

    provider = models.CharField(max_length=64, blank=True)  # "" holds for any provider
    model = models.CharField(max_length=200, blank=True)  # "" holds for all of its models
    hundredths = models.IntegerField()  # of a percent: 1250 is 12.5 %
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "provider", "model"], name="discount_once", condition=Q(valid_until__isnull=True)
            ),
            models.CheckConstraint(name="discount_share", condition=Q(hundredths__gte=1, hundredths__lte=10_000)),
            models.CheckConstraint(name="discount_times", condition=_IN_ORDER),
        ]

    def __str__(self) -> str:
        return f"{self.percent.normalize():f} % off {self.model or self.provider or 'all models'}"

    @property
    def percent(self) -> Decimal:
        return Decimal(self.hundredths) / 100


class Repricing(HasId, TenantOwned):
    """A period whose calls are priced anew, by correcting entries. Its plan and its progress are this row."""

    since = models.DateTimeField()
    until = models.DateTimeField()
    reason = models.TextField()
    state = models.CharField(max_length=8, default="planned")  # types.RepricingState
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=200)
    cursor = models.JSONField(null=True)  # how far it has come
    claimed_until = models.DateTimeField(null=True)
    calls_seen = models.BigIntegerField(default=0)
    calls_changed = models.BigIntegerField(default=0)
    amount_nano_usd = models.BigIntegerField(default=0)  # by how much the period became dearer (or, negative, cheaper)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id"], name="repricing_one_at_a_time", condition=Q(state__in=["planned", "running"])
            ),
            models.CheckConstraint(name="repricing_times", condition=Q(until__gt=F("since"))),
        ]

    def __str__(self) -> str:
        return f"{self.since} to {self.until}: {self.state}"
