"""Which tool an agent version may call, and with what."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agentops.catalog.models.agent import AgentVersion
from agentops.catalog.models.tool import Tool, ToolVersion
from agentops.common.models import HasId, TenantOwned


class ToolGrant(HasId, TenantOwned):
    """One exact tool version for one agent version: all tools, or any version of one, cannot be said.

    A revoked grant stays, so that the same manifest applied again does not bring back what a person took away.
    """

    agent_version = models.ForeignKey(
        AgentVersion, on_delete=models.PROTECT, db_constraint=False, related_name="grants"
    )
    tool = models.ForeignKey(Tool, on_delete=models.PROTECT, db_constraint=False, related_name="+")
    tool_version = models.ForeignKey(ToolVersion, on_delete=models.PROTECT, db_constraint=False, related_name="grants")
    scope = models.JSONField(default=dict)  # argument (name or pointer) -> path into what the run states
    position = models.SmallIntegerField(default=0)  # in the manifest
    granted_at = models.DateTimeField()
    granted_by = models.CharField(max_length=200)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "agent_version", "tool"], name="tool_grant_once"),
            models.CheckConstraint(
                name="tool_grant_revoked_pair",
                condition=Q(revoked_at__isnull=True, revoked_by="") | (Q(revoked_at__isnull=False) & ~Q(revoked_by="")),
            ),
        ]
        indexes = [models.Index(fields=["tenant_id", "tool_version"], name="tool_grant_of_version")]

    def __str__(self) -> str:
        return f"{self.tool_id} for {self.agent_version_id}"
