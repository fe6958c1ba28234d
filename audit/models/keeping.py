"""How long entries are kept, what holds them beyond that, and who is to be forgotten."""

from __future__ import annotations

from django.db import models

from agentops.common.models import HasId, Sealed, TenantOwned
from audit.types import ErasureState


class Keeping(TenantOwned):
    """A tenant's own period, within its plan's. Without a row, the plan's."""

    tenant_id = models.UUIDField(primary_key=True)
    days = models.IntegerField()

    class Meta:
        db_table = "audit_keeping"
        constraints = [models.CheckConstraint(condition=models.Q(days__gte=1), name="audit_keeping_days")]

    def __str__(self) -> str:
        return f"{self.days} days"


class Hold(HasId, TenantOwned):
    """A legal hold on all entries of a tenant, or on those of one run: neither retention nor erasure touches them."""

    run_id = models.UUIDField(null=True)
    reason = models.TextField()
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=200)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.CharField(max_length=200, blank=True)

    class Meta:
        db_table = "audit_hold"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(lifted_at__isnull=True, lifted_by="")
                | (models.Q(lifted_at__isnull=False) & ~models.Q(lifted_by="")),
                name="audit_hold_lifted",
            )
        ]

    def __str__(self) -> str:
        return self.reason


class Erasure(HasId, TenantOwned):
    """A person to be erased: asked for by one, agreed to by another, done by the owner of the tables.

    `person` is what names them in the log (an e-mail address, a user's id at the customer's, user:12); it is destroyed with
    the rest when the erasure is done.
    """

    person = models.CharField(max_length=200, blank=True)
    legal_basis = models.CharField(max_length=300)
    state = models.CharField(max_length=12, choices=ErasureState.choices, default=ErasureState.ASKED)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=200)
    asked_by_label = models.CharField(max_length=200)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=200, blank=True)
    decided_by_label = models.CharField(max_length=200, blank=True)
    done_at = models.DateTimeField(null=True)
    entries = models.IntegerField(null=True)
    fields = models.IntegerField(null=True)
    entry_id = models.UUIDField(null=True)
    why_not = models.TextField(blank=True)
    # How far it is: {"step", "after"} to go on from, {"rows"} by table, and at the end {"kept"}: what is left, and why.
    progress = models.JSONField(default=dict, db_default={})

    class Meta:
        db_table = "audit_erasure"
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(decided_by=models.F("asked_by")), name="audit_erasure_two_people"
            )
        ]

    def __str__(self) -> str:
        return f"erasure {self.id}"


class ErasedFields(Sealed):
    """Which values of which entries an erasure destroyed: the names, never the values."""

    pk = models.CompositePrimaryKey("tenant_id", "erasure_id", "entry_id")
    erasure_id = models.UUIDField()
    entry_id = models.UUIDField()
    names = models.TextField()

    class Meta:
        db_table = "audit_erasedfields"

    def __str__(self) -> str:
        return f"{self.names} of {self.entry_id}"
