"""A tenant's tree: what waits for its place, the leaves, the inner nodes, and the signed heads.

Only the owner of the tables writes here, except that whoever writes an entry adds it to `Pending`. The tree is that of
RFC 9162; a node of a level above the leaves stands for a full subtree of 256, 65,536 ... leaves (as the tiles of C2SP's
tlog-tiles do), so that a proof reads a few hundred rows, however large the tree is.
"""

from __future__ import annotations

from django.db import models
from django.db.models.lookups import Exact

from agentops.common.models import AppendOnly, Sealed, TenantOwned

HASH_BYTES = 32


class Pending(AppendOnly):
    """An entry that has no place in the tree yet; the sealer deletes the row when it gives it one."""

    pk = models.CompositePrimaryKey("tenant_id", "recorded_at", "entry_id")
    recorded_at = models.DateTimeField()
    entry_id = models.UUIDField()
    leaf_hash = models.BinaryField(max_length=32)

    class Meta:
        db_table = "audit_pending"
        # The sealer reads the hashes of a batch as one text of bytes, and whoever writes entries can write here.
        constraints = [
            models.CheckConstraint(
                condition=Exact(
                    models.Func(models.F("leaf_hash"), function="OCTET_LENGTH", output_field=models.IntegerField()),
                    HASH_BYTES,
                ),
                name="audit_pending_whole_hash",
            )
        ]

    def __str__(self) -> str:
        return f"{self.entry_id} waits"


class Head(Sealed):
    """Where a tenant's tree ends. Its row lock is what makes one sealer of each tenant.

    `frontier` are the roots of the full subtrees that cover the tree, from left to right, 32 bytes each (RFC 9162's
    compact range); `key_id` names the key that signs this tenant's checkpoints.
    """

    tenant_id = models.UUIDField(primary_key=True)
    tree_size = models.BigIntegerField(default=0)
    frontier = models.BinaryField(default=b"")
    key_id = models.CharField(max_length=64)
    sealed_at = models.DateTimeField(null=True)
    heartbeat_on = models.DateField(null=True)
    pruned_below = models.BigIntegerField(default=0)

    class Meta:
        db_table = "audit_head"

    def __str__(self) -> str:
        return f"{self.tenant_id} at {self.tree_size}"


class Leaf(Sealed):
    """The place of an entry in its tenant's tree, for good."""

    pk = models.CompositePrimaryKey("tenant_id", "leaf_index")
    leaf_index = models.BigIntegerField()
    entry_id = models.UUIDField()
    recorded_at = models.DateTimeField()
    leaf_hash = models.BinaryField(max_length=32)

    class Meta:
        db_table = "audit_leaf"
        constraints = [models.UniqueConstraint("tenant_id", "entry_id", name="audit_leaf_entry")]

    def __str__(self) -> str:
        return f"leaf {self.leaf_index}"


class Node(Sealed):
    """The root of a full subtree of 2 ** `level` leaves (8, 16, 24 ...), the `position`th from the left."""

    pk = models.CompositePrimaryKey("tenant_id", "level", "position")
    level = models.SmallIntegerField()
    position = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)

    class Meta:
        db_table = "audit_node"

    def __str__(self) -> str:
        return f"node {self.level}/{self.position}"


class Checkpoint(Sealed):
    """A signed head: `note` is the text of C2SP's tlog-checkpoint with its signature line."""

    pk = models.CompositePrimaryKey("tenant_id", "tree_size")
    tree_size = models.BigIntegerField()
    root = models.BinaryField(max_length=32)
    sealed_at = models.DateTimeField()
    key_id = models.CharField(max_length=64)
    note = models.TextField()

    class Meta:
        db_table = "audit_checkpoint"
        indexes = [models.Index("tenant_id", "sealed_at", name="audit_checkpoint_time")]

    def __str__(self) -> str:
        return f"checkpoint of {self.tree_size}"


class SigningKey(models.Model):
    """The public half of a key that signs checkpoints; the private half is in a file (keys.py), never here."""

    key_id = models.CharField(max_length=64, primary_key=True)
    name = models.CharField(max_length=200)
    public_key = models.BinaryField(max_length=32)
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "audit_signingkey"

    def __str__(self) -> str:
        return self.key_id


class Finding(Sealed):
    """Something is wrong with a tenant's log: sealing lags, or a check failed. Incidents reads them and makes alerts."""

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=40)
    detail = models.TextField()
    found_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "audit_finding"
        constraints = [
            models.UniqueConstraint(
                "tenant_id", "kind", name="audit_finding_open", condition=models.Q(ended_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


class ManifestCursor(TenantOwned):
    """The first leaf that was not looked at yet for runs that have ended (services/manifests.py)."""

    tenant_id = models.UUIDField(primary_key=True)
    next_leaf = models.BigIntegerField(default=0)

    class Meta:
        db_table = "audit_manifestcursor"

    def __str__(self) -> str:
        return f"manifests up to leaf {self.next_leaf}"
