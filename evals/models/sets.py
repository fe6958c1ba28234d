"""Eval sets: cases as text with a digest, gathered in revisions."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from agentops.common.models import HasId, TenantOwned


class EvalSet(HasId, TenantOwned):
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    archived_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "name"], name="eval_set_once")]

    def __str__(self) -> str:
        return self.name


class CaseVersion(HasId, TenantOwned):
    """What a case of a set said at some time. Never edited; `content` is RFC 8785 text (sets/cases.py says its form)."""

    eval_set = models.ForeignKey(EvalSet, on_delete=models.PROTECT, db_constraint=False, related_name="+")
    key = models.CharField(max_length=120)  # its file's name, without .yaml
    title = models.TextField(blank=True)
    content = models.TextField()
    digest = models.TextField()
    tags = ArrayField(models.CharField(max_length=60), default=list)
    provenance = models.JSONField(default=dict)  # {"kind": trace|incident|drift|curated|queue, "id", "label"}
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "eval_set", "key", "digest"], name="case_version_once")
        ]

    def __str__(self) -> str:
        return self.key


class Revision(HasId, TenantOwned):
    """A set as it was at some time. Its digest is over its cases' keys and digests: the same files, the same revision."""

    eval_set = models.ForeignKey(EvalSet, on_delete=models.PROTECT, db_constraint=False, related_name="revisions")
    number = models.IntegerField()
    digest = models.TextField()
    note = models.TextField(blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "eval_set", "number"], name="eval_revision_once")]

    def __str__(self) -> str:
        return f"revision {self.number}"


class RevisionCase(HasId, TenantOwned):
    revision = models.ForeignKey(Revision, on_delete=models.CASCADE, db_constraint=False, related_name="cases")
    case = models.ForeignKey(CaseVersion, on_delete=models.PROTECT, db_constraint=False, related_name="+")
    key = models.CharField(max_length=120)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "revision", "key"], name="revision_case_once")]

    def __str__(self) -> str:
        return self.key
