"""What quality knows of every finished run: where it belongs, and what checks without a model found."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from agentops.common.models import HasId, TenantOwned


class RunFact(TenantOwned):
    """One row a finished run, written once it is finished, and anew if spans come later."""

    pk = models.CompositePrimaryKey("tenant_id", "run_id")
    run_id = models.UUIDField()
    day = models.DateField()  # UTC, of the start
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    received_at = models.DateTimeField()  # the run's newest span when this was written
    computed_at = models.DateTimeField()
    agent = models.TextField(blank=True)
    agent_version = models.TextField(blank=True)
    user_id = models.TextField(blank=True)
    session_id = models.TextField(blank=True)
    prompt_hash = models.TextField(blank=True)
    tool_definitions_hash = models.TextField(blank=True)
    model = models.TextField(blank=True)  # the one that answered most
    plan = models.TextField(blank=True)  # cohorts: what the root span says of its user (agentops.cohort.*)
    language = models.TextField(blank=True)
    region = models.TextField(blank=True)
    user_age = models.TextField(blank=True)  # new | existing
    is_error = models.BooleanField()
    is_guarded = models.BooleanField(default=False)
    is_aborted = models.BooleanField(default=False)
    is_refused = models.BooleanField(default=False)
    failed_checks = ArrayField(models.TextField(), default=list)  # codes of judging/checks.py
    check_notes = models.JSONField(default=dict)  # by code: what was found, and the spans (hex)
    kept_because = ArrayField(models.TextField(), default=list)  # why it is always judged: error, refusal, outlier …
    draws = models.JSONField(default=dict)  # by judge's name: the probability with which it was drawn, and if it was
    tools = ArrayField(models.TextField(), default=list)
    tool_calls = models.IntegerField(default=0)
    llm_calls = models.IntegerField(default=0)
    tokens = models.BigIntegerField(default=0)
    cost_nano_usd = models.BigIntegerField(default=0)
    duration_ms = models.BigIntegerField(default=0)
    input_digest = models.BinaryField(null=True)  # of the user's prompt, for "asked the same again"

    class Meta:
        indexes = [
            models.Index(fields=["tenant_id", "agent", "-started_at"], name="run_fact_of_agent"),
            models.Index(fields=["tenant_id", "day", "agent"], name="run_fact_of_day"),
            models.Index(fields=["tenant_id", "session_id", "started_at"], name="run_fact_of_session"),
        ]

    @property
    def failed_words(self) -> list[str]:
        """The checks that failed, as people say it."""
        return [code.replace("_", " ") for code in self.failed_checks]

    def __str__(self) -> str:
        return self.run_id.hex


class FactMark(HasId, TenantOwned):
    """Up to when a tenant's finished runs have their facts. Its lock keeps two sweeps from one tenant."""

    until = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id"], name="fact_mark_once")]

    def __str__(self) -> str:
        return str(self.until)


class CheckRules(HasId, TenantOwned):
    """What an agent's answers are held to by checks without a model. Agent "": those without a line of their own."""

    agent = models.TextField(blank=True)
    words = ArrayField(models.TextField(), default=list)  # not to be used
    output_schema = models.TextField(blank=True)  # RFC 8785 text of a JSON Schema; empty: none
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "agent"], name="check_rules_once")]

    def __str__(self) -> str:
        return self.agent or "all agents"
