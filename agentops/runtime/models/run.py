"""A guarded run, and the request that started it."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from agentops.common.models import TenantOwned
from agentops.runtime.types import RunStatus


class GuardedRun(TenantOwned):
    """One run that asks before it acts. The row of the root carries the counters of the whole family.

    Every verb locks the root's row, so the verbs of one family happen one after the other: that is what makes caps
    exact. `lease_until` is the concurrency slot: a run that says nothing for long does not keep others out.
    """

    pk = models.CompositePrimaryKey("tenant_id", "run_id")
    run_id = models.UUIDField()  # version 7, and the trace id
    root_id = models.UUIDField()
    parent_id = models.UUIDField(null=True)
    depth = models.SmallIntegerField(default=0)
    agent_id = models.UUIDField()
    agent = models.TextField()
    version_id = models.UUIDField()
    agent_version = models.TextField()
    lineage = models.JSONField()  # the agents from the root to this one: a switch on any of them stops it
    user_id = models.TextField()
    session_id = models.TextField(blank=True)
    scope = models.JSONField()
    caps = models.JSONField()
    started_at = models.DateTimeField()
    deadline = models.DateTimeField()
    lease_until = models.DateTimeField()
    paused_at = models.DateTimeField(null=True)  # people are asked: the run's own clock stands still meanwhile
    paused_deadline = models.DateTimeField(null=True)
    status = models.SmallIntegerField(choices=RunStatus.choices, default=RunStatus.RUNNING)
    ended_at = models.DateTimeField(null=True)
    end_code = models.TextField(blank=True)
    end_detail = models.TextField(blank=True)
    steps = models.IntegerField(default=0)
    llm_calls = models.IntegerField(default=0)
    tool_calls = models.IntegerField(default=0)
    tokens_held = models.BigIntegerField(default=0)
    tokens_used = models.BigIntegerField(default=0)
    nano_held = models.BigIntegerField(default=0)
    nano_used = models.BigIntegerField(default=0)
    history = models.JSONField(default=dict)  # what the repetition detectors look at (policies/repetition.py)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="guarded_run_ended",
                condition=Q(status=RunStatus.RUNNING, ended_at__isnull=True)
                | (~Q(status=RunStatus.RUNNING) & Q(ended_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="guarded_run_counters",
                condition=Q(tokens_held__gte=0, nano_held__gte=0, tokens_used__gte=0, nano_used__gte=0),
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant_id", "user_id"], name="guarded_run_live", condition=Q(status=1) & Q(root_id=F("run_id"))
            ),
            models.Index(fields=["tenant_id", "root_id"], name="guarded_run_family"),
            models.Index(fields=["tenant_id", "deadline"], name="guarded_run_due", condition=Q(status=1)),
            models.Index(fields=["tenant_id", "agent", "-started_at"], name="guarded_run_agent"),
            models.Index(fields=["tenant_id", "ended_at"], name="guarded_run_ended_at"),
        ]

    def __str__(self) -> str:
        return f"{self.agent} {self.run_id.hex}"


class RunStart(TenantOwned):
    """The request that started a run, so that a resend finds the run instead of starting another."""

    pk = models.CompositePrimaryKey("tenant_id", "call_id")
    call_id = models.TextField()
    digest = models.BinaryField()
    run_id = models.UUIDField()
    answer = models.TextField()
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["tenant_id", "at"], name="run_start_age")]

    def __str__(self) -> str:
        return self.call_id
