"""Where people are paged, each page, and what came back."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from agentops.common.models import HasId, TenantOwned
from incidents.types import Hears, PageAction, TargetKind


class PagingTarget(HasId, TenantOwned):
    """A service or address. Its secret (routing key, API key, chat URL) is closed by `common/secrets.py`, and never shown."""

    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=12, choices=TargetKind.choices)
    base_url = models.TextField(blank=True)  # of PagerDuty (US, EU), JSM or Opsgenie; of a webhook: its address
    address = models.TextField(blank=True)  # of mail
    secret = models.BinaryField(blank=True, default=b"")
    back_secret = models.BinaryField(blank=True, default=b"")  # of the webhooks that come back
    api_token = models.BinaryField(blank=True, default=b"")  # to poll for acknowledgements with
    severities = ArrayField(models.SmallIntegerField(), default=list)  # which are sent here
    is_pager = models.BooleanField(default=True)  # wakes people, and somebody must acknowledge; chat does not
    is_on = models.BooleanField(default=True)
    hears = models.CharField(max_length=6, choices=Hears.choices, default=Hears.REAL, db_default=Hears.REAL)
    second_for = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, db_constraint=False, related_name="seconds"
    )  # used where that one did not deliver within two minutes
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=200)
    tested_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "name"], name="paging_target_once")]

    def __str__(self) -> str:
        return self.name


class Page(HasId, TenantOwned):
    """One change of state, told to one target, once. The outbox's message of the same id-key has the attempts."""

    target = models.ForeignKey(PagingTarget, on_delete=models.PROTECT, db_constraint=False, related_name="pages")
    subject_kind = models.CharField(max_length=10)  # alert | incident | test
    subject_id = models.UUIDField()
    action = models.CharField(max_length=12, choices=PageAction.choices)
    state_number = models.IntegerField()  # of the alert or incident
    dedup_key = models.CharField(max_length=255)
    severity = models.SmallIntegerField()
    because = models.CharField(max_length=40)  # opened, severity, tenant, rate, reopened, escalated, second_channel, …
    to_user = models.BigIntegerField(null=True)  # who was on call
    message_id = models.UUIDField()  # of the outbox
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    second_sent_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=200, blank=True)
    confirmed_by_poll_at = models.DateTimeField(null=True)
    polled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "target", "subject_id", "action", "state_number"], name="page_once"
            )
        ]
        indexes = [
            models.Index(fields=["tenant_id", "subject_id", "created_at"], name="page_of_subject"),
            models.Index(fields=["tenant_id", "created_at"], name="page_undelivered", condition=Q(delivered_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.dedup_key}"


class Escalation(HasId, TenantOwned):
    """Somebody was mailed that nobody has acknowledged an alert or incident: once each for each state of it."""

    subject_kind = models.CharField(max_length=10)  # alert | incident
    subject_id = models.UUIDField()
    state_number = models.IntegerField()
    to_user = models.BigIntegerField()
    message_id = models.UUIDField(null=True)  # of the outbox; one mail may tell of several
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "subject_id", "state_number", "to_user"], name="escalation_once"
            )
        ]
        indexes = [models.Index(fields=["tenant_id", "to_user", "-created_at"], name="escalation_of_user")]

    def __str__(self) -> str:
        return f"{self.subject_kind} {self.subject_id} to {self.to_user}"


class BackEvent(TenantOwned):
    """A webhook that came back, so that the same one a second time changes nothing."""

    pk = models.CompositePrimaryKey("tenant_id", "target_id", "event_id")
    target_id = models.UUIDField()
    event_id = models.CharField(max_length=200)
    received_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.event_id
