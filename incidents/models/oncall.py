"""Who is on call, what they hand over, what they read, and what is looked at when."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from agentops.common.models import HasId, TenantOwned
from incidents.models.incident import Incident
from incidents.types import AlertClass, Cadence
from tenants.roles import StaffRole


class Rotation(HasId, TenantOwned):
    """People who take turns in a role. Turns change at a wall-clock time of a time zone, also where clocks change."""

    name = models.CharField(max_length=80)
    role = models.CharField(max_length=20, choices=StaffRole.choices)
    time_zone = models.CharField(max_length=64, default="UTC")
    starts_on = models.DateField()  # the first turn begins then
    turn_days = models.SmallIntegerField(default=7)
    handover_at = models.TimeField()
    escalates_to = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, db_constraint=False, related_name="+"
    )
    escalate_after_seconds = models.IntegerField(default=300)
    is_on = models.BooleanField(default=True)
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "name"], name="rotation_once"),
            models.CheckConstraint(name="rotation_turn", condition=Q(turn_days__gte=1, turn_days__lte=60)),
        ]

    def __str__(self) -> str:
        return self.name


class RotationMember(HasId, TenantOwned):
    rotation = models.ForeignKey(Rotation, on_delete=models.CASCADE, db_constraint=False, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    position = models.SmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "rotation", "position"], name="rotation_position_once")
        ]

    def __str__(self) -> str:
        return f"{self.position}: {self.user_id}"


class Override(HasId, TenantOwned):
    """Somebody takes over for a while. Where two overlap, the one that was made last holds."""

    rotation = models.ForeignKey(Rotation, on_delete=models.CASCADE, db_constraint=False, related_name="overrides")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=200, blank=True)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=200)
    cancelled_at = models.DateTimeField(null=True)
    cancelled_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(name="override_order", condition=Q(ends_at__gte=F("starts_at")))]
        indexes = [models.Index(fields=["tenant_id", "rotation", "ends_at"], name="override_by_end")]

    def __str__(self) -> str:
        return f"{self.user_id} until {self.ends_at}"


class Handover(HasId, TenantOwned):
    """What one turn leaves to the next, signed by both."""

    rotation = models.ForeignKey(Rotation, on_delete=models.CASCADE, db_constraint=False, related_name="handovers")
    at = models.DateTimeField()  # when the turn changes
    outgoing = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    incoming = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    items = models.JSONField(
        default=list
    )  # open incidents, watches, noisy alerts, as they were when it was signed first
    notes = models.TextField(blank=True)
    signed_out_at = models.DateTimeField(null=True)
    signed_out_by = models.BigIntegerField(null=True)
    signed_in_at = models.DateTimeField(null=True)
    signed_in_by = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "rotation", "at"], name="handover_once"),
            models.CheckConstraint(
                name="handover_two_people",
                condition=Q(signed_in_by__isnull=True)
                | Q(signed_out_by__isnull=True)
                | ~Q(signed_in_by=F("signed_out_by")),
            ),
        ]

    def __str__(self) -> str:
        return f"hand-over at {self.at}"


class CalendarFeed(HasId, TenantOwned):
    """An address for a calendar program. Who knows its token reads when somebody is on call, and nothing else."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    token_digest = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "token_digest"], name="calendar_feed_once")]

    def __str__(self) -> str:
        return f"feed of {self.user_id}"


class Runbook(HasId, TenantOwned):
    """One version of what to do for an alert class, in Markdown; `- [ ]` lines are its steps. The newest holds."""

    alert_class = models.CharField(max_length=20, choices=AlertClass.choices)
    version = models.IntegerField()
    title = models.CharField(max_length=200)
    body = models.TextField()
    digest = models.CharField(max_length=64)
    note = models.CharField(max_length=200, blank=True)
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "alert_class", "version"], name="runbook_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.alert_class} {self.version}"


class RunbookTick(HasId, TenantOwned):
    """A step that was done in an incident, of exactly this version of the runbook."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, db_constraint=False, related_name="ticks")
    runbook = models.ForeignKey(Runbook, on_delete=models.PROTECT, db_constraint=False, related_name="ticks")
    step = models.SmallIntegerField()
    at = models.DateTimeField()
    by = models.CharField(max_length=200)
    note = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "incident", "runbook", "step"], name="runbook_tick_once")
        ]

    def __str__(self) -> str:
        return f"step {self.step}"


class CadenceReview(HasId, TenantOwned):
    """One day, week, month or quarter that is looked through. What must be looked at is frozen when it is opened."""

    cadence = models.CharField(max_length=10, choices=Cadence.choices)
    period_start = models.DateField()
    period_end = models.DateField()  # its last day
    opened_at = models.DateTimeField()
    opened_by = models.CharField(max_length=200)
    notes = models.TextField(blank=True)
    signed_at = models.DateTimeField(null=True)
    signed_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "cadence", "period_start"], name="cadence_review_once"),
            models.CheckConstraint(
                name="cadence_review_signed_pair",
                condition=Q(signed_at__isnull=True, signed_by="") | (Q(signed_at__isnull=False) & ~Q(signed_by="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cadence} {self.period_start}"


class CadenceItem(HasId, TenantOwned):
    """One thing to look at, and who opened it."""

    review = models.ForeignKey(CadenceReview, on_delete=models.CASCADE, db_constraint=False, related_name="items")
    kind = models.CharField(max_length=24)
    subject = models.TextField()
    label = models.TextField()
    url = models.TextField()
    about_tenant = models.UUIDField(null=True)
    position = models.IntegerField(default=0)
    data = models.JSONField(default=dict)
    opened_at = models.DateTimeField(null=True)
    opened_by = models.CharField(max_length=200, blank=True)
    decision = models.CharField(max_length=12, blank=True)  # keep | revoke, of the quarterly tool audit
    note = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "review", "kind", "subject"], name="cadence_item_once"),
            models.CheckConstraint(
                name="cadence_item_opened_pair",
                condition=Q(opened_at__isnull=True, opened_by="") | (Q(opened_at__isnull=False) & ~Q(opened_by="")),
            ),
        ]

    def __str__(self) -> str:
        return self.label
