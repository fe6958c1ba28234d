"""Tokens of our own machines, such as the system that writes invoices: only a digest is kept."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from agentops.common.models import HasId


class StaffToken(HasId):
    """What lets a program of ours do over all organisations, shown once when made. Global: it belongs to none of them.

    Its own row says who made and who revoked it; what is done with it is in the log of the organisation it is done to.
    """

    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=16)
    digest = models.BinaryField(max_length=32, unique=True)  # SHA-256 of the whole text, as of API keys
    scopes = ArrayField(models.CharField(max_length=12))
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="staff_token_revoked_pair",
                condition=Q(revoked_at__isnull=True, revoked_by="") | (Q(revoked_at__isnull=False) & ~Q(revoked_by="")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
