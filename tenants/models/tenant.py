"""An organisation, its settings and its members."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models

from agentops.common.models import HasId, TenantOwned
from agentops.common.rowsecurity import APP, USER_TEST
from tenants.models.person import User
from tenants.roles import Plan, Role


class Tenant(HasId):
    """A customer. Global: its name and slug are needed before a scope can be opened; all else is in TenantSettings."""

    slug = models.CharField(
        max_length=40,
        unique=True,
        validators=[
            RegexValidator(
                r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$",
                "A short name has 1 to 40 lower-case letters, digits and hyphens, and neither begins nor ends with a hyphen.",
            )
        ],
    )
    name = models.CharField(max_length=120)
    plan = models.CharField(max_length=12, choices=Plan.choices)
    is_active = models.BooleanField(default=True)
    is_house = models.BooleanField(default=False, db_default=False)  # our own (house.py); no customer
    is_drill = models.BooleanField(default=False, db_default=False)  # drills are played on it (`manage.py drill`)
    created_at = models.DateTimeField()
    # One of our own people, who is told before the organisation outgrows its plan.
    success_manager = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    def __str__(self) -> str:
        return self.name


class MaskingMode(models.TextChoices):
    OFF = "off", "Off: keep text as it comes"
    MASK = "mask", "Mask: replace what is found with its kind"
    HASH = "hash", "Hash: replace it with a keyed hash, so that equal values stay equal"


class TenantSettings(TenantOwned):
    """What an admin decides for the organisation."""

    tenant_id = models.UUIDField(primary_key=True)  # the id of the Tenant
    time_zone = models.CharField(max_length=64, default="UTC")
    masking = models.CharField(max_length=8, choices=MaskingMode.choices, default=MaskingMode.MASK)
    masking_salt = models.BinaryField(max_length=32)
    pseudonymise_users = models.BooleanField(default=False)
    retention_days = models.PositiveIntegerField(null=True, blank=True)  # absent: what the plan gives
    idle_minutes = models.PositiveIntegerField(default=15)  # a run without a root is finished after so much silence

    def __str__(self) -> str:
        return f"settings of {self.pk}"


class Membership(HasId, TenantOwned):
    """A person's place in an organisation."""

    # Before a tenant is known, a signed-in person may see which memberships are theirs, and nothing else.
    extra_policies = (f"own_rows FOR SELECT TO {APP} USING ({USER_TEST})",)

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "user"], name="membership_once")]
        indexes = [models.Index(fields=["user"], name="membership_user")]

    def __str__(self) -> str:
        return f"{self.user_id} is {self.role}"
