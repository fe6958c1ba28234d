"""What an organisation allows itself, narrower than its plan."""

from __future__ import annotations

from django.db import models

from agentops.common.models import TenantOwned


class OrganisationCaps(TenantOwned):
    """Caps for every agent of one organisation; what is absent is not narrower than the plan."""

    pk = models.CompositePrimaryKey("tenant_id", "key")
    key = models.CharField(max_length=1, default="1")  # one row a tenant
    caps = models.JSONField()
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=200)

    def __str__(self) -> str:
        return str(self.caps)
