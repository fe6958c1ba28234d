"""The customer's own users, as its agents name them."""

from __future__ import annotations

from django.db import models

from agentops.common.models import HasId, TenantOwned
from tenants.models.person import User


class EndUser(HasId, TenantOwned):
    """Somebody on whose behalf an agent ran. `user` links to an account here, where there is one."""

    external_id = models.CharField(max_length=200)
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="end_users")
    first_seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "external_id"], name="end_user_once")]

    def __str__(self) -> str:
        return self.external_id
