"""The way in for people without an account here."""

from __future__ import annotations

from django.db import models

from agentops.common.models import HasId, TenantOwned
from agentops.confirmations.models.confirmation import Confirmation


class Presentation(HasId, TenantOwned):
    """A one-time link to one tier-2 confirmation, for one end user of the tenant. Only its token's hash is kept."""

    confirmation = models.ForeignKey(
        Confirmation, on_delete=models.CASCADE, db_constraint=False, related_name="presentations"
    )
    user = models.TextField()  # the end user, as the tenant names them: the acting user
    token_hash = models.BinaryField()
    key_id = models.UUIDField()  # the key that asked for it
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    session_hash = models.BinaryField(null=True)  # of the cookie that the one who opened it holds

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "token_hash"], name="presentation_token"),
            models.CheckConstraint(
                name="presentation_opened_pair",
                condition=models.Q(opened_at__isnull=True, session_hash__isnull=True)
                | models.Q(opened_at__isnull=False, session_hash__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"for {self.user}"
