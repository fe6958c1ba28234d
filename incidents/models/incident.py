"""An incident from its declaration to its lesson."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from agentops.common.models import AppendOnly, HasId, TenantOwned
from incidents.types import (
    IncidentRoleName,
    IncidentStatus,
    Severity,
    TimelineKind,
)
from tenants.types import User

_TIMES = (
    "impact_started_at",
    "detected_at",
    "declared_at",
    "contained_at",
    "mitigated_at",
    "resolved_at",
    "closed_at",
)


def _ordered() -> Q:
    """Times that are known stand in order."""
    found = Q()
    for index, early in enumerate(_TIMES):
        for late in _TIMES[index + 1 :]:
            found &= Q(**{f"{early}__isnull": True}) | Q(**{f"{late}__isnull": True}) | Q(**{f"{early}__lte": F(late)})
    return found


class Incident(HasId, TenantOwned):
    """`INC-2026-0042`: number of a year. What it is about (organisations, agent, tool) is copied when it is declared."""

    year = models.SmallIntegerField()
    number = models.IntegerField()
    title = models.CharField(max_length=200)
    summary = models.TextField(blank=True)
    severity = models.SmallIntegerField(choices=Severity.choices)
    status = models.CharField(max_length=16, choices=IncidentStatus.choices, default=IncidentStatus.TRIAGE)
    status_number = models.IntegerField(default=1)  # a change that is worth a page raises it
    is_drill = models.BooleanField(default=False)
    tenants = ArrayField(models.UUIDField(), default=list)
    agent = models.TextField(blank=True)
    agent_version = models.TextField(blank=True)
    tool = models.TextField(blank=True)
    model_route = models.TextField(blank=True)
    runs = models.JSONField(default=list)  # [{"tenant", "run", "step"?}] that it was declared with
    impact_started_at = models.DateTimeField(null=True)
    detected_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    declared_at = models.DateTimeField()
    contained_at = models.DateTimeField(null=True)
    last_harm_at = models.DateTimeField(null=True)  # the last harmful step that was seen
    mitigated_at = models.DateTimeField(null=True)
    customer_told_at = models.DateTimeField(null=True)
    reversed_at = models.DateTimeField(null=True)
    learnt_at = models.DateTimeField(null=True)  # the failing input became an eval case
    resolved_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    declared_by = models.CharField(max_length=200)
    commander = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    not_stopped_because = models.TextField(blank=True)  # SEV-1 contained without a kill switch: decided by whom
    not_stopped_by = models.CharField(max_length=200, blank=True)
    cancel_reason = models.TextField(blank=True)
    reopened = models.IntegerField(default=0)
    merged_into = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, db_constraint=False, related_name="+")
    parent = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, db_constraint=False, related_name="parts")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "year", "number"], name="incident_ref_once"),
            models.CheckConstraint(name="incident_times_in_order", condition=_ordered()),
            models.CheckConstraint(
                name="incident_not_stopped_pair",
                condition=Q(not_stopped_because="", not_stopped_by="")
                | (~Q(not_stopped_because="") & ~Q(not_stopped_by="")),
            ),
            models.CheckConstraint(
                name="incident_merged", condition=~Q(status=IncidentStatus.MERGED) | Q(merged_into__isnull=False)
            ),
        ]
        indexes = [models.Index(fields=["tenant_id", "-declared_at", "-id"], name="incident_latest")]

    def __str__(self) -> str:
        return f"{self.ref}: {self.title}"

    @property
    def ref(self) -> str:
        return f"INC-{self.year}-{self.number:04d}"


class SeverityChange(HasId, TenantOwned):
    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, db_constraint=False, related_name="severities")
    was = models.SmallIntegerField(choices=Severity.choices, null=True)
    became = models.SmallIntegerField(choices=Severity.choices)
    reason = models.TextField()
    at = models.DateTimeField()
    by = models.CharField(max_length=200)

    def __str__(self) -> str:
        return f"SEV-{self.became}"


class IncidentRole(HasId, TenantOwned):
    """Who does what. One person at a time for each role; who gives it up stays written."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, db_constraint=False, related_name="roles")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    role = models.CharField(max_length=16, choices=IncidentRoleName.choices)
    assumed_at = models.DateTimeField()
    renounced_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "incident", "role"],
                name="incident_role_once",
                condition=Q(renounced_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.role}: {self.user_id}"


class IncidentAlert(HasId, TenantOwned):
    """An alert that belongs to an incident, joined by a person or by a rule. Removed, it is pinned out for good."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, db_constraint=False, related_name="alerts")
    alert_id = models.UUIDField()
    reason = models.TextField(blank=True)
    rule = models.CharField(max_length=40, blank=True)  # same_version | same_tool | same_model; empty: a person
    inputs = models.JSONField(default=dict)
    at = models.DateTimeField()
    by = models.CharField(max_length=200)
    removed_at = models.DateTimeField(null=True)
    removed_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "incident", "alert_id"], name="incident_alert_once"),
            models.UniqueConstraint(
                fields=["tenant_id", "alert_id"],
                name="alert_in_one_incident",
                condition=Q(removed_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return str(self.alert_id)


class IncidentSwitch(HasId, TenantOwned):
    """A kill switch that was set because of an incident."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, db_constraint=False, related_name="switches")
    about_tenant = models.UUIDField(null=True)  # none: the product's
    switch_id = models.UUIDField()
    scope = models.CharField(max_length=8)
    scope_id = models.TextField(blank=True)
    mode = models.CharField(max_length=20)
    at = models.DateTimeField()
    by = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "incident", "switch_id"], name="incident_switch_once")
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.scope_id}"


class TimelineEntry(HasId, AppendOnly):
    """What happened, never edited: a correction is a further entry."""

    incident_id = models.UUIDField()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    actor = models.CharField(max_length=200)
    is_automatic = models.BooleanField(default=False)
    is_internal = models.BooleanField(default=True)  # not for customers
    kind = models.CharField(max_length=12, choices=TimelineKind.choices)
    text = models.TextField()
    link = models.TextField(blank=True)  # an address of the product
    data = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["tenant_id", "incident_id", "occurred_at", "id"], name="timeline_order")]

    def __str__(self) -> str:
        return self.text
