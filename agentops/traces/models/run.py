"""A run: everything under one trace id, with totals that equal its spans at every commit."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Greatest

from agentops.common.models import TenantOwned


class RunStatus(models.IntegerChoices):
    RUNNING = 0, "running"
    OK = 1, "ok"
    ERROR = 2, "error"


class FacetKey(models.IntegerChoices):
    """What a run can be searched by, besides time, cost and text."""

    AGENT = 1, "agent"
    AGENT_VERSION = 2, "agent_version"
    USER = 3, "user"
    SESSION = 4, "session"
    STATUS = 5, "status"
    TOOL = 6, "tool"
    ERROR_TYPE = 7, "error_type"
    MODEL = 8, "model"
    PROMPT_HASH = 9, "prompt_hash"
    TOOL_DEFINITIONS_HASH = 10, "tool_definitions_hash"


class Run(TenantOwned):
    """`day` is fixed when the run is first seen and names the partition that holds all its spans.

    `day` never moves, so the primary key of a span is unique for ever: a span that is sent again counts once, whatever
    its clock says. `started_at` may move back while earlier spans arrive.
    """

    pk = models.CompositePrimaryKey("tenant_id", "run_id")
    run_id = models.UUIDField()
    day = models.DateField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    received_at = models.DateTimeField()  # when the newest span was taken in
    finalised_at = models.DateTimeField(null=True)
    status = models.SmallIntegerField(choices=RunStatus.choices, default=RunStatus.RUNNING)
    root_span_id = models.BigIntegerField(null=True)
    root_status = models.SmallIntegerField(default=0)
    name = models.TextField(blank=True)
    agent = models.TextField(blank=True)
    agent_version = models.TextField(blank=True)
    user_id = models.TextField(blank=True)
    session_id = models.TextField(blank=True)
    service = models.TextField(blank=True)
    environment = models.TextField(blank=True)
    prompt_hash = models.TextField(blank=True)
    tool_definitions_hash = models.TextField(blank=True)
    span_count = models.IntegerField(default=0)
    llm_calls = models.IntegerField(default=0)
    tool_calls = models.IntegerField(default=0)
    error_count = models.IntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    cost_nano_usd = models.BigIntegerField(default=0)
    priced_calls = models.IntegerField(default=0)
    unpriced_calls = models.IntegerField(default=0)
    masked_values = models.IntegerField(default=0)
    tools = ArrayField(models.TextField(), default=list)
    error_types = ArrayField(models.TextField(), default=list)
    flags = ArrayField(models.TextField(), default=list)
    model_names = ArrayField(models.TextField(), default=list)
    input_preview = models.TextField(blank=True)
    output_preview = models.TextField(blank=True)
    basis = models.TextField(default="{}")  # JSON: which span each single-valued field was taken from (rollup.py)

    class Meta:
        indexes = [
            # Serves lists by time, and a least cost without touching the table.
            models.Index(fields=["tenant_id", "-started_at", "-run_id"], include=["cost_nano_usd"], name="run_by_time"),
            models.Index(fields=["-started_at", "tenant_id", "run_id"], name="run_by_time_everywhere"),
            models.Index(fields=["received_at"], condition=models.Q(finalised_at__isnull=True), name="run_open"),
            models.Index(fields=["tenant_id", "day"], name="run_by_day"),
            # In the order in which finished runs changed last: what is computed from them goes on where it was.
            models.Index(
                "tenant_id",
                Greatest("finalised_at", "received_at"),
                name="run_settled",
                condition=models.Q(finalised_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.run_id.hex


class RunFacet(TenantOwned):
    """One value a run can be found by. Primary key order is page order, so every filter is one index range."""

    pk = models.CompositePrimaryKey("tenant_id", "key", "value", "started_at", "run_id")
    key = models.SmallIntegerField(choices=FacetKey.choices)
    value = models.CharField(max_length=200)
    started_at = models.DateTimeField()
    run_id = models.UUIDField()

    def __str__(self) -> str:
        return f"{self.get_key_display()}={self.value}"
