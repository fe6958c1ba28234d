"""API keys: only a digest is kept."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from agentops.common.models import HasId, TenantOwned


class ApiKey(HasId, TenantOwned):
    """A machine's credential for one tenant, shown once when made."""

    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=16)  # the end of the text is shown to people, to tell keys apart
    digest = models.BinaryField(max_length=32)  # SHA-256 of the whole text: 256 random bits need no slow hash
    scopes = ArrayField(models.CharField(max_length=12))
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "digest"], name="api_key_digest_once"),
            models.CheckConstraint(
                name="api_key_revoked_pair",
                condition=Q(revoked_at__isnull=True, revoked_by="") | (Q(revoked_at__isnull=False) & ~Q(revoked_by="")),
            ),
            # An agent that could also present confirmations could confirm its own actions.
            models.CheckConstraint(
                name="api_key_guard_never_presents",
                condition=~(Q(scopes__contains=["guard"]) & Q(scopes__contains=["present"])),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
