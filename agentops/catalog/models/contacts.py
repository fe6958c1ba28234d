"""Whom users know: sets that rules and scopes ask about."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from agentops.common.models import HasId, TenantOwned


class ContactSet(HasId, TenantOwned):
    """A named set of texts (addresses, account numbers), of the whole organisation or of one end user.

    The id changes with the content, so that readers can keep what they have read.
    """

    name = models.TextField()
    user_id = models.TextField(blank=True)  # of the end user; empty: everybody's
    contacts = ArrayField(models.TextField(), default=list)
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "user_id", "name"], name="contact_set_once"),
        ]

    def __str__(self) -> str:
        return self.name
