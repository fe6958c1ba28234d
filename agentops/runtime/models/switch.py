"""Kill switches. Every verb reads them in its own transaction; nothing caches them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agentops.common.ids import new_id
from agentops.common.models import HasId, TenantOwned
from agentops.runtime.types import SwitchMode, SwitchScope

_LIFTED = Q(lifted_at__isnull=True, lifted_by="") | (Q(lifted_at__isnull=False) & ~Q(lifted_by=""))


class KillSwitch(HasId, TenantOwned):
    """Stops a tenant, one of its agents or one of its users."""

    scope = models.TextField(choices=SwitchScope.choices)
    scope_id = models.TextField(blank=True)  # the agent's name or the user's id; "" for the tenant
    mode = models.TextField(choices=SwitchMode.choices)
    reason = models.TextField()
    set_at = models.DateTimeField()
    set_by = models.TextField()
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.TextField(blank=True)
    lift_reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="kill_switch_lifted_pair", condition=_LIFTED),
            models.CheckConstraint(
                name="kill_switch_scope_id",
                condition=Q(scope="tenant", scope_id="") | (~Q(scope="tenant") & ~Q(scope_id="")),
            ),
            models.UniqueConstraint(
                fields=["tenant_id", "scope", "scope_id", "mode"],
                name="kill_switch_once",
                condition=Q(lifted_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.scope_id}"


class ProductSwitch(models.Model):
    """Stops every agent of every tenant. Lifting it takes two people of ours: one asks, another does."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    mode = models.TextField(choices=SwitchMode.choices)
    reason = models.TextField()
    set_at = models.DateTimeField()
    set_by = models.TextField()
    lift_asked_at = models.DateTimeField(null=True)
    lift_asked_by = models.TextField(blank=True)
    lift_reason = models.TextField(blank=True)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="product_switch_lifted_pair", condition=_LIFTED),
            models.CheckConstraint(
                name="product_switch_two_people",
                condition=Q(lifted_at__isnull=True)
                | (Q(lift_asked_at__isnull=False) & ~Q(lift_asked_by="") & ~Q(lifted_by=models.F("lift_asked_by"))),
            ),
            models.UniqueConstraint(fields=["mode"], name="product_switch_once", condition=Q(lifted_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"product: {self.mode}"
