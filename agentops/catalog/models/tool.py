"""A tool and its versions."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from agentops.catalog.types import Effect, Reversal, Review
from agentops.common.models import HasId, TenantOwned


class Tool(HasId, TenantOwned):
    """Something an agent can call, by its name."""

    name = models.TextField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)

    class Meta:
        permissions = [("approve", "Approves calls of the tool")]
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "name"], name="tool_name_once"),
            models.UniqueConstraint(fields=["tenant_id", "id"], name="tool_of_tenant"),
        ]

    def __str__(self) -> str:
        return self.name


class ToolVersion(HasId, TenantOwned):
    """One definition of a tool, never edited: the digest of `definition` is what a reviewer approves.

    The same label with another definition is another revision, and unreviewed.
    """

    tool = models.ForeignKey(Tool, on_delete=models.PROTECT, db_constraint=False, related_name="versions")
    version = models.TextField()
    revision = models.IntegerField()
    definition = models.TextField()  # RFC 8785 bytes
    digest = models.TextField()  # of the definition
    schema_digest = models.TextField()  # of its argument schema
    effect = models.CharField(max_length=8, choices=Effect.choices, default=Effect.READ)
    tier = models.SmallIntegerField(default=1)  # the definition's, or the reviewer's
    tier_because = models.TextField(blank=True)  # why an effect other than read asks nobody
    reversal = models.CharField(max_length=7, choices=Reversal.choices, default=Reversal.UNKNOWN)
    recipe = models.TextField(blank=True)
    reversible_seconds = models.BigIntegerField(null=True)
    cosmetic = ArrayField(models.TextField(), default=list)
    resource = models.TextField(blank=True)
    payee = models.TextField(blank=True)
    amount = models.TextField(blank=True)
    phrase = models.TextField(blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    review = models.CharField(max_length=8, choices=Review.choices, default=Review.PENDING)
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.CharField(max_length=200, blank=True)
    review_reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "tool", "version", "revision"], name="tool_version_once"),
            models.UniqueConstraint(fields=["tenant_id", "tool", "version", "digest"], name="tool_definition_once"),
            models.UniqueConstraint(fields=["tenant_id", "id"], name="tool_version_of_tenant"),
            models.CheckConstraint(name="tool_version_revision", condition=Q(revision__gte=1)),
            models.CheckConstraint(name="tool_version_tier", condition=Q(tier__gte=1, tier__lte=4)),
            models.CheckConstraint(
                name="tool_version_tier_one_has_a_reason",
                condition=Q(effect=Effect.READ) | Q(tier__gte=2) | ~Q(tier_because=""),
            ),
            models.CheckConstraint(
                name="tool_version_reversal_pair",
                condition=(Q(reversal=Reversal.YES) & ~Q(recipe=""))
                | (~Q(reversal=Reversal.YES) & Q(recipe="", reversible_seconds__isnull=True)),
            ),
            models.CheckConstraint(
                name="tool_version_review_pair",
                condition=Q(review=Review.PENDING, reviewed_at__isnull=True, reviewed_by="", review_reason="")
                | (
                    ~Q(review=Review.PENDING) & Q(reviewed_at__isnull=False) & ~Q(reviewed_by="") & ~Q(review_reason="")
                ),
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant_id", "created_at", "id"],
                name="tool_version_waiting",
                condition=Q(review=Review.PENDING),
            )
        ]

    def __str__(self) -> str:
        return f"{self.version} ({self.review})"
