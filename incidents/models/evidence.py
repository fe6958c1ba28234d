"""What was kept of an incident, how far its harm reaches, and how it is undone."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from agentops.common.models import HasId, TenantOwned
from incidents.models.incident import Incident
from incidents.types import BlastKind, BlastState, EvidenceKind, ReversalState, Reversibility, SnapshotState


class Snapshot(HasId, TenantOwned):
    """One taking of evidence: a frozen plan of runs, then what they held. Its manifest's digest is an audit entry."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, db_constraint=False, related_name="snapshots")
    number = models.SmallIntegerField()
    state = models.CharField(max_length=10, choices=SnapshotState.choices, default=SnapshotState.PLANNED)
    reason = models.TextField(blank=True)
    planned_at = models.DateTimeField()
    planned_by = models.CharField(max_length=200)
    frozen_at = models.DateTimeField(null=True)  # from here on no run joins the plan
    is_cut = models.BooleanField(default=False)  # the agent version had more runs in that time than are kept
    completed_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)  # when the log of every organisation in it said so
    runs = models.IntegerField(default=0)
    items = models.IntegerField(default=0)
    stored_bytes = models.BigIntegerField(default=0)
    manifest_digest = models.CharField(max_length=64, blank=True)  # hex SHA-256 of RFC 8785 JSON over all items
    error = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "incident", "number"], name="snapshot_once")]

    def __str__(self) -> str:
        return f"snapshot {self.number} ({self.state})"


class SnapshotRun(HasId, TenantOwned):
    """One run of the plan."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, db_constraint=False, related_name="plan")
    about_tenant = models.UUIDField()
    run_id = models.UUIDField()
    captured_at = models.DateTimeField(null=True)
    is_missing = models.BooleanField(default=False)  # it was deleted before it could be kept

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "snapshot", "about_tenant", "run_id"], name="snapshot_run_once"
            )
        ]

    def __str__(self) -> str:
        return self.run_id.hex


class Evidence(HasId, TenantOwned):
    """Bytes as they were, compressed; `sha256` is of the bytes before. Never changed; deleted only after its hold is let go."""

    incident_id = models.UUIDField()
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, db_constraint=False, related_name="evidence")
    about_tenant = models.UUIDField(null=True)
    kind = models.CharField(max_length=12, choices=EvidenceKind.choices)
    source = models.TextField()  # what it is: run:<hex>, span:<hex>/<hex>, version:<agent>@<version>, …
    label = models.TextField(blank=True)
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()  # bytes before compression
    body = models.BinaryField(null=True)  # zlib; none after the hold was let go
    captured_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "snapshot", "about_tenant", "kind", "source"],
                name="evidence_once",
                nulls_distinct=False,
            )
        ]
        indexes = [models.Index(fields=["tenant_id", "incident_id", "kind", "source"], name="evidence_list")]

    def __str__(self) -> str:
        return f"{self.kind} {self.source}"


class LegalHold(HasId, TenantOwned):
    """While it is held, an incident's evidence outlives retention and erasure. One is open per incident."""

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, db_constraint=False, related_name="holds")
    held_at = models.DateTimeField()
    held_by = models.CharField(max_length=200)
    reason = models.TextField(blank=True)
    released_at = models.DateTimeField(null=True)
    released_by = models.CharField(max_length=200, blank=True)
    release_reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "incident"], name="legal_hold_once", condition=Q(released_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"held since {self.held_at}"


class BlastScan(HasId, TenantOwned):
    """One look for what was touched, and by which marks (agent version, tool, time)."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, db_constraint=False, related_name="scans")
    about_tenant = models.UUIDField()
    criteria = models.JSONField(default=dict)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    by = models.CharField(max_length=200)
    by_id = models.CharField(max_length=200, blank=True, default="")  # who that is in audit logs
    runs = models.IntegerField(default=0)
    side_effects = models.IntegerField(default=0)
    is_cut = models.BooleanField(default=False)  # there is more than was kept
    error = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"scan of {self.began_at}"


class BlastItem(HasId, TenantOwned):
    """Somebody or something that may be hit. People argue it: confirmed or ruled out, with a reason."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, db_constraint=False, related_name="blast")
    about_tenant = models.UUIDField()
    kind = models.CharField(max_length=8, choices=BlastKind.choices)
    identity = models.TextField()
    run_id = models.UUIDField(null=True)
    span_id = models.BigIntegerField(null=True)
    effects = models.IntegerField(default=1)  # side effects that touched it
    is_lookalike = models.BooleanField(default=False)  # not in a run of the incident, but of the same kind
    state = models.CharField(max_length=10, choices=BlastState.choices, default=BlastState.SUSPECTED)
    reason = models.TextField(blank=True)
    found_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "incident", "about_tenant", "kind", "identity"], name="blast_item_once"
            ),
            models.CheckConstraint(
                name="blast_item_decided_pair",
                condition=Q(state=BlastState.SUSPECTED, decided_at__isnull=True, decided_by="")
                | (~Q(state=BlastState.SUSPECTED) & Q(decided_at__isnull=False) & ~Q(decided_by="")),
            ),
        ]
        indexes = [models.Index(fields=["tenant_id", "incident", "state", "kind", "identity"], name="blast_list")]

    def __str__(self) -> str:
        return f"{self.kind} {self.identity}: {self.state}"


class SideEffect(HasId, TenantOwned):
    """Something that an agent did outside."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, db_constraint=False, related_name="effects")
    about_tenant = models.UUIDField()
    run_id = models.UUIDField()
    span_id = models.BigIntegerField()
    step = models.IntegerField(default=0)
    tool = models.TextField()
    system = models.TextField(blank=True)
    ref = models.TextField(blank=True)  # the record's id over there
    request_digest = models.CharField(max_length=64, blank=True)
    receipt = models.TextField(blank=True)
    idempotency_key = models.TextField(blank=True)
    reversibility = models.CharField(max_length=20, choices=Reversibility.choices, default=Reversibility.UNKNOWN)
    recipe = models.TextField(blank=True)  # of the tool's definition
    who_must_act = models.TextField(blank=True)
    deadline_at = models.DateTimeField(null=True)  # how long it can be undone (recall windows)
    occurred_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "incident", "about_tenant", "run_id", "span_id"], name="side_effect_once"
            )
        ]
        indexes = [models.Index(fields=["tenant_id", "incident", "-occurred_at"], name="side_effect_latest")]

    def __str__(self) -> str:
        return f"{self.tool} {self.ref}"


class Reversal(HasId, TenantOwned):
    """How one side effect is undone, last first inside a run. Who plans it does not approve it: the constraint says so."""

    effect = models.OneToOneField(SideEffect, on_delete=models.CASCADE, db_constraint=False, related_name="reversal")
    incident_id = models.UUIDField()
    position = models.IntegerField()  # 1 is undone first
    state = models.CharField(max_length=10, choices=ReversalState.choices, default=ReversalState.PLANNED)
    how = models.TextField()  # what is done, from the recipe or in a person's words
    idempotency_key = models.CharField(max_length=200)
    planned_at = models.DateTimeField()
    planned_by = models.CharField(max_length=200)
    approved_at = models.DateTimeField(null=True)
    approved_by = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField(null=True)
    started_by = models.CharField(max_length=200, blank=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=200, blank=True)
    proof = models.TextField(blank=True)
    reason = models.TextField(blank=True)  # of failed, impossible, waived
    attempts = models.SmallIntegerField(default=0)
    told_at = models.DateTimeField(null=True)  # when the organisation's own log got how it ended

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "idempotency_key"], name="reversal_once"),
            models.CheckConstraint(
                name="reversal_four_eyes",
                condition=Q(approved_by="", approved_at__isnull=True)
                | (Q(approved_at__isnull=False) & ~Q(approved_by="") & ~Q(approved_by=F("planned_by"))),
            ),
            models.CheckConstraint(
                name="reversal_runs_when_approved",
                condition=~Q(state__in=("approved", "running", "done", "partial")) | ~Q(approved_by=""),
            ),
        ]
        indexes = [models.Index(fields=["tenant_id", "incident_id", "position"], name="reversal_order")]

    def __str__(self) -> str:
        return f"{self.position}: {self.state}"
