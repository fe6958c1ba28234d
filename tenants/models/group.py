"""Groups of people who approve together."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.db import models
from django.db.models.functions import Lower

from agentops.common.models import HasId, TenantOwned


class ApproverGroup(HasId, TenantOwned):
    """Members who may approve the same things. The people are those of `group`, so that object permissions work for it.

    Groups of Django stand outside the tenants: which are whose is known from here only, and every read begins here.
    """

    name = models.CharField(max_length=80)
    group = models.OneToOneField(Group, on_delete=models.CASCADE, related_name="approver_group")
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint("tenant_id", Lower("name"), name="approver_group_name_once")]

    def __str__(self) -> str:
        return self.name
