"""An agent and its versions."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from agentops.catalog.types import GATE_OPEN, Gate
from agentops.common.models import HasId, TenantOwned


class Agent(HasId, TenantOwned):
    """A program that acts for users.

    `policy_version` rises with every change that a decision of the guard could depend on, in the same transaction.
    """

    name = models.TextField()
    policy_version = models.BigIntegerField(default=1)
    is_gated = models.BooleanField(default=False, db_default=False)  # a gate stands before each of its versions
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)

    class Meta:
        permissions = [("approve", "Approves what the agent asks for")]
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "name"], name="agent_name_once"),
            models.UniqueConstraint(fields=["tenant_id", "id"], name="agent_of_tenant"),  # what other tables refer to
            models.CheckConstraint(name="agent_policy_version", condition=Q(policy_version__gte=1)),
        ]

    def __str__(self) -> str:
        return self.name


class AgentVersion(HasId, TenantOwned):
    """One version of an agent as its manifest says. `content_digest` is over all that the manifest says of it, the
    granted tools' definitions included: an approval is of exactly that."""

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, db_constraint=False, related_name="versions")
    version = models.TextField()
    content_digest = models.TextField()
    prompt_hash = models.TextField(blank=True)
    allowed_models = ArrayField(models.TextField())  # what may be called; the first is the default
    floating_models = ArrayField(models.TextField(), default=list)  # those that name no exact version
    tool_definitions_hash = models.TextField(blank=True)  # as ingest computes it from spans
    caps = models.JSONField(default=dict)
    repetition = models.JSONField(default=dict)
    routing = models.JSONField(default=dict)
    reads_when_offline = models.BooleanField(default=False)
    output_cache = models.JSONField(default=dict, db_default={})
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=200)
    approved_at = models.DateTimeField(null=True)
    approved_by = models.CharField(max_length=200, blank=True)
    gate = models.CharField(max_length=10, choices=Gate.choices, default=Gate.NONE)
    gate_detail = models.TextField(blank=True)
    gate_at = models.DateTimeField(null=True)
    gate_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "agent", "version"], name="agent_version_once"),
            models.UniqueConstraint(fields=["tenant_id", "id"], name="agent_version_of_tenant"),
            models.CheckConstraint(
                name="agent_version_approval_pair",
                condition=Q(approved_at__isnull=True, approved_by="")
                | (Q(approved_at__isnull=False) & ~Q(approved_by="")),
            ),
            models.CheckConstraint(
                name="agent_version_gate_pair",
                condition=Q(gate=Gate.NONE, gate_at__isnull=True, gate_by="")
                | (~Q(gate=Gate.NONE) & Q(gate_at__isnull=False) & ~Q(gate_by="")),
            ),
            # What a gate stands before is not approved until the gate has let it through.
            models.CheckConstraint(
                name="agent_version_gate_before_approval",
                condition=Q(approved_at__isnull=True) | Q(gate__in=sorted(GATE_OPEN)),
            ),
        ]

    def __str__(self) -> str:
        return self.version
