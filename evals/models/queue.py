"""Runs that a person should look at: one queue for the whole product."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from agentops.common.models import HasId, TenantOwned
from evals.types import QueueReason, QueueState, Verdict


class ReviewItem(HasId, TenantOwned):
    """One run, with every reason it is here for. Reviewed, it stays; a new reason afterwards is a new item."""

    run_id = models.UUIDField()
    agent = models.TextField(blank=True)
    reasons = ArrayField(models.CharField(max_length=20, choices=QueueReason.choices))
    detail = models.TextField(blank=True)  # a sentence
    pattern = models.CharField(max_length=200, blank=True)  # what alike items share; incidents groups by it
    probability = models.FloatField(default=1.0)  # of a random sample
    state = models.CharField(max_length=6, choices=QueueState.choices, default=QueueState.OPEN)
    found_at = models.DateTimeField()
    verdict = models.CharField(max_length=8, choices=Verdict.choices, blank=True)
    note = models.TextField(blank=True)
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.CharField(max_length=200, blank=True)
    reviewed_user = models.BigIntegerField(null=True)
    led_to = models.JSONField(default=list)  # [{"kind": case|incident|rule, "id", "label"}]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "run_id"], name="review_item_open_once", condition=Q(state=QueueState.OPEN)
            ),
            models.CheckConstraint(
                name="review_item_reviewed_pair",
                condition=Q(state=QueueState.OPEN, reviewed_at__isnull=True, reviewed_by="", verdict="")
                | (Q(state=QueueState.DONE, reviewed_at__isnull=False) & ~Q(reviewed_by="") & ~Q(verdict="")),
            ),
        ]
        indexes = [
            models.Index(fields=["tenant_id", "state", "-found_at", "-id"], name="review_queue"),
            models.Index(fields=["tenant_id", "run_id"], name="review_of_run"),
            models.Index(fields=["-found_at", "-id"], name="review_open", condition=Q(state=QueueState.OPEN)),
        ]

    def __str__(self) -> str:
        return f"{self.run_id.hex}: {self.state}"


class ReviewSampling(HasId, TenantOwned):
    """Which share of an agent's runs comes to people by chance. Agent "": those without a line of their own."""

    agent = models.TextField(blank=True)
    share = models.FloatField()
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "agent"], name="review_sampling_once"),
            models.CheckConstraint(name="review_sampling_share", condition=Q(share__gte=0, share__lte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.agent or 'all'}: {self.share:.1%}"
