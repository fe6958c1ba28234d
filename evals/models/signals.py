"""What users said, what they did instead of saying it, and what came of it downstream."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agentops.common.models import HasId, TenantOwned
from evals.types import FeedbackSource, SignalKind


class Feedback(HasId, TenantOwned):
    """One person's word on a run (or one of its spans). The same person again replaces it."""

    run_id = models.UUIDField()
    span_id = models.CharField(max_length=16, blank=True)  # hex
    user_id = models.TextField(blank=True)
    source = models.CharField(max_length=12, choices=FeedbackSource.choices)
    about = models.CharField(max_length=32, blank=True)  # hex; the confirmation it is about: a run can have several
    is_up = models.BooleanField()
    is_correct = models.BooleanField(null=True)
    comment = models.TextField(blank=True)
    at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "run_id", "span_id", "user_id", "source", "about"], name="feedback_once"
            ),
        ]
        indexes = [models.Index(fields=["tenant_id", "-received_at"], name="feedback_latest")]

    def __str__(self) -> str:
        return "up" if self.is_up else "down"


class Signal(HasId, TenantOwned):
    """Something a user did that says the answer was not good; found by a job."""

    run_id = models.UUIDField()
    kind = models.CharField(max_length=12, choices=SignalKind.choices)
    agent = models.TextField(blank=True)
    at = models.DateTimeField()
    found_at = models.DateTimeField()
    evidence = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "run_id", "kind"], name="signal_once")]
        indexes = [models.Index(fields=["tenant_id", "-at"], name="signal_latest")]

    def __str__(self) -> str:
        return self.kind


class Outcome(HasId, TenantOwned):
    """What really happened downstream, as the customer's systems tell, also much later."""

    run_id = models.UUIDField()
    tool_call_id = models.TextField(blank=True)
    idempotency_key = models.TextField(blank=True)
    kind = models.CharField(max_length=60)
    value = models.TextField(blank=True)
    is_success = models.BooleanField(null=True)  # None: a fact that is neither
    at = models.DateTimeField()
    received_at = models.DateTimeField()
    span_id = models.CharField(max_length=16, blank=True)  # hex; empty while no span of the run matches
    matched_at = models.DateTimeField(null=True)
    matching_ends_at = models.DateTimeField()  # not looked for after
    next_look_at = models.DateTimeField()  # for its span; the pauses grow with its age

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "run_id", "tool_call_id", "idempotency_key", "kind", "at"], name="outcome_once"
            )
        ]
        indexes = [
            models.Index(fields=["tenant_id", "-received_at"], name="outcome_latest"),
            models.Index(
                fields=["tenant_id", "next_look_at"], name="outcome_to_match", condition=Q(matched_at__isnull=True)
            ),
            models.Index(fields=["tenant_id", "run_id"], name="outcome_of_run"),
        ]

    def __str__(self) -> str:
        return self.kind


class Mark(HasId, TenantOwned):
    """How far a sweep has read one kind of rows, by the time they were written (services/signals/marks.py)."""

    sweep = models.CharField(max_length=30)
    at = models.DateTimeField()
    last = models.UUIDField(
        null=True
    )  # the row it came to in the middle of a backlog; None: it has read all up to `at`

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "sweep"], name="mark_once")]

    def __str__(self) -> str:
        return f"{self.sweep}: {self.at}"
