"""Judgements: the plan, what became of it, and the scores; and what people say of the same criteria."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from agentops.common.models import HasId, TenantOwned
from evals.models.judge import Judge
from evals.models.rubric import RubricVersion
from evals.types import JudgementState, Sampled, Subject


class Judgement(HasId, TenantOwned):
    """One judge's look at one subject; there is never a second one. A failed judgement has no score, and never zero."""

    subject = models.CharField(max_length=10, choices=Subject.choices)
    subject_id = models.UUIDField()  # the run's id, or the case run's
    judge = models.ForeignKey(Judge, on_delete=models.PROTECT, db_constraint=False, related_name="+")
    agent = models.TextField(blank=True)
    agent_version = models.TextField(blank=True)
    day = models.DateField()  # of the subject
    state = models.CharField(max_length=8, choices=JudgementState.choices, default=JudgementState.PLANNED)
    sampled = models.CharField(max_length=6, choices=Sampled.choices)
    probability = models.FloatField(default=1.0)  # with which it was chosen: its weight is one over that
    code = models.CharField(max_length=40, blank=True)  # of what went wrong, or why it was skipped
    detail = models.TextField(blank=True)
    attempts = models.SmallIntegerField(default=0)
    planned_at = models.DateTimeField()
    next_at = models.DateTimeField()  # not before
    claimed_until = models.DateTimeField(null=True)
    claim = models.UUIDField(null=True)  # whose claim it is: only that one may write the end
    ended_at = models.DateTimeField(null=True)
    score = models.FloatField(null=True)  # 0 to 1, the weighted mean over criteria
    is_pass = models.BooleanField(null=True)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cost_nano_usd = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "subject", "subject_id", "judge"], name="judgement_once"),
            models.CheckConstraint(
                name="judgement_score_pair",
                condition=Q(state=JudgementState.SCORED, score__isnull=False)
                | (~Q(state=JudgementState.SCORED) & Q(score__isnull=True)),
            ),
            models.CheckConstraint(name="judgement_probability", condition=Q(probability__gt=0, probability__lte=1)),
        ]
        indexes = [
            models.Index(
                fields=["tenant_id", "next_at"], name="judgement_due", condition=Q(state__in=["planned", "running"])
            ),
            models.Index(fields=["tenant_id", "subject", "agent", "day"], name="judgement_of_agent"),
            models.Index(fields=["tenant_id", "-planned_at", "-id"], name="judgement_latest"),
            models.Index(fields=["tenant_id", "state", "-planned_at", "-id"], name="judgement_by_state"),
            models.Index(fields=["tenant_id", "judge", "-planned_at", "-id"], name="judgement_of_judge"),
        ]

    def __str__(self) -> str:
        return f"{self.subject_id}: {self.state}"


class Score(HasId, TenantOwned):
    """What a judge gave for one criterion."""

    judgement = models.ForeignKey(Judgement, on_delete=models.CASCADE, db_constraint=False, related_name="scores")
    criterion = models.CharField(max_length=60)
    value = models.CharField(max_length=60)  # the label or number on the criterion's scale
    score = models.FloatField()  # 0 to 1
    reason = models.TextField(blank=True)
    span_ids = ArrayField(models.CharField(max_length=16), default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "judgement", "criterion"], name="score_once"),
            models.CheckConstraint(name="score_range", condition=Q(score__gte=0, score__lte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.criterion}: {self.value}"


class HumanLabel(HasId, TenantOwned):
    """What a person gave a run for one criterion of a rubric's version. Labelled again, the last word of a person holds."""

    run_id = models.UUIDField()
    rubric_version = models.ForeignKey(RubricVersion, on_delete=models.PROTECT, db_constraint=False, related_name="+")
    criterion = models.CharField(max_length=60)
    value = models.CharField(max_length=60)
    score = models.FloatField()
    user_id = models.BigIntegerField()
    labelled_by = models.CharField(max_length=200)
    labelled_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "run_id", "rubric_version", "criterion", "user_id"], name="human_label_once"
            ),
            models.CheckConstraint(name="human_label_range", condition=Q(score__gte=0, score__lte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.criterion}: {self.value}"
