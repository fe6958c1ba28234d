"""The gate before an agent version: what it asks for, what it said, and who went past it."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from agentops.common.models import HasId, TenantOwned
from evals.models.sets import EvalSet
from evals.types import GateVerdictKind, OverrideState, SuiteMode


class GatePolicy(HasId, TenantOwned):
    """Every new version of this agent must pass before it can be approved."""

    agent = models.TextField()
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "agent"], name="gate_policy_once")]

    def __str__(self) -> str:
        return self.agent


class GateRequirement(HasId, TenantOwned):
    """One suite that must pass: no less than `least_rate`, and not worse than the current version by more than `margin`."""

    policy = models.ForeignKey(GatePolicy, on_delete=models.CASCADE, db_constraint=False, related_name="requirements")
    eval_set = models.ForeignKey(EvalSet, on_delete=models.PROTECT, db_constraint=False, related_name="+")
    mode = models.CharField(max_length=6, choices=SuiteMode.choices, default=SuiteMode.PLAIN)
    least_rate = models.FloatField(default=1.0)
    margin = models.FloatField(default=0.1)
    repeats = models.SmallIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "policy", "eval_set", "mode"], name="gate_requirement_once"),
            models.CheckConstraint(
                name="gate_requirement_ranges",
                condition=Q(least_rate__gte=0, least_rate__lte=1, margin__gte=0, margin__lte=1, repeats__gte=1),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.eval_set_id} {self.mode}"


class GateVerdict(HasId, TenantOwned):
    """What the gate said of one content of a version, with every suite it looked at."""

    agent = models.TextField()
    agent_version = models.TextField()
    content_digest = models.TextField()
    verdict = models.CharField(max_length=6, choices=GateVerdictKind.choices)
    sentence = models.TextField()
    detail = models.JSONField(default=dict)
    at = models.DateTimeField()
    by = models.CharField(max_length=200)

    class Meta:
        indexes = [models.Index(fields=["tenant_id", "agent", "agent_version", "-at"], name="gate_verdict_latest")]

    def __str__(self) -> str:
        return f"{self.agent_version}: {self.verdict}"


class GateOverride(HasId, TenantOwned):
    """A failed verdict that two people went past: one asks and says why, another agrees."""

    verdict = models.ForeignKey(GateVerdict, on_delete=models.PROTECT, db_constraint=False, related_name="overrides")
    reason = models.TextField()
    state = models.CharField(max_length=7, choices=OverrideState.choices, default=OverrideState.ASKED)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=200)
    asked_user = models.BigIntegerField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=200, blank=True)
    decided_user = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "verdict"], name="gate_override_open_once", condition=Q(state=OverrideState.ASKED)
            ),
            models.CheckConstraint(
                name="gate_override_two_people",
                condition=~Q(state=OverrideState.AGREED)
                | (Q(decided_user__isnull=False) & ~Q(decided_user=F("asked_user"))),
            ),
            models.CheckConstraint(name="gate_override_reason", condition=~Q(reason="")),
        ]

    def __str__(self) -> str:
        return self.state
