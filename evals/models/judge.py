"""Who judges: a model behind an address, with a rubric; and how far people agree with it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agentops.common.models import HasId, TenantOwned
from evals.models.rubric import RubricVersion
from evals.types import EndpointKind, JudgeState


class JudgeEndpoint(HasId, TenantOwned):
    """Where a tenant's judge models answer. The key is kept encrypted (common/secrets.py) and shown to nobody."""

    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=12, choices=EndpointKind.choices)
    base_url = models.TextField()
    key_cipher = models.BinaryField()
    key_hint = models.CharField(max_length=12, blank=True)  # its last characters
    max_in_flight = models.SmallIntegerField(default=8)
    requests_per_minute = models.IntegerField(null=True)
    paused_until = models.DateTimeField(null=True)  # it asked for patience (429), or fails again and again
    minute = models.DateTimeField(null=True)  # in which `asked` requests were begun
    asked = models.IntegerField(default=0)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "name"], name="judge_endpoint_once"),
            models.CheckConstraint(
                name="judge_endpoint_in_flight", condition=Q(max_in_flight__gte=1, max_in_flight__lte=64)
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Judge(HasId, TenantOwned):
    """Rubric version + model + settings. Never edited: a change is a further version under the same name."""

    name = models.CharField(max_length=100)
    number = models.IntegerField()
    rubric_version = models.ForeignKey(RubricVersion, on_delete=models.PROTECT, db_constraint=False, related_name="+")
    endpoint = models.ForeignKey(JudgeEndpoint, on_delete=models.PROTECT, db_constraint=False, related_name="+")
    provider = models.CharField(max_length=60)  # for the price of its calls
    model = models.CharField(max_length=200)
    family = models.CharField(max_length=40)
    settings = models.JSONField(
        default=dict
    )  # temperature, max_output_tokens, timeout_seconds, output (tool|json|prompt)
    digest = models.TextField()
    state = models.CharField(max_length=10, choices=JudgeState.choices, default=JudgeState.ACTIVE)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "name", "number"], name="judge_version_once"),
            models.UniqueConstraint(
                fields=["tenant_id", "name"], name="judge_current_once", condition=~Q(state=JudgeState.REPLACED)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.number}"


class Assignment(HasId, TenantOwned):
    """Which share of an agent's runs a judge (by name: its current version) sees. Agent "": those without a line of their own."""

    agent = models.TextField(blank=True)
    judge_name = models.CharField(max_length=100)
    rate = models.FloatField(default=0.05)  # 0 to 1
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "agent", "judge_name"], name="judge_assignment_once"),
            models.CheckConstraint(name="judge_assignment_rate", condition=Q(rate__gte=0, rate__lte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.judge_name} for {self.agent or 'all'}: {self.rate:.0%}"


class Calibration(HasId, TenantOwned):
    """How far a judge's version and people's labels agree on one criterion; criterion "": over all of the rubric."""

    judge = models.ForeignKey(Judge, on_delete=models.PROTECT, db_constraint=False, related_name="calibrations")
    criterion = models.CharField(max_length=60, blank=True)
    pairs = models.IntegerField()
    agreement = models.FloatField()
    kappa = models.FloatField(null=True)  # None: only one category was seen, nothing can be said
    kappa_low = models.FloatField(null=True)  # 95 %
    kappa_high = models.FloatField(null=True)
    matrix = models.JSONField(default=dict)  # of both sides' categories
    is_sound = models.BooleanField()  # enough pairs, and agreement enough to gate
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "judge", "criterion"], name="calibration_once")]

    def __str__(self) -> str:
        return f"kappa {self.kappa}"
