"""What good means: criteria, versioned."""

from __future__ import annotations

from django.db import models

from agentops.common.models import HasId, TenantOwned


class Rubric(HasId, TenantOwned):
    """A name for criteria that change over time."""

    name = models.CharField(max_length=100)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    archived_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "name"], name="rubric_name_once")]

    def __str__(self) -> str:
        return self.name


class RubricVersion(HasId, TenantOwned):
    """Never edited. `content` is RFC 8785 text of the criteria (judging/rubrics.py says their form)."""

    rubric = models.ForeignKey(Rubric, on_delete=models.PROTECT, db_constraint=False, related_name="versions")
    number = models.IntegerField()
    content = models.TextField()
    digest = models.TextField()
    note = models.TextField(blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "rubric", "number"], name="rubric_version_once"),
            models.UniqueConstraint(fields=["tenant_id", "rubric", "digest"], name="rubric_content_once"),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"
