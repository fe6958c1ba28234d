"""Quality by day and cohort, and what moved."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from agentops.common.models import HasId, TenantOwned
from evals.types import Dimension, DriftKind, Metric


class CohortDay(TenantOwned):
    """One day of one agent's runs that share one value of one dimension. Recomputed from facts, judgements and feedback."""

    pk = models.CompositePrimaryKey("tenant_id", "agent", "dimension", "value", "day")
    agent = models.TextField()
    dimension = models.CharField(max_length=24, choices=Dimension.choices)
    value = models.TextField()
    day = models.DateField()
    runs = models.IntegerField()
    errors = models.IntegerField()
    refusals = models.IntegerField()
    tokens_sum = models.BigIntegerField()
    tokens_logs = models.FloatField()  # ln(1 + tokens), summed
    tokens_log_squares = models.FloatField()
    cost_nano_usd = models.BigIntegerField()
    cost_logs = models.FloatField()  # ln(1 + millionths of a dollar), summed
    cost_log_squares = models.FloatField()
    judged = models.IntegerField()
    weight = models.FloatField()  # of judged runs: one over the probability of being judged
    weight_squares = models.FloatField()
    score_sum = models.FloatField()  # weighted
    score_squares = models.FloatField()  # weighted
    ups = models.IntegerField()
    downs = models.IntegerField()
    tools = models.JSONField(default=dict)  # name → calls
    passed_cases = models.IntegerField(default=0)  # of suites that ran that day
    cases = models.IntegerField(default=0)
    computed_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["tenant_id", "day"], name="cohort_day_by_day")]

    def __str__(self) -> str:
        return f"{self.agent} {self.dimension}={self.value} {self.day}"


class CohortSweep(TenantOwned):
    """Up to when an organisation's facts, judgements and feedback were looked through for days to compute anew."""

    pk = models.CompositePrimaryKey("tenant_id", "part")
    part = models.CharField(max_length=10, default="all")
    swept_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.part}: {self.swept_at}"


class DriftFinding(HasId, TenantOwned):
    """Something moved beyond noise. Incidents reads them and makes alerts. One is open per fingerprint."""

    kind = models.CharField(max_length=8, choices=DriftKind.choices)
    fingerprint = models.CharField(max_length=300)  # agent, metric, dimension, value, kind
    agent = models.TextField()
    dimension = models.CharField(max_length=24, choices=Dimension.choices)
    value = models.TextField(blank=True)
    metric = models.CharField(max_length=10, choices=Metric.choices)
    sentence = models.TextField()
    before = models.JSONField(default=dict)  # n, mean, low, high, from, until
    after = models.JSONField(default=dict)
    effect = models.FloatField()  # standardised: Cohen's d, h, or w for mixes
    p_value = models.FloatField(null=True)
    q_value = models.FloatField(null=True)  # after false-discovery control
    cause = models.CharField(
        max_length=24, choices=Dimension.choices, blank=True
    )  # which hash changed; empty: none did
    cause_from = models.TextField(blank=True)
    cause_to = models.TextField(blank=True)
    worst_runs = ArrayField(models.UUIDField(), default=list)
    found_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    seen_by = models.CharField(max_length=200, blank=True)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "fingerprint"], name="drift_finding_open_once", condition=Q(ended_at__isnull=True)
            )
        ]
        indexes = [models.Index(fields=["tenant_id", "-found_at", "-id"], name="drift_finding_latest")]

    def __str__(self) -> str:
        return self.sentence
