"""Rules, alerts, and how far each detector has looked. All are rows of our own organisation (tenants/house.py)."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from agentops.common.models import HasId, TenantOwned
from incidents.types import OPEN_ALERT, AlertClass, AlertStatus, AlertVerdict, ScopeType, Severity


class AlertRule(HasId, TenantOwned):
    """What people decided instead of a detector's defaults: for all, for one organisation, or for one of its agents."""

    alert_class = models.CharField(max_length=20, choices=AlertClass.choices)
    about_tenant = models.UUIDField(null=True)
    agent = models.TextField(blank=True)
    is_on = models.BooleanField(default=True)
    severity = models.SmallIntegerField(choices=Severity.choices, null=True)  # none: the detector's own
    params = models.JSONField(default=dict)  # of detecting/defaults.py; what is left out keeps its default
    cooldown_seconds = models.IntegerField(null=True)
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "alert_class", "about_tenant", "agent"],
                name="alert_rule_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.alert_class} {self.agent}"


class DetectorMark(TenantOwned):
    """Up to when a detector has looked: periods that were missed are looked at when it comes back."""

    pk = models.CompositePrimaryKey("tenant_id", "detector")
    detector = models.CharField(max_length=40)
    looked_until = models.DateTimeField()
    known = models.JSONField(default=dict)  # what was seen in the stretch that the next look reads again: no news

    def __str__(self) -> str:
        return f"{self.detector}: {self.looked_until}"


class AgentUsual(HasId, TenantOwned):
    """What is usual for an agent of an organisation: the median and p99 of its runs of some days, computed anew every hour."""

    about_tenant = models.UUIDField()
    agent = models.TextField(blank=True)
    runs = models.IntegerField()
    steps_p99 = models.FloatField()  # model and tool calls of a run
    tokens_p50 = models.FloatField()
    tokens_p99 = models.FloatField()
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "about_tenant", "agent"], name="agent_usual_once")]

    def __str__(self) -> str:
        return f"{self.agent}: {self.steps_p99} steps"


class Alert(HasId, TenantOwned):
    """Something is wrong now. One is open per fingerprint, whatever happens at once: the constraint says so.

    `fingerprint` is the hex SHA-256 of class, scope type, scope id, agent and the detector's major version; never of a
    text, a value or a time.
    """

    fingerprint = models.CharField(max_length=64)
    alert_class = models.CharField(max_length=20, choices=AlertClass.choices)
    scope_type = models.CharField(max_length=8, choices=ScopeType.choices)
    scope_id = models.TextField(blank=True)
    about_tenant = models.UUIDField(null=True)  # the organisation it is about; none: the product
    tenants = ArrayField(models.UUIDField(), default=list)  # all that were seen in it
    agent = models.TextField(blank=True)
    agent_version = models.TextField(blank=True)
    tool = models.TextField(blank=True)
    model_route = models.TextField(blank=True)
    detector_major = models.SmallIntegerField(default=1)
    severity = models.SmallIntegerField(choices=Severity.choices)
    status = models.CharField(max_length=12, choices=AlertStatus.choices, default=AlertStatus.OPEN)
    summary = models.TextField()  # a sentence, without secrets and personal data: it is sent to pagers
    value = models.FloatField(default=0)
    threshold = models.FloatField(default=0)
    peak = models.FloatField(default=0)
    unit = models.CharField(max_length=40, blank=True)
    data = models.JSONField(default=dict)  # the figures it was found by
    source = models.JSONField(default=dict)  # {"kind", "id"}: the finding it was made of, if it was
    sample_runs = models.JSONField(
        default=list
    )  # [{"tenant", "run", "step"?, "value", "at"}]: first 5, worst 10, last 5
    repeats = models.IntegerField(default=1)
    first_seen_at = models.DateTimeField()  # when what it is about began, as far as the rows tell
    opened_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    calm_periods = models.IntegerField(default=0)  # periods below the threshold, one after the other
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=200, blank=True)
    acknowledged_via = models.CharField(max_length=20, blank=True)  # page | pagerduty | opsgenie
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.CharField(max_length=200, blank=True)  # a person, or "system" after calm periods
    previous = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, db_constraint=False, related_name="+")
    reopened = models.IntegerField(default=0)
    state_number = models.IntegerField(default=1)  # a change that is worth a page raises it: one page for each
    paged_at = models.DateTimeField(null=True)
    paged_severity = models.SmallIntegerField(null=True)
    paged_value = models.FloatField(null=True)
    paged_tenants = models.IntegerField(default=0)
    verdict = models.CharField(max_length=12, choices=AlertVerdict.choices, blank=True)
    verdict_at = models.DateTimeField(null=True)
    verdict_by = models.CharField(max_length=200, blank=True)
    verdict_note = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "fingerprint"], name="alert_open_once", condition=Q(status__in=OPEN_ALERT)
            ),
            models.CheckConstraint(
                name="alert_resolved_pair",
                condition=(Q(status__in=OPEN_ALERT) & Q(resolved_at__isnull=True, resolved_by=""))
                | (Q(status=AlertStatus.RESOLVED, resolved_at__isnull=False) & ~Q(resolved_by="")),
            ),
            models.CheckConstraint(
                name="alert_acknowledged_pair",
                condition=Q(acknowledged_at__isnull=True, acknowledged_by="")
                | (Q(acknowledged_at__isnull=False) & ~Q(acknowledged_by="")),
            ),
            models.CheckConstraint(
                name="alert_verdict_pair",
                condition=Q(verdict="", verdict_at__isnull=True, verdict_by="")
                | (~Q(verdict="") & Q(verdict_at__isnull=False) & ~Q(verdict_by="")),
            ),
        ]
        indexes = [
            models.Index(fields=["tenant_id", "status", "-opened_at", "-id"], name="alert_list"),
            models.Index(fields=["tenant_id", "fingerprint", "-resolved_at"], name="alert_before"),
            models.Index(fields=["tenant_id", "about_tenant", "-opened_at"], name="alert_of_tenant"),
        ]

    def __str__(self) -> str:
        return self.summary


class AlertOccurrence(HasId, TenantOwned):
    """One look that found it. Capped for each alert, and gone after 90 days: the alert keeps count, peak and samples."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, db_constraint=False, related_name="occurrences")
    at = models.DateTimeField()
    value = models.FloatField()
    threshold = models.FloatField()
    detail = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["tenant_id", "alert", "-at"], name="alert_occurrence_latest")]

    def __str__(self) -> str:
        return f"{self.at}: {self.value}"
