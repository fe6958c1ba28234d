"""An eval set run on one agent version, and a production run replayed."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agentops.common.models import HasId, TenantOwned
from evals.models.sets import CaseVersion, Revision
from evals.types import CaseState, ReplayState, Runner, SuiteMode, SuiteState


class AgentEndpoint(HasId, TenantOwned):
    """Where a customer's agent answers when the portal runs a suite. One an agent."""

    agent = models.TextField()
    url = models.TextField()
    secret_cipher = models.BinaryField()  # signs what is sent, as webhooks are
    timeout_seconds = models.IntegerField(default=120)
    max_in_flight = models.SmallIntegerField(default=4)
    paused_until = models.DateTimeField(null=True)  # it asked for patience, or was not there
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "agent"], name="agent_endpoint_once")]

    def __str__(self) -> str:
        return self.url


class SuiteRun(HasId, TenantOwned):
    """One frozen plan: a revision's cases, each so many times, on one agent version. Its case runs are made with it."""

    agent = models.TextField()
    agent_version = models.TextField()
    content_digest = models.TextField(blank=True)  # of the catalog's version when it began; empty: the catalog has none
    prompt_hash = models.TextField(blank=True)
    tool_definitions_hash = models.TextField(blank=True)
    model = models.TextField(blank=True)
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, db_constraint=False, related_name="+")
    mode = models.CharField(max_length=6, choices=SuiteMode.choices, default=SuiteMode.PLAIN)
    runner = models.CharField(max_length=8, choices=Runner.choices)
    tags = models.JSONField(default=list)  # only cases that have one of them; empty: all
    repeats = models.SmallIntegerField(default=1)
    trigger = models.CharField(max_length=10)  # person | api | ci | gate | schedule
    state = models.CharField(max_length=10, choices=SuiteState.choices, default=SuiteState.RUNNING)
    begun_at = models.DateTimeField()
    begun_by = models.CharField(max_length=200)
    last_seen_at = models.DateTimeField()  # of whoever runs it
    ended_at = models.DateTimeField(null=True)
    cases = models.IntegerField(default=0)
    passed = models.IntegerField(default=0)  # cases, all of whose repeats passed
    failed = models.IntegerField(default=0)
    flaky = models.IntegerField(default=0)  # cases that passed at times

    class Meta:
        constraints = [
            models.CheckConstraint(name="suite_run_repeats", condition=Q(repeats__gte=1, repeats__lte=20)),
        ]
        indexes = [
            models.Index(fields=["tenant_id", "-begun_at", "-id"], name="suite_run_latest"),
            models.Index(fields=["tenant_id", "agent", "agent_version", "-begun_at"], name="suite_run_of_version"),
        ]

    def __str__(self) -> str:
        return f"{self.agent} {self.agent_version}"


class CaseRun(HasId, TenantOwned):
    """One case, run once. `steps` is what the agent did (client evals say its form); `checks` what each expectation said."""

    suite_run = models.ForeignKey(SuiteRun, on_delete=models.CASCADE, db_constraint=False, related_name="case_runs")
    case = models.ForeignKey(CaseVersion, on_delete=models.PROTECT, db_constraint=False, related_name="+")
    key = models.CharField(max_length=120)
    turn = models.SmallIntegerField()  # of its repeats, from 1
    fault = models.CharField(max_length=20, blank=True)  # chaos: timeout | error | malformed
    state = models.CharField(max_length=9, choices=CaseState.choices, default=CaseState.PLANNED)
    claim = models.UUIDField(null=True)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.SmallIntegerField(default=0)
    ended_at = models.DateTimeField(null=True)
    detail = models.TextField(blank=True)
    checks = models.JSONField(default=list)
    steps = models.JSONField(default=list)
    output = models.JSONField(null=True)
    trace_id = models.UUIDField(null=True)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cost_nano_usd = models.BigIntegerField(null=True)
    duration_ms = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "suite_run", "key", "turn", "fault"], name="case_run_once")
        ]
        indexes = [
            models.Index(fields=["tenant_id", "suite_run", "state"], name="case_run_of_suite"),
            models.Index(
                fields=["claimed_until"], name="case_run_waiting", condition=Q(state__in=["claimed", "judging"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.state}"


class Replay(HasId, TenantOwned):
    """A production run, run again with its recorded tools, and how it differed."""

    run_id = models.UUIDField()
    agent = models.TextField(blank=True)
    agent_version = models.TextField(blank=True)  # that replayed it
    tape = models.TextField()  # RFC 8785 text: input, and each recorded call with its result
    tape_digest = models.TextField()
    state = models.CharField(max_length=4, choices=ReplayState.choices, default=ReplayState.OPEN)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=200)
    ended_at = models.DateTimeField(null=True)
    result = models.TextField(blank=True)  # RFC 8785 text: what the replay did
    result_digest = models.TextField(blank=True)
    diff = models.JSONField(default=dict)
    is_same = models.BooleanField(null=True)

    class Meta:
        indexes = [models.Index(fields=["tenant_id", "run_id", "-asked_at"], name="replay_of_run")]

    def __str__(self) -> str:
        return f"{self.run_id.hex}: {self.state}"
