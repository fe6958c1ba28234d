"""Counters of rates and outcomes. In PostgreSQL, so that losing Valkey neither stops nor loosens anything."""

from __future__ import annotations

from django.db import models

from agentops.common.models import TenantOwned


class UserMinute(TenantOwned):
    """What one end user's agents did in one minute; also what the baselines are computed from."""

    pk = models.CompositePrimaryKey("tenant_id", "user_id", "minute", "agent")
    user_id = models.TextField()
    minute = models.DateTimeField()
    agent = models.TextField()
    runs = models.IntegerField(default=0)
    model_calls = models.IntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["tenant_id", "minute"], name="user_minute_time")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.minute}"


class Baseline(TenantOwned):
    """What is usual for an agent: the p99 of model calls that one user's runs make in a minute."""

    pk = models.CompositePrimaryKey("tenant_id", "agent")
    agent = models.TextField()
    runs = models.IntegerField()
    model_calls_p99 = models.IntegerField()
    computed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.agent}: {self.model_calls_p99}/min"


class ModelOutcome(TenantOwned):
    """How calls of one model ended for one kind of task, by hour: what routing looks at."""

    pk = models.CompositePrimaryKey("tenant_id", "agent", "task_class", "model", "hour")
    agent = models.TextField()
    task_class = models.TextField()
    model = models.TextField()
    hour = models.DateTimeField()
    calls = models.IntegerField()
    failures = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.model}: {self.failures} of {self.calls}"
