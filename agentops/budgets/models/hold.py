"""Money that is set aside: a run's slice of its budgets, and the holds of its calls."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from agentops.budgets.types import HoldState
from agentops.common.ids import new_id
from agentops.common.models import TenantOwned


class Lease(TenantOwned):
    """The slice that a run took out of every counter it stands under, so that its calls touch only this row.

    amount = held + spent + free. While it is open, `spent` is in no counter yet; when it closes, it is added to them,
    and the row stays only as long as a call is held in it.
    """

    pk = models.CompositePrimaryKey("tenant_id", "id")
    id = models.UUIDField(default=new_id, editable=False)
    run_id = models.UUIDField()
    agent = models.TextField()
    user_id = models.TextField(blank=True)
    counters = ArrayField(models.UUIDField(), default=list)  # none: no budget holds for this run
    amount_nano_usd = models.BigIntegerField()
    held_nano_usd = models.BigIntegerField(default=0)
    spent_nano_usd = models.BigIntegerField(default=0)
    is_open = models.BooleanField()
    is_past_limit = models.BooleanField()  # taken between limit and ceiling: only for calls that may go there
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField()  # one day of the organisation: no period ends within it

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "run_id"], name="lease_open_once", condition=Q(is_open=True)),
            models.CheckConstraint(
                name="lease_amounts",
                condition=Q(held_nano_usd__gte=0, amount_nano_usd__gte=F("held_nano_usd") + F("spent_nano_usd")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id.hex}: {self.amount_nano_usd} n$"


class Reservation(TenantOwned):
    """One admitted model call of a guarded run, from its hold to its cost."""

    pk = models.CompositePrimaryKey("tenant_id", "run_id", "call_id")
    run_id = models.UUIDField()
    call_id = models.TextField()
    lease_id = models.UUIDField()
    state = models.CharField(max_length=8, choices=HoldState.choices, default=HoldState.HELD)
    agent = models.TextField()
    user_id = models.TextField()
    provider = models.TextField(blank=True)
    model = models.TextField()
    input_tokens = models.BigIntegerField()
    max_output_tokens = models.BigIntegerField()
    hold_nano_usd = models.BigIntegerField()
    cost_nano_usd = models.BigIntegerField(default=0)
    reserved_at = models.DateTimeField()  # names the period and the hour that the charge counts in, whenever it comes
    expires_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="reservation_settled",
                condition=Q(state="held", settled_at__isnull=True, cost_nano_usd=0)
                | (~Q(state="held") & Q(settled_at__isnull=False)),
            ),
            models.CheckConstraint(name="reservation_amounts", condition=Q(hold_nano_usd__gte=0, cost_nano_usd__gte=0)),
        ]
        indexes = [
            models.Index(fields=["expires_at", "tenant_id"], name="reservation_due", condition=Q(state="held")),
        ]

    def __str__(self) -> str:
        return f"{self.run_id.hex} {self.call_id}: {self.state}"
